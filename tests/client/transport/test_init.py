from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from minibroker_client import transport
from minibroker_client.transport import memory


def test_a_scheme_names_a_transport() -> None:
    assert transport.get_transport("memory") is memory.transport
    assert {"amqp", "file", "memory", "minibroker", "redis", "sqs"} < set(transport.known())
    assert transport.known() == sorted(transport.known())


def test_an_unknown_scheme_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'gopher'; there is: amqp://, .*memory://"):
        transport.get_transport("gopher")


def test_a_package_adds_a_scheme_by_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("theirs", memory.__name__, transport.GROUP)
    monkeypatch.setattr(transport, "_installed", lambda: {"theirs": point})
    assert transport.get_transport("theirs") is memory.transport
    assert "theirs" in transport.known()


def test_a_dotted_name_is_no_scheme() -> None:
    with pytest.raises(ValueError, match="no transport"):
        transport.get_transport("minibroker_client.transport.memory")


def test_an_application_can_register_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_MODULES", dict(transport._MODULES))
    transport.register("mine", memory.__name__)
    assert transport.get_transport("mine") is sys.modules[memory.__name__].transport
    assert "mine" in transport.known()
