"""Which arguments each kind of queue has, and what a queue without any is."""

from __future__ import annotations

from minibroker.arguments import KINDS, QueueSettings
from minibroker.arguments.settings import KIND_ARGUMENTS


def test_a_queue_without_arguments_is_classic_and_unlimited() -> None:
    settings = QueueSettings()
    assert settings.kind == "classic"
    assert settings.overflow == "drop-head"
    assert (settings.message_ttl, settings.expires, settings.max_length) == (None, None, None)
    assert not settings.single_active_consumer
    assert settings.given == frozenset()


def test_every_kind_takes_its_own_type_and_no_argument_twice() -> None:
    assert tuple(KIND_ARGUMENTS) == KINDS
    for names in KIND_ARGUMENTS.values():
        assert "x-queue-type" in names
        assert len(names) == len(set(names))


def test_equal_settings_are_equal() -> None:
    assert QueueSettings(message_ttl=5) == QueueSettings(message_ttl=5)
    assert QueueSettings(message_ttl=5) != QueueSettings(message_ttl=6)
