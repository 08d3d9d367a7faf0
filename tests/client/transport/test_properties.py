from __future__ import annotations

from datetime import UTC, datetime

import pytest

from minibroker.fields import FarTimestamp
from minibroker_client.transport.properties import record_of


def test_a_timestamp_may_be_seconds() -> None:
    when = datetime(2020, 1, 1, tzinfo=UTC)
    assert record_of({"timestamp": when.timestamp()}).timestamp == when
    assert record_of({"timestamp": when}).timestamp == when
    assert record_of({"timestamp": 1_600_000_000_000}).timestamp == FarTimestamp(1_600_000_000_000)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(TypeError, match="colour"):
        record_of({"colour": 1})
