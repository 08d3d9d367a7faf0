"""What is in a log, record by record, as values that JSON can have. Changes nothing."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from ..journal import checkpoint, facts, kinds
from ..journal.facts import NUMBER, numbers
from ..journal.messages import decode
from ..properties import FIELDS
from ..wire.amqp import decode_table
from .entries import places_of
from .reading import NONSENSE, Hole
from .salvage import checkpoint_items, position_of
from .survey import Survey, newest_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..store import FileSystem
    from .reading import Record

__all__ = ["BODY_BYTES", "dump"]

BODY_BYTES = 64
"""Bytes of a body that are shown."""
Shown = dict[str, Any]

KINDS = {number: name.lower() for name, number in vars(kinds).items() if isinstance(number, int)}

FIELDS_OF = {
    kinds.RETURNED: ("place", "rows"),
    kinds.STREAM: ("place", "first", "size"),
    kinds.VHOST_ADDED: ("name",),
    kinds.VHOST_REMOVED: ("name",),
    kinds.EXCHANGE_ADDED: (
        "vhost",
        "name",
        "type",
        "auto_delete",
        "internal",
        "arguments",
        "place",
    ),
    kinds.EXCHANGE_REMOVED: ("vhost", "name"),
    kinds.QUEUE_ADDED: (
        "place",
        "vhost",
        "name",
        "auto_delete",
        "server_named",
        "type",
        "by_priority",
        "arguments",
    ),
    kinds.QUEUE_REMOVED: ("place",),
    kinds.BOUND: ("vhost", "source", "to_queue", "destination", "routing_key", "arguments"),
    kinds.UNBOUND: ("vhost", "source", "to_queue", "destination", "routing_key", "arguments"),
    kinds.USER_ADDED: ("name", "tags", "connections"),
    kinds.PASSWORD_SET: ("user", "hash"),
    kinds.USER_REMOVED: ("name",),
    kinds.PERMISSIONS_CLEARED: ("user", "vhost"),
    kinds.PERMISSIONS_SET: ("user", "vhost", "permissions", "topics"),
    kinds.POLICY_SET: (
        "vhost",
        "name",
        "operator",
        "pattern",
        "definition",
        "priority",
        "apply_to",
    ),
    kinds.POLICY_REMOVED: ("vhost", "name", "operator"),
    kinds.LIMITS_SET: ("vhost", "queues", "exchanges", "connections"),
    kinds.NEXT_PLACE: ("place",),
    kinds.PLACE: ("place", "last_seq", "expiring", "first", "size", "rows"),
}
"""The names of what is in the records that are MessagePack."""
TABLES = {"arguments", "definition"}
ROW = ("old_seq", "seq", "position", "share", "deliveries", "acquired", "due", "to_the_tail")


def dump(
    files: FileSystem, *, everything: bool = False, body_bytes: int = BODY_BYTES
) -> Iterator[Shown]:
    """The records of the newest checkpoint, and those of the log from there on.

    With `everything` those of all checkpoints and of the whole log. Goes on behind damage with an
    item that says which bytes were skipped. Raises LogVersionUnknown and OSError.
    """
    names = checkpoint.find(files)
    since = position_of(names[0]) if names else 0
    for name in reversed(names) if everything else names[:1]:
        for item in checkpoint_items(files, name):
            yield _skipped(item) if isinstance(item, Hole) else _shown(item, body_bytes)
    survey = Survey(files, since, newest_identity(files))
    for problem in survey.problems:
        yield {"file": problem.file, "offset": problem.offset, "damaged": problem.what}
    start = 0 if everything else since
    for item in survey.items(start):
        if isinstance(item, Hole):
            yield _skipped(item)
        elif item.position >= start:
            yield _shown(item, body_bytes)


def _skipped(hole: Hole) -> Shown:
    return {
        "file": hole.file,
        "offset": hole.start,
        "damaged": hole.what,
        "skipped": hole.end - hole.start,
    }


def _shown(item: Record, body_bytes: int) -> Shown:
    found: Shown = {"file": item.file, "offset": item.offset}
    if item.position:
        found["position"] = item.position
    found["kind"] = KINDS.get(item.kind, item.kind)
    try:
        found.update(_fields(item, body_bytes))
    except NONSENSE as error:
        found["damaged"] = f"the record makes no sense: {error}"
        found["payload"] = item.payload[:body_bytes]
    return {key: _plain(value) for key, value in found.items()}


def _fields(item: Record, body_bytes: int) -> Shown:
    special = SPECIAL.get(item.kind)
    if special is not None:
        return special(item.payload)
    if item.kind == kinds.MESSAGE:
        return _message(item, body_bytes)
    names = FIELDS_OF.get(item.kind)
    if names is None:
        raise ValueError(f"unknown kind of record: {item.kind}")
    found: Shown = dict(zip(names, facts.unpack(item.payload), strict=True))
    for name in TABLES & found.keys():
        found[name] = decode_table(found[name])[0]
    if "rows" in found:
        found["rows"] = [dict(zip(ROW, row, strict=True)) for row in found["rows"]]
    return found


def _message(item: Record, body_bytes: int) -> Shown:
    places = places_of(item.payload)
    message = decode(item.payload, item.position, places[0][1]).message
    properties = message.properties
    return {
        "exchange": message.exchange,
        "routing_key": message.routing_key,
        "properties": {
            name: value for name in FIELDS if (value := getattr(properties, name)) is not None
        },
        "places": [
            {"place": number, "seq": seq, "time": time or None} for _, number, seq, time in places
        ],
        "deaths": [
            {"queue": death.queue, "reason": death.reason, "count": death.count}
            for death in message.deaths
        ],
        "body": message.body[:body_bytes],
        "size": len(message.body),
    }


def _seqs(payload: bytes) -> Shown:
    number = NUMBER.unpack_from(payload)[0]
    return {"place": number, "seqs": numbers(payload, NUMBER.size).tolist()}


def _pages(payload: bytes) -> Shown:
    number, priority = NUMBER.unpack_from(payload)[0], NUMBER.unpack_from(payload, 4)[0]
    pages = [
        {
            "seqs": [first, first + count - 1] if seqs is None else numbers(seqs).tolist(),
            "positions": numbers(positions).tolist(),
            "weight": weight,
        }
        for first, count, weight, seqs, positions in facts.unpack(payload[2 * NUMBER.size :])
    ]
    return {"place": number, "priority": priority, "pages": pages}


def _loose(payload: bytes) -> Shown:
    number, priority = NUMBER.unpack_from(payload)[0], NUMBER.unpack_from(payload, 4)[0]
    values = numbers(payload, 2 * NUMBER.size).tolist()
    third = len(values) // 3
    return {
        "place": number,
        "priority": priority,
        "seqs": values[:third],
        "positions": values[third : 2 * third],
        "shares": values[2 * third :],
    }


SPECIAL: dict[int, Callable[[bytes], Shown]] = {
    kinds.SETTLED: _seqs,
    kinds.DELIVERED: _seqs,
    kinds.PAGES: _pages,
    kinds.LOOSE: _loose,
}
"""Records that are not MessagePack, besides messages."""


def _plain(value: Any) -> Any:
    """As JSON can have it: bytes in base64, times and other numbers as text."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value)
