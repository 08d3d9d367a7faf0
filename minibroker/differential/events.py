"""What came from a server, as JSON that two servers can be compared by. Knows no connection.

Left out is only what differs between two runs on one server: the time of a death. Names are made
symbols by `Names`, delivery tags by `ChannelView`.
"""

from __future__ import annotations

from hashlib import sha256

from ..wire.amqp import spec
from .typed import Json, decode_properties

__all__ = ["as_event", "method_called", "name_of", "reply_of"]

SHOWN = 100
"""Bytes of a body that are kept; a longer one is known by its length and its hash."""

_NAMES = {record: spec.method_name(*ids) for ids, record in spec.BY_ID.items()}
_RECORDS = {name: record for record, name in _NAMES.items()}


def name_of(method: spec.MethodRecord) -> str:
    """Such as "queue.declare-ok"."""
    return _NAMES[type(method)]


def method_called(name: str) -> type[spec.MethodRecord]:
    """The record of that name. Raises ValueError if there is none."""
    try:
        return _RECORDS[name]
    except KeyError:
        raise ValueError(f"no method {name!r}") from None


def reply_of(name: str) -> str | None:
    """The name of the method that answers a method; None if nothing does."""
    return f"{name}-ok" if f"{name}-ok" in _RECORDS else None


def as_event(method: spec.MethodRecord, properties: bytes = b"", body: bytes = b"") -> Json:
    """A method with its fields, and with its content if it has one."""
    event: Json = {"method": name_of(method)}
    for name, value in zip(getattr(method, "_fields", ()), method, strict=True):
        event[name] = value
    if isinstance(method, spec.ChannelClose | spec.ConnectionClose):
        ids = event.pop("class_id"), event.pop("method_id")
        event["failed"] = spec.method_name(*ids)
    if properties:
        event["properties"] = _readable(properties)
        event["body"] = _shortened(body)
    return event


def _readable(encoded: bytes) -> Json:
    properties = decode_properties(encoded)
    headers = properties.get("headers", [])
    for field in headers:
        if field[0] == "x-death":
            field[1] = _timeless(field[1])
    return properties


def _timeless(typed: Json) -> Json:
    """The history of a message without the seconds at which it died."""
    letter, deaths = typed
    if letter != "A":
        return typed
    return [letter, [[kind, _without_time(death)] for kind, death in deaths]]


def _without_time(death: Json) -> Json:
    if not isinstance(death, list):
        return death
    return [
        ["time", "<time>"] if name == "time" and value[0] == "T" else [name, value]
        for name, value in death
    ]


def _shortened(body: bytes) -> str:
    text = body[:SHOWN].decode("utf-8", "surrogateescape")
    if len(body) <= SHOWN:
        return text
    return f"{text}... ({len(body)} bytes, sha256 {sha256(body).hexdigest()[:16]})"
