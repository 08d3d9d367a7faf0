"""The table of what differs between RabbitMQ versions."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from minibroker.errors import CommandInvalid, PreconditionFailed
from minibroker.profile import DEFAULT, PROFILES, get_profile

ORDER = ("rabbitmq-3.10", "rabbitmq-3.13", "rabbitmq-4.2", "rabbitmq-4.3")


def row(field: str) -> tuple[object, ...]:
    return tuple(getattr(PROFILES[name], field) for name in ORDER)


def test_there_are_four_profiles_and_4_2_is_the_default() -> None:
    assert tuple(PROFILES) == ORDER
    assert get_profile().name == DEFAULT == "rabbitmq-4.2"


def test_a_profile_is_found_by_name_and_a_profile_is_its_own() -> None:
    assert get_profile("rabbitmq-3.10") is PROFILES["rabbitmq-3.10"]
    mine = replace(PROFILES["rabbitmq-4.2"], max_message_size=10)
    assert get_profile(mine) is mine


def test_an_unknown_profile_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="no profile 'rabbitmq-9'") as caught:
        get_profile("rabbitmq-9")
    for name in ORDER:
        assert name in str(caught.value)


def test_every_profile_announces_itself_as_rabbitmq_of_its_version() -> None:
    for name, profile in PROFILES.items():
        assert profile.name == name
        assert profile.product == "RabbitMQ"
        assert profile.version.startswith(name.removeprefix("rabbitmq-") + ".")


DIFFERENCES: list[tuple[str, tuple[object, ...]]] = [
    ("frame_min", (4096, 4096, 8192, 8192)),
    ("prefers_amqp_1", (False, False, True, True)),
    ("max_message_size", (128 << 20, 128 << 20, 16 << 20, 16 << 20)),
    ("delivery_mode_above_2", (False, False, True, True)),
    ("sender_checked_first", (True, False, False, False)),
    ("replies_leave_at_once", (True, True, False, False)),
    ("queue_consumer_timeout", (False, True, True, True)),
    ("x_death_as_table", (True, False, False, False)),
    ("transient_nonexclusive_queues", (True, True, True, False)),
    ("server_name_prefix", (False, False, True, True)),
    ("queue_mode_refused", (False, False, False, True)),
    ("max_topic_hashes", (None, None, None, 2)),
    ("direct_reply_bindings_refused", (False, False, True, True)),
    ("global_qos", (True, True, True, False)),
    ("recover_without_requeue", (False, False, False, False)),
    ("consumer_timeout", (1_800_000,) * 4),
    ("consumer_timeout_cancels", (False, False, False, True)),
    ("quorum_delivery_limit", (None, None, 20, 20)),
    ("delivery_limit_checked", (False, True, True, True)),
    ("nack_counts_delivery", (True, True, True, False)),
    ("quorum_priorities", ("none", "none", "two-levels", "strict")),
    ("quorum_takeover_by_priority", (False, False, True, True)),
    ("quorum_relaxed_redeclare", (False, False, False, False)),
    ("stream_rejects", (False, False, True, True)),
    ("delayed_retry", (False, False, False, True)),
    ("last_death_headers", (False, True, True, True)),
    ("continues_client_x_death", (True, True, False, False)),
    ("keeps_cc_with_dlrk", (False, True, True, True)),
    ("access_texts_with_verb", (False, False, True, True)),
    ("passive_declare_needs_permission", (False, False, False, True)),
    (
        "unknown_exchange_type_error",
        (CommandInvalid, CommandInvalid, PreconditionFailed, PreconditionFailed),
    ),
]


@pytest.mark.parametrize(("field", "values"), DIFFERENCES)
def test_the_versions_differ_as_the_semantics_page_says(
    field: str, values: tuple[object, ...]
) -> None:
    assert row(field) == values


def test_a_profile_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        get_profile().version = "5"  # type: ignore[misc]  # frozen is the point


def test_every_rule_that_differs_is_in_the_table_above() -> None:
    shown = {"name", "product", "version"}
    shown |= {field for field, _ in DIFFERENCES}
    assert {field.name for field in fields(get_profile())} == shown
