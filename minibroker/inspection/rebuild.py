"""A new log from a state: what is left of each place, and the messages, copied out of the old log.

Everything is written under temporary names. Knows nothing of how the state came about.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING

from ..journal import checkpoint, facts, kinds
from ..journal.messages import PLACE
from ..store import FRAME_HEADER, SEGMENT_SIZE, TEMPORARY, Log, record
from .entries import contents, places_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..journal.facts import Fact
    from ..journal.state import PlaceState, State
    from ..store import File, FileSystem

__all__ = ["Left", "left_of", "rebuild"]

FRAME = 1 << 20
"""Bytes of records in one frame, about."""
TOGETHER = 64
"""Messages that are read at a time."""
AT_ONCE = 1 << 16
"""Entries in one record of the checkpoint."""


@dataclass(slots=True)
class Left:
    """What is left of one place."""

    entries: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    """Number, position and share, by priority."""
    rows: list[int] = field(default_factory=list)
    """The numbers of those that came back to a quorum queue."""
    size: int = 0
    """Bytes of the bodies."""
    lost: int = 0
    """How many entries cannot be read."""
    moved: int = 0
    """How many offsets of a stream had to move up, so that there is no gap among them."""


def left_of(state: State, log: Log) -> dict[int, Left]:
    """What can be read of each place, by its number. Raises OSError."""
    found: dict[int, Left] = {}
    for number, place in state.places.items():
        left = found[number] = Left()
        for content in contents(number, place, log):
            if content.problem is not None:
                left.lost += 1
            elif content.is_row:
                left.rows.append(content.seq)
            else:
                left.size += content.size
                entry = content.seq, content.position, content.share
                # Without a priority is as with the lowest one, in every kind of queue.
                left.entries.setdefault(max(content.level, 0), []).append(entry)
            place.expiring |= content.time > 0
        for entries in left.entries.values():
            entries.sort()
            # Known already, unless the record that says so is lost.
            place.last_seq = max(place.last_seq, entries[-1][0])
        if place.is_stream:
            left.moved = _missing(place, left)
    return found


def _missing(place: PlaceState, left: Left) -> int:
    """How many offsets have to move up: those below the last gap."""
    entries = left.entries.get(0, [])
    for number, (seq, _, _) in enumerate(reversed(entries)):
        if seq != place.last_seq - number:
            return len(entries) - number
    return 0


def _positions(state: State, left: dict[int, Left]) -> array[int]:
    """Where the messages are that somebody needs, in ascending order."""
    found: set[int] = set()
    for number, each in left.items():
        for entries in each.entries.values():
            found.update(position for _, position, _ in entries)
        rows = state.places[number].rows
        found.update(rows[seq].position for seq in each.rows)
    return array("Q", sorted(found))


# -- writing


@dataclass(slots=True)
class Unnamed:
    """A file system in which every file has a temporary name, until it is renamed below."""

    files: FileSystem

    def list(self) -> dict[str, int]:
        """See `FileSystem`."""
        found = self.files.list().items()
        return {
            name.removesuffix(TEMPORARY): size for name, size in found if name.endswith(TEMPORARY)
        }

    def open(self, name: str) -> File:
        """See `FileSystem`."""
        return self.files.open(name + TEMPORARY)

    def create(self, name: str) -> File:
        """See `FileSystem`."""
        return self.files.create(name + TEMPORARY)

    def rename(self, old: str, new: str) -> None:
        """See `FileSystem`."""
        self.files.rename(old + TEMPORARY, new + TEMPORARY)

    def delete(self, name: str) -> None:
        """See `FileSystem`."""
        self.files.delete(name + TEMPORARY)


@dataclass(slots=True)
class Moved:
    """Where records are in the new log."""

    old: array[int]
    """In ascending order."""
    new: array[int] = field(default_factory=lambda: array("Q"))

    def __call__(self, position: int) -> int:
        """The new position of a record."""
        return self.new[bisect_left(self.old, position)]


def rebuild(
    state: State, left: dict[int, Left], old: Log, start: int, identity: bytes
) -> list[str]:
    """Write a log that begins at a position, and has a checkpoint, under temporary names.

    `old` is where the messages are. Gives the names that the files are to have: first segments, in
    order, then the checkpoint, which makes the log whole. Raises LogDamaged and OSError.
    """
    files = Unnamed(old.files)
    moved = Moved(_positions(state, left))
    offsets = {
        number: _new_offsets(state.places[number], each)
        for number, each in left.items()
        if each.moved
    }
    new = Log(files, identity, [], start, SEGMENT_SIZE)
    try:
        _copy_messages(old, new, moved, offsets)
        new.roll()
        names = [segment.name for segment in new.segments]
    finally:
        new.close()
    found = _facts(state, left, offsets, moved)
    checkpoint.write(files, new.end, identity, found)
    return [*names, checkpoint.checkpoint_name(new.end)]


def _new_offsets(place: PlaceState, left: Left) -> dict[int, int]:
    """The offsets of a stream that move, by what they were: without a gap up to the last one."""
    entries = left.entries.get(0, [])
    first = place.last_seq - len(entries) + 1
    return {entry[0]: first + number for number, entry in enumerate(entries[: left.moved])}


def _copy_messages(old: Log, new: Log, moved: Moved, offsets: dict[int, dict[int, int]]) -> None:
    parts: list[bytes] = []
    size = 0
    for first in range(0, len(moved.old), TOGETHER):
        for kind, payload in old.read(moved.old[first : first + TOGETHER]):
            encoded = record.encode(kind, _renumbered(payload, offsets) if offsets else payload)
            moved.new.append(new.end + FRAME_HEADER + size)
            parts.append(encoded)
            size += len(encoded)
        if size >= FRAME or first + TOGETHER >= len(moved.old):
            new.append(parts)
            new.sync()  # what is not synced is held in memory
            parts, size = [], 0


def _renumbered(payload: bytes, offsets: dict[int, dict[int, int]]) -> bytes:
    changed = bytearray(payload)
    for at, number, seq, time in places_of(payload):
        if number in offsets:
            PLACE.pack_into(changed, at, number, offsets[number].get(seq, seq), time)
    return bytes(changed)


# -- the checkpoint


def _facts(
    state: State, left: dict[int, Left], offsets: dict[int, dict[int, int]], moved: Moved
) -> Iterator[Fact]:
    """A state as `capture` gives the broker that it would fill."""
    yield facts.next_place(state.next_place)
    for name in state.vhosts:
        yield facts.vhost_added(name)
    for kind, several in (
        (kinds.LIMITS_SET, state.limits),
        (kinds.USER_ADDED, state.users),
        (kinds.PASSWORD_SET, state.passwords),
        (kinds.PERMISSIONS_SET, state.permissions),
        (kinds.POLICY_SET, state.policies),
        (kinds.EXCHANGE_ADDED, state.exchanges),
    ):
        for values in several.values():
            yield facts.as_read(kind, values)
    for queue in state.queues.values():
        yield facts.as_read(kinds.QUEUE_ADDED, astuple(queue))
    for key in state.bindings:
        yield facts.as_read(kinds.BOUND, key)
    for number, each in left.items():
        yield from _place(number, state.places[number], each, offsets.get(number, {}), moved)


def _place(
    number: int, place: PlaceState, left: Left, offsets: dict[int, int], moved: Moved
) -> Iterator[Fact]:
    rows: list[list[object]] = []
    for seq in left.rows:
        row = place.rows[seq]
        counts = row.share, row.deliveries, row.acquired, row.due, row.to_the_tail
        rows.append([0, seq, moved(row.position), *counts])
    first, count = place.first, sum(map(len, left.entries.values()))
    if place.is_stream and (count or left.lost):
        first = place.last_seq - count + 1
    size = left.size if place.is_stream else 0
    yield facts.place(number, place.last_seq, place.expiring, first, size, rows)
    there = set(left.rows)
    for priority, entries in left.entries.items():
        there.update(seq for seq, _, _ in entries)
        for start in range(0, len(entries), AT_ONCE):
            some = [
                (offsets.get(seq, seq), moved(position), share)
                for seq, position, share in entries[start : start + AT_ONCE]
            ]
            yield facts.loose(number, priority, some)
    delivered = sorted(place.delivered & there)
    if delivered:
        yield facts.delivered(number, array("Q", delivered))
