"""A message as texts by name, for systems that have named fields or headers: and back.

The names are those of AMQP's properties, with `exchange`, `routing_key` and, where the system does
not keep it, `expires`; `headers` is one JSON object. What is absent has no field. So that other
programs can read and write them, nothing is packed and no field is needed.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from minibroker.fields import FarTimestamp
from minibroker.message import Message
from minibroker.properties import PLAIN, Properties

from ..serialization import typed_json

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NUMBERS", "TEXTS", "foreign", "message_of", "texts_of"]

logger = logging.getLogger(__name__)
TEXTS = (
    "content_type", "content_encoding", "correlation_id", "reply_to", "expiration", "message_id",
    "type", "user_id", "app_id",
)  # fmt: skip
NUMBERS = ("delivery_mode", "priority")


def texts_of(message: Message) -> dict[str, str]:
    """The fields of a message, but not its body."""
    fields: dict[str, str] = {}
    if message.exchange:
        fields["exchange"] = message.exchange
    fields["routing_key"] = message.routing_key
    properties = message.properties
    for name in TEXTS:
        value = getattr(properties, name)
        if value is not None:
            fields[name] = value
    for name in NUMBERS:
        value = getattr(properties, name)
        if value is not None:
            fields[name] = str(value)
    if properties.timestamp is not None:
        fields["timestamp"] = str(_seconds(properties.timestamp))
    if properties.headers:
        fields["headers"] = typed_json.encode(properties.headers)
    return fields


def _seconds(timestamp: Any) -> int:
    return int(timestamp.timestamp() if isinstance(timestamp, datetime) else timestamp)


def message_of(fields: Mapping[str, str], body: bytes, queue: str) -> Message:
    """The message of such fields; `queue` is where it was found.

    What another program wrote there and is not readable is left out, with a warning.
    """
    values: dict[str, Any] = {name: fields[name] for name in TEXTS if name in fields}
    for name in (*NUMBERS, "timestamp", "headers"):
        if name in fields:
            try:
                values[name] = _READ[name](fields[name])
            except (ValueError, TypeError, OverflowError) as error:
                text = "queue %r: a message has an unreadable %s %r: %s"
                logger.warning(text, queue, name, fields[name], error)
    properties = Properties(**values) if values else PLAIN
    return Message(fields.get("exchange", ""), fields.get("routing_key", queue), properties, body)


def _number(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 255:
        raise ValueError("out of range")
    return number


def _timestamp(text: str) -> datetime | FarTimestamp:
    seconds = int(text)
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError):
        return FarTimestamp(seconds)


def _headers(text: str) -> dict[str, Any]:
    headers = typed_json.decode(text)
    if not isinstance(headers, dict):
        raise ValueError("not an object")
    return headers


_READ: dict[str, Any] = {
    "delivery_mode": _number,
    "priority": _number,
    "timestamp": _timestamp,
    "headers": _headers,
}


def foreign(body: bytes, queue: str, content_type: str | None, **values: Any) -> Message:
    """A message that another program put into a queue."""
    properties = Properties(content_type=content_type, **values)
    return Message("", queue, properties, body)
