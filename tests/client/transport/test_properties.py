from __future__ import annotations

from datetime import UTC, datetime

import pytest

from minibroker.fields import FarTimestamp
from minibroker_client.transport.properties import checked_record, record_of


def test_a_timestamp_may_be_seconds() -> None:
    when = datetime(2020, 1, 1, tzinfo=UTC)
    assert record_of({"timestamp": when.timestamp()}).timestamp == when
    assert record_of({"timestamp": when}).timestamp == when
    assert record_of({"timestamp": 1_600_000_000_000}).timestamp == FarTimestamp(1_600_000_000_000)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(TypeError, match="colour"):
        record_of({"colour": 1})


def test_what_amqp_cannot_carry_is_refused_by_name() -> None:
    assert checked_record({"priority": 5}).encoded == b"\x08\x00\x05"
    with pytest.raises(ValueError, match="'priority'"):
        checked_record({"priority": 256})
