"""The record of properties that is published by MiniBroker's own codecs. Knows no transport."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from minibroker.fields import FarTimestamp
from minibroker.properties import Properties
from minibroker.wire.amqp import encode_properties

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["checked_record", "record_of"]


def record_of(values: Mapping[str, Any]) -> Properties:
    """The broker's own record; a `timestamp` may also be seconds since the epoch.

    `TypeError` for a name that is no property.
    """
    timestamp = values.get("timestamp")
    if not isinstance(timestamp, (int, float)):
        return Properties(**values)
    when: datetime | FarTimestamp
    try:
        when = datetime.fromtimestamp(int(timestamp), UTC)
    except (OverflowError, ValueError):  # such as milliseconds, taken for seconds
        when = FarTimestamp(timestamp)
    return Properties(**{**values, "timestamp": when})


def checked_record(values: Mapping[str, Any]) -> Properties:
    """The same, of values that AMQP can carry; `TypeError` or `ValueError` names another."""
    record = record_of(values)
    record.encoded = encode_properties(record)
    return record
