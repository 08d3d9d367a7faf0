"""AMQP's properties in the terms of MQTT 5, and back. Knows no connection, and not paho.

What MQTT has no field for travels as user properties: headers by their own names, properties by
those in `NAMED`. Source: MQTT 5 section 3.3.2.3 (PUBLISH properties).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from typing import Any

from ..transforms import HOPS
from .topics import key_of, topic_of

__all__ = ["CORRELATION", "NAMED", "RETAINED", "Values", "is_retained", "received", "sent"]

NAMED = {
    "content_encoding": "amqp-content-encoding", "delivery_mode": "amqp-delivery-mode",
    "priority": "amqp-priority", "message_id": "amqp-message-id", "timestamp": "amqp-timestamp",
    "type": "amqp-type", "app_id": "amqp-app-id",
}  # fmt: skip
"""What properties are called as user properties."""
_PROPERTY = {called: name for name, called in NAMED.items()}
RETAINED = "x-mqtt-retain"
"""The header that says that the server is to keep a message for later subscribers, or has."""
CORRELATION = "x-mqtt-correlation-data"
"""The header with correlation data that is no text: bytes."""
LONGEST = 65535
FOREVER = 2**32 - 1
_NUMBERS = {"delivery_mode", "priority", "timestamp"}
TRANSIENT, PERSISTENT = 1, 2


@dataclass(frozen=True, slots=True)
class Values:
    """The properties of a message."""

    content_type: str | None = None
    content_encoding: str | None = None
    headers: Mapping[str, Any] | None = None
    delivery_mode: int | None = None
    priority: int | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    expiration: str | None = None
    message_id: str | None = None
    timestamp: datetime | int | None = None
    type: str | None = None
    user_id: str | None = None
    app_id: str | None = None


def is_retained(values: Values) -> bool:
    """Whether the headers ask for a message to be kept by the server."""
    return (values.headers or {}).get(RETAINED) in {True, "true"}


def sent(values: Values, prefix: str = "") -> dict[str, Any]:
    """The properties of a PUBLISH by paho's names; `ValueError` for what MQTT cannot carry."""
    properties: dict[str, Any] = {}
    if values.content_type is not None:
        properties["ContentType"] = _checked(values.content_type)
    if values.reply_to:
        properties["ResponseTopic"] = topic_of(values.reply_to, prefix)
    if values.correlation_id is not None:
        properties["CorrelationData"] = _checked(values.correlation_id).encode()
    if values.expiration is not None:
        properties["MessageExpiryInterval"] = min(ceil(int(values.expiration) / 1000), FOREVER)
    users = _named(values)
    for name, value in (values.headers or {}).items():
        if name == CORRELATION and isinstance(value, bytes):
            properties["CorrelationData"] = value
        elif name != RETAINED:
            users += [(_checked(name), _checked(text)) for text in _texts(value)]
    if users:
        properties["UserProperty"] = users
    return properties


def _named(values: Values) -> list[tuple[str, str]]:
    """The properties that MQTT has no field for."""
    users = []
    for name, called in NAMED.items():
        value = getattr(values, name)
        if isinstance(value, datetime):
            value = int(value.timestamp())
        if value is not None:
            users.append((called, _checked(str(value))))
    return users


def received(properties: Any, qos: int, retain: bool, prefix: str = "") -> Values:
    """What paho made of a PUBLISH's properties (None: there are none), in AMQP's terms."""
    values: dict[str, Any] = {"delivery_mode": PERSISTENT if qos else TRANSIENT}
    headers: dict[str, Any] = {}
    for name, text in getattr(properties, "UserProperty", ()):
        value = _property(name, text)
        if value is not None:
            values[_PROPERTY[name]] = value
        elif name not in headers:
            headers[name] = [text] if name == HOPS else text
        elif isinstance(headers[name], list):
            headers[name].append(text)
        else:
            headers[name] = [headers[name], text]
    values["content_type"] = getattr(properties, "ContentType", None)
    topic = getattr(properties, "ResponseTopic", None)
    values["reply_to"] = None if topic is None else key_of(topic, prefix)
    seconds = getattr(properties, "MessageExpiryInterval", None)
    values["expiration"] = None if seconds is None else str(1000 * seconds)
    correlation = getattr(properties, "CorrelationData", None)
    if correlation is not None:
        try:
            values["correlation_id"] = bytes(correlation).decode()
        except UnicodeDecodeError:
            headers[CORRELATION] = bytes(correlation)
    if retain:
        headers[RETAINED] = True
    return Values(**values, headers=headers or None)


def _property(name: str, text: str) -> Any:
    """The value of a property among the user properties; None for what is a header."""
    if name not in _PROPERTY:
        return None
    if _PROPERTY[name] not in _NUMBERS:
        return text
    if not (text.isascii() and text.isdecimal()):
        return None
    number = int(text)
    if _PROPERTY[name] != "timestamp":
        return number if number < 256 else None
    try:
        return datetime.fromtimestamp(number, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _texts(value: object) -> list[str]:
    """A header as one text, or several of the same name for a list."""
    if not isinstance(value, (list, tuple)) or not value:
        return [_text(value)]
    if any(isinstance(each, (list, tuple, Mapping)) for each in value):
        return [_text(value)]
    return [_text(each) for each in value]


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value, default=_text)
    raise TypeError(f"a header of MQTT cannot be {value!r}")


def _checked(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"{text!r}: a text of MQTT cannot have a null character")
    if len(text.encode()) > LONGEST:
        raise ValueError(f"{text[:40]!r}…: a text of MQTT has at most {LONGEST} bytes")
    return text
