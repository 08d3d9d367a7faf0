"""From a consumer's arguments to its settings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from minibroker.arguments import ConsumerSettings, parse_consumer
from minibroker.errors import PreconditionFailed

if TYPE_CHECKING:
    from minibroker.arguments import QueueKind
    from minibroker.fields import FieldValue


def refusal(key: str, value: FieldValue, kind: QueueKind | None = None) -> str:
    with pytest.raises(PreconditionFailed) as caught:
        parse_consumer({key: value}, "q", "/", kind)
    return str(caught.value)


@pytest.mark.parametrize("arguments", [None, {}, {"x-mine": [1]}])
def test_a_consumer_without_arguments_has_the_defaults(
    arguments: dict[str, FieldValue] | None,
) -> None:
    assert parse_consumer(arguments, "q") == ConsumerSettings(0, None, None)


@pytest.mark.semantics(80)
@pytest.mark.parametrize("priority", [10, -10, 0, 2**40])
def test_a_priority_is_any_integer(priority: int) -> None:
    assert parse_consumer({"x-priority": priority}, "q").priority == priority


@pytest.mark.parametrize(
    ("value", "name"),
    [("1", "longstr"), ({}, "table"), ([], "array"), (None, "void"), (1.0, "double"),
     (True, "bool")],
)  # fmt: skip
def test_a_priority_of_another_type_is_refused(value: FieldValue, name: str) -> None:
    assert refusal("x-priority", value) == (
        f"invalid arg 'x-priority' for queue 'q' in vhost '/': \"expected integer, got {name}\""
    )


@pytest.mark.semantics(87)
def test_a_consumer_may_have_a_timeout_of_its_own() -> None:
    assert parse_consumer({"x-consumer-timeout": 60_000}, "q").timeout == 60_000
    assert refusal("x-consumer-timeout", -1).endswith("{value_negative,-1}")
    assert refusal("x-consumer-timeout", "1").endswith('"expected integer, got longstr"')


@pytest.mark.parametrize(
    ("value", "offset"),
    [
        ("first", "first"),
        ("last", "last"),
        ("next", "next"),
        (0, 0),
        (5_000, 5_000),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
        ("1h", timedelta(hours=1)),
        ("7D", timedelta(days=7)),
    ],
)
def test_a_stream_is_read_from_a_name_a_number_a_time_or_so_long_ago(
    value: FieldValue, offset: object
) -> None:
    settings = parse_consumer({"x-stream-offset": value}, "q", "/", "stream")
    assert settings.stream_offset == offset


@pytest.mark.parametrize(
    ("value", "term"),
    [
        ("soon", '{longstr,<<"soon">>}'),
        (True, "{bool,true}"),
        (1.5, "{double,1.5}"),
        (None, "{void,undefined}"),
        ([1], "{array,[{signedint,1}]}"),
    ],
)
def test_another_offset_of_a_stream_is_refused(value: FieldValue, term: str) -> None:
    assert refusal("x-stream-offset", value, "stream") == (
        "invalid arg 'x-stream-offset' for queue 'q' in vhost '/': "
        f"{{invalid_stream_offset_arg,{term}}}"
    )


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("stream", "x-priority", 1),
        ("classic", "x-stream-offset", "first"),
        ("quorum", "x-stream-offset", "nonsense"),
        ("quorum", "x-cancel-on-ha-failover", True),
    ],
)
def test_an_argument_for_another_kind_of_queue_is_refused(
    kind: QueueKind, key: str, value: FieldValue
) -> None:
    assert refusal(key, value, kind) == (
        f"invalid arg '{key}' for queue 'q' in vhost '/' of queue type rabbit_{kind}_queue"
    )


def test_settings_of_another_virtual_host_say_so() -> None:
    with pytest.raises(PreconditionFailed, match="queue 'q' in vhost 'v'"):
        parse_consumer({"x-priority": "1"}, "q", "v")
