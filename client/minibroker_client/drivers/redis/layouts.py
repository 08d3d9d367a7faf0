"""How a queue lies in Redis. Knows the keys and what lies under them, and runs no command itself.

A stream with one consumer group is the default: it is the fastest, and `redis-cli` shows it. A
sorted set keeps priorities and the exact order, also of what was given back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

import msgpack

from ...remote.driver import Leased
from ...remote.fields import foreign, message_of, texts_of
from .scripts import SORTED, STREAM

if TYPE_CHECKING:
    from ...remote.driver import Outgoing, QueueInfo

__all__ = ["Layout", "SortedLayout", "StreamLayout", "layout_of"]

GROUP = "minibroker"


def layout_of(queue: QueueInfo, prefix: str) -> Layout:
    """The layout that a queue's arguments ask for.

    `x-max-priority` asks for sorted sets, and so does `x-redis-layout` "sorted"; ValueError for
    another value of that than "stream".
    """
    asked = queue.arguments.get("x-redis-layout")
    if asked not in {None, "stream", "sorted"}:
        raise ValueError(
            f"queue {queue.name!r}: x-redis-layout is 'stream' or 'sorted', not {asked!r}"
        )
    highest = queue.arguments.get("x-max-priority")
    if highest is not None or asked == "sorted":
        return SortedLayout(queue.name, prefix, highest or 0)
    return StreamLayout(queue.name, prefix)


class Layout:
    """One queue. `scripts` has its steps by name."""

    scripts: ClassVar[dict[str, str]]
    parts: ClassVar[tuple[str, ...]]

    def __init__(self, queue: str, prefix: str) -> None:
        self.queue = queue
        # The braces keep all keys of a queue in one slot of a cluster.
        base = f"{prefix}:{{{queue}}}"
        self.keys = [base + part for part in self.parts]
        self.counters = [f"{self.keys[0]}:held-ids", f"{self.keys[0]}:seq"]

    def put(self, outgoing: Outgoing) -> tuple[str | None, list[Any]]:
        """A step and its arguments; without a step they are a command."""
        raise NotImplementedError

    def leased(self, row: Any, consumer: str) -> Leased:
        """What `take` answered for one message."""
        raise NotImplementedError


class StreamLayout(Layout):
    """A stream with one group; pending entries are leases."""

    scripts = STREAM
    parts = ("", ":returned", ":delayed", ":held", ":wake")

    def put(self, outgoing: Outgoing) -> tuple[str | None, list[Any]]:
        """XADD, or a hash and a sorted set until it is due."""
        fields = _fields(outgoing)
        if outgoing.delay:
            pairs = [part for pair in fields.items() for part in pair]
            return "hold", [outgoing.delay, msgpack.packb(pairs, use_bin_type=False)]
        command: list[str | bytes] = ["XADD", self.keys[0], "*"]
        for pair in fields.items():
            command += pair
        return None, command

    def leased(self, row: Any, consumer: str) -> Leased:
        """An entry: its id, fields, and how often it was handed out."""
        entry, fields, count = row
        found = dict(zip(fields[::2], fields[1::2], strict=True))
        token = (entry, f"{consumer}:{count + 1}".encode())
        return _leased(self.queue, token, found, count)


class SortedLayout(Layout):
    """Sorted sets of what is ready and leased, and a hash of bodies."""

    scripts = SORTED
    parts = (":ready", ":leases", ":delayed", ":bodies", ":scores", ":counts", ":owners", ":wake")

    def __init__(self, queue: str, prefix: str, highest: int) -> None:
        super().__init__(queue, prefix)
        self.highest = highest

    def put(self, outgoing: Outgoing) -> tuple[str | None, list[Any]]:
        """By its priority, and behind those that have the same."""
        priority = min(outgoing.message.properties.priority or 0, self.highest)
        fields = {name.encode(): value for name, value in _fields(outgoing).items()}
        return "put", [outgoing.delay, priority, msgpack.packb(fields)]

    def leased(self, row: Any, consumer: str) -> Leased:
        """A message: its number, packed fields, count, and who has it."""
        number, packed, count, owner = row
        found = msgpack.unpackb(packed, raw=True)
        return _leased(self.queue, (number, owner), found, count)


def _fields(outgoing: Outgoing) -> dict[str, str | bytes]:
    fields: dict[str, str | bytes] = {"body": outgoing.message.body, **texts_of(outgoing.message)}
    if outgoing.expires is not None:
        fields["expires"] = str(outgoing.expires)
    return fields


def _leased(queue: str, token: Any, found: dict[bytes, bytes], count: int) -> Leased:
    body = found.pop(b"body", None)
    if body is None:  # of another program
        texts = {_text(name): _text(value) for name, value in found.items()}
        message = foreign(json.dumps(texts).encode(), queue, "application/json")
        return Leased(queue, token, message, count)
    texts = {_text(name): _text(value) for name, value in found.items()}
    expires = texts.pop("expires", None)
    due = int(expires) if expires is not None and expires.isdecimal() else None
    return Leased(queue, token, message_of(texts, body, queue), count, due)


def _text(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
