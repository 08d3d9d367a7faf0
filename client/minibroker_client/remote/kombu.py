"""Kombu's envelope: a message as one JSON text, as Kombu's virtual transports write and read it.

The text says `body` (base64), `content-type`, `content-encoding`, `headers` and `properties`; among
these are `delivery_info` (exchange and routing key) and `delivery_tag`, which is new for each copy.
What Kombu has no name for are properties that begin with `x-minibroker-`, which it passes over.
Source: kombu 5.7, `kombu.transport.virtual.base`, by running it.
"""

from __future__ import annotations

import base64
import json
import logging
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from minibroker.fields import FarTimestamp
from minibroker.message import Message
from minibroker.properties import Properties

from ..serialization import typed_json
from .fields import NUMBERS, TEXTS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Envelope", "envelope_in", "envelope_of", "is_asked_for", "message_of_envelope"]

logger = logging.getLogger(__name__)
EXPIRES = "x-minibroker-expires"
DUE = "x-minibroker-due"


class Envelope(NamedTuple):
    """What an envelope says."""

    message: Message
    expires: int | None = None
    """When it expires, in milliseconds since the epoch; Kombu itself does not say that."""
    due: int | None = None
    """When it may be handed out first, in the same way."""
    redelivered: bool = False
    """Whether a consumer of Kombu's had it, and it was given back."""


def is_asked_for(options: Mapping[str, Any]) -> bool:
    """Whether `envelope="kombu"` is among the transport options; ValueError for another value."""
    asked = options.get("envelope")
    if asked not in {None, "kombu"}:
        raise ValueError(f"envelope is 'kombu' or left out, not {asked!r}")
    return asked is not None


def envelope_of(message: Message, expires: int | None = None, due: int | None = None) -> str:
    """The envelope of a message; each call makes another one, to be put into one queue."""
    found = message.properties
    properties: dict[str, Any] = {
        name: value
        for name in (*TEXTS, *NUMBERS)
        if name not in {"content_type", "content_encoding"}
        and (value := getattr(found, name)) is not None
    }
    if found.timestamp is not None:
        properties["timestamp"] = _seconds(found.timestamp)
    properties["body_encoding"] = "base64"
    properties["delivery_tag"] = str(uuid.uuid4())
    properties["delivery_info"] = {
        "exchange": message.exchange,
        "routing_key": message.routing_key,
    }
    if expires is not None:
        properties[EXPIRES] = expires
    if due is not None:
        properties[DUE] = due
    return typed_json.encode(
        {
            "body": base64.b64encode(message.body).decode(),
            "content-encoding": found.content_encoding,
            "content-type": found.content_type,
            "headers": found.headers or {},
            "properties": properties,
        }
    )


def _seconds(timestamp: Any) -> int:
    return int(timestamp.timestamp() if isinstance(timestamp, datetime) else timestamp)


def message_of_envelope(text: str | bytes, queue: str) -> Message | None:
    """The message of an envelope that was found in a queue; None for any other text."""
    found = envelope_in(text, queue)
    return None if found is None else found.message


def envelope_in(text: str | bytes, queue: str) -> Envelope | None:
    """What an envelope says that was found in a queue; None for any other text.

    A property that is not readable is left out, with a warning.
    """
    found = _object(text)
    if found is None or "body" not in found or not isinstance(found.get("properties"), dict):
        return None
    given: dict[str, Any] = found["properties"]
    body = _body(found["body"], given.get("body_encoding"))
    information = given.get("delivery_info")
    if body is None or not isinstance(information, dict) or "delivery_tag" not in given:
        return None
    values = dict(_properties(given, queue))
    for name, key in (("content_type", "content-type"), ("content_encoding", "content-encoding")):
        if isinstance(found.get(key), str):
            values[name] = found[key]
    if isinstance(found.get("headers"), dict) and found["headers"]:
        values["headers"] = found["headers"]
    exchange, routing_key = information.get("exchange"), information.get("routing_key")
    message = Message(
        exchange if isinstance(exchange, str) else "",
        routing_key if isinstance(routing_key, str) else queue,
        Properties(**values),
        body,
    )
    redelivered = bool(information.get("redelivered") or found.get("redelivered"))
    return Envelope(message, _time(given.get(EXPIRES)), _time(given.get(DUE)), redelivered)


def _object(text: str | bytes) -> dict[str, Any] | None:
    try:
        written = text.decode() if isinstance(text, bytes) else text
    except UnicodeDecodeError:
        return None
    if not written.startswith("{"):
        return None
    try:
        found: Any = typed_json.decode(written)
    except (ValueError, TypeError, ArithmeticError, LookupError, RecursionError, AttributeError):
        try:  # with a type that is not known here, which only its reader needs to know
            found = json.loads(written)
        except (ValueError, RecursionError):
            return None
    return found if isinstance(found, dict) else None


def _body(body: Any, encoding: Any) -> bytes | None:
    """The bytes of a body; None where it is none of Kombu's."""
    if body is None:
        return b""
    if not isinstance(body, (str, bytes)):
        return None
    data = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    if encoding == "base64":
        try:
            return base64.b64decode(data)
        except ValueError:
            return None
    return data if encoding is None or str(encoding).lower() == "utf-8" else None


def _properties(given: Mapping[str, Any], queue: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in (*TEXTS, *NUMBERS, "timestamp"):
        value = given.get(name)
        if value is None:
            continue
        try:
            values[name] = _READ.get(name, _text)(value)
        except (ValueError, TypeError, OverflowError) as error:
            text = "queue %r: an envelope has an unreadable %s %r: %s"
            logger.warning(text, queue, name, value, error)
    return values


def _text(value: Any) -> str:
    if isinstance(value, (dict, list)):
        raise ValueError("not a text")
    return value.decode() if isinstance(value, bytes) else str(value)


def _number(value: Any) -> int:
    number = int(value)
    if not 0 <= number <= 255:
        raise ValueError("out of range")
    return number


def _timestamp(value: Any) -> datetime | FarTimestamp:
    if isinstance(value, datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    seconds = int(value)
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return FarTimestamp(seconds)


def _time(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


_READ: dict[str, Any] = {"delivery_mode": _number, "priority": _number, "timestamp": _timestamp}
