"""A message as Service Bus carries it: the sections of AMQP 1.0. Knows no link.

What AMQP 1.0 has itself is there: content type and encoding, correlation id, message id, reply-to
and the type as subject. Headers are application properties where these can say the same again:
texts, truth values, integers of 32 bits and floats. All other headers (tables, arrays, bytes,
times and so on) are one JSON object in the application property `x-minibroker-headers`; the rest
of AMQP 0-9-1 (exchange, routing key, priority and so on) is each one with that prefix.
Source: OASIS AMQP 1.0 part 3; azure-servicebus 7.15.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from ...remote.fields import message_of, texts_of
from ...serialization import typed_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minibroker.message import Message

    from ...remote.driver import Outgoing

__all__ = ["OWN", "Found", "found_in", "message_in", "queue_name"]

OWN = "x-minibroker-"
"""How the names of application properties of this client begin."""
NATIVE = ("content_type", "content_encoding", "correlation_id", "message_id", "reply_to")
"""Properties of the same name in AMQP 1.0."""
LONGEST_TEXT = 128
"""Characters of a property: longer ones are application properties (quotas of the service)."""
LONGEST_LIFE = 0xFFFF_FFFE
"""Milliseconds; one more means for ever."""
USUAL_PRIORITY = 4
"""What none means in AMQP 1.0."""
SCHEDULED = b"x-opt-scheduled-enqueue-time"
ENQUEUED = b"x-opt-enqueued-time"
VALID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,258}[A-Za-z0-9])?", re.ASCII)


class Found(NamedTuple):
    """What a received message says."""

    message: Message
    deliveries: int
    """How often it was handed out before."""
    expires: int | None
    """When it expires, in milliseconds since the epoch."""


def queue_name(name: str, prefix: str) -> str:
    """The name of a queue in Service Bus: 260 letters, digits and `._-/` at most.

    It begins and ends with a letter or digit. A name that does not fit is made to, with a part of
    its SHA-256 so that no two become one. The service takes upper and lower case for the same.
    """
    full = prefix + name
    if VALID.fullmatch(full) and "//" not in full:
        return full
    digest = hashlib.sha256(full.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    readable = re.sub(r"[^A-Za-z0-9-]", "-", full).strip("-").lower()
    return f"{readable[:200]}-{digest}" if readable else f"q-{digest}"


def message_in(outgoing: Outgoing, kind: Any, now: int, lives: bool, count: int = 0) -> Any:
    """The message to send, of `kind` (ServiceBusMessage).

    With `lives` the service itself lets it expire. `count` is how often it was handed out before,
    for one that is sent again.
    """
    texts = texts_of(outgoing.message)
    texts.pop("headers", None)
    fitting = [name for name in NATIVE if 0 < len(texts.get(name, "")) <= LONGEST_TEXT]
    native = {name: texts.pop(name) for name in fitting}
    subject = texts.pop("type", None)
    properties = _headers_out(outgoing.message.headers)
    properties |= {OWN + name: value for name, value in texts.items()}
    if count:
        properties[f"{OWN}count"] = str(count)
    if outgoing.expires is not None:
        properties[f"{OWN}expires"] = str(outgoing.expires)
    encoding = native.pop("content_encoding", None)
    made = kind(outgoing.message.body, application_properties=properties, subject=subject, **native)
    raw = made.raw_amqp_message
    raw.header.durable = True
    raw.header.priority = outgoing.message.properties.priority
    raw.properties.content_encoding = encoding
    raw.properties.message_id = native.get("message_id")  # it makes one up where none is given
    if lives and outgoing.expires is not None:
        # Not by `time_to_live`, which knows whole seconds only. The service counts from when a
        # scheduled message is due: that one lives longer there than whoever leases it allows.
        raw.header.time_to_live = min(max(outgoing.expires - now, 1), LONGEST_LIFE)
    if outgoing.delay:
        raw.annotations = {SCHEDULED.decode(): _timestamp(now + outgoing.delay)}
    return made


def _timestamp(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)


def _headers_out(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Headers as application properties."""
    properties: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name, value in headers.items():
        if name and not name.startswith(OWN) and _is_plain(value):
            properties[name] = value
        else:
            others[name] = value
    if others:
        properties[f"{OWN}headers"] = typed_json.encode(others)
    return properties


def _is_plain(value: Any) -> bool:
    """Whether an application property can carry a header so that it can be told what it was."""
    if type(value) is int:
        return -(1 << 31) <= value < 1 << 31
    return type(value) in {bool, str, float}


def found_in(received: Any, queue: str) -> Found:
    """What a received message (ServiceBusReceivedMessage) says; it may be another program's."""
    raw = received.raw_amqp_message
    given = {_text(name): value for name, value in (raw.application_properties or {}).items()}
    fields = {name[len(OWN) :]: _text(given.pop(name)) for name in list(given)
              if name.startswith(OWN)}  # fmt: skip
    headers = {name: _plain(value) for name, value in given.items()}
    headers |= _headers_in(fields.pop("headers", None))
    count = (raw.header.delivery_count or 0) if raw.header else 0
    count += _number(fields.pop("count", None)) or 0
    expires = _number(fields.pop("expires", None)) or _end_of(raw)
    _read_native(raw, fields)
    message = message_of(fields, _body_of(raw), queue)
    if headers:
        message.properties = message.properties.replace(headers=headers)
    return Found(message, count, expires)


def _read_native(raw: Any, fields: dict[str, str]) -> None:
    """Add what AMQP 1.0 has itself."""
    is_foreign = "routing_key" not in fields
    given = raw.properties
    if given is not None:
        for name in NATIVE:
            value = getattr(given, name)
            if value is not None:
                fields[name] = _text(value)
        if given.subject is not None:
            fields["type"] = _text(given.subject)
        if is_foreign and given.user_id is not None:
            fields["user_id"] = _text(given.user_id)
        if is_foreign and given.creation_time is not None:
            fields["timestamp"] = str(int(given.creation_time) // 1000)
    if is_foreign and raw.header and raw.header.priority not in {None, USUAL_PRIORITY}:
        fields["priority"] = str(raw.header.priority)


def _headers_in(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        found = typed_json.decode(text)
    except (ValueError, TypeError):
        found = None
    return found if isinstance(found, dict) else {f"{OWN}headers": text}


def _end_of(raw: Any) -> int | None:
    """When a message expires that says how long it lives."""
    life = raw.header.time_to_live if raw.header else None
    enqueued = (raw.annotations or {}).get(ENQUEUED)
    return None if not life or enqueued is None else int(enqueued) + int(life)


def _body_of(raw: Any) -> bytes:
    """The bytes of a body, of whatever kind; what is no bytes and no text becomes JSON."""
    kind = raw.body_type.value
    if kind == "data":
        return b"".join(raw.body)
    value = raw.body if kind == "value" else list(raw.body)
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode()
    return bytes(value) if isinstance(value, bytes) else json.dumps(_plain(value)).encode()


def _plain(value: Any) -> Any:
    """A value of AMQP 1.0 as one of a field table."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    if isinstance(value, dict):
        return {_text(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
