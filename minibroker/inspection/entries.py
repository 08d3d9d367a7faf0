"""What is left in a place after replay, and whether the log has the message of each entry.

Reads the log by positions, as a broker does when it comes to an entry.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ..errors import LogDamaged
from ..journal import kinds
from ..journal.messages import FIXED, MARKED, MARKS, PLACE, decode
from .reading import NONSENSE, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..journal.state import PlaceState, State
    from ..store import Log

__all__ = ["Content", "contents", "name_of_place", "places_of", "positions_by_entry"]

TOGETHER = 256
"""Entries that are looked up at a time."""


class Content(NamedTuple):
    """An entry of a place, and what the log has of it."""

    level: int
    """Its priority, where the place keeps them apart."""
    seq: int
    position: int
    is_row: bool
    """Whether it is one that came back to a quorum queue."""
    share: int = 0
    """Bytes of its record, shared with other places."""
    size: int = 0
    """Bytes of its body."""
    time: int = 0
    """The third number of its place: see `messages.PLACE`."""
    problem: Problem | None = None
    """Why it cannot be read; None: it can."""


def contents(number: int, place: PlaceState, log: Log) -> Iterator[Content]:
    """The entries of a place that are not settled. Raises OSError."""
    entries = _left(place)
    while batch := list(islice(entries, TOGETHER)):
        batch.sort(key=_position)
        for content, found in zip(batch, _read(log, batch), strict=True):
            yield _judged(content, found, number, log)


def _position(content: Content) -> int:
    return content.position


def _left(place: PlaceState) -> Iterator[Content]:
    settled = place.settled
    for priority, level in place.levels.items():
        for page in level.pages:
            for seq, position in zip(page.seqs, page.positions, strict=True):
                if seq not in settled and seq >= place.first:
                    yield Content(priority, seq, position, is_row=False)
        for seq, position in zip(level.seqs, level.positions, strict=True):
            if seq not in settled and seq >= place.first:
                yield Content(priority, seq, position, is_row=False)
    for seq, row in place.rows.items():
        yield Content(0, seq, row.position, is_row=True)


def _read(log: Log, batch: list[Content]) -> list[tuple[int, bytes] | LogDamaged]:
    try:
        return list(log.read([content.position for content in batch]))
    except LogDamaged:
        return [_read_one(log, content.position) for content in batch]


def _read_one(log: Log, position: int) -> tuple[int, bytes] | LogDamaged:
    try:
        return log.read([position])[0]
    except LogDamaged as error:
        return error


def _judged(
    content: Content, found: tuple[int, bytes] | LogDamaged, number: int, log: Log
) -> Content:
    if isinstance(found, LogDamaged):
        return content._replace(problem=Problem(found.file, found.offset, found.what))
    kind, payload = found
    try:
        what = None if kind == kinds.MESSAGE else "the record is no message"
        if what is None:
            message, seq, time = decode(payload, content.position, number)
            content = content._replace(share=message.share, size=len(message.body), time=time)
            if seq != content.seq and not content.is_row:
                what = f"the message is number {seq} of its place, not {content.seq}"
    except NONSENSE as error:
        what = f"the record makes no sense: {error}"
    if what is None:
        return content
    segment = log.find(content.position)
    return content._replace(
        problem=Problem(segment.name, segment.offset(content.position) or 0, what)
    )


def positions_by_entry(state: State, base: int, end: int) -> dict[tuple[int, int], int]:
    """Where the messages are that entries need between two positions, by place and number."""
    return {
        (number, content.seq): content.position
        for number, place in state.places.items()
        for content in _left(place)
        if base <= content.position < end
    }


def places_of(payload: bytes) -> list[tuple[int, int, int, int]]:
    """Of the places of a message: where in the record it stands, number, seq and time.

    Raises struct.error for what is no message.
    """
    flags, _, exchange, key, places, header = FIXED.unpack_from(payload)
    at = FIXED.size + exchange + key + header
    if flags & MARKED:
        at += MARKS.size + int(MARKS.unpack_from(payload, at)[0])
    offsets = range(at, at + places * PLACE.size, PLACE.size)
    return [(offset, *PLACE.unpack_from(payload, offset)) for offset in offsets]


def name_of_place(state: State, number: int) -> str:
    """Whose place it is, in words."""
    queue = state.queues.get(number)
    if queue is not None:
        word = "stream" if queue.kind == "stream" else "queue"
        return f"{word} {queue.name!r} in vhost {queue.vhost!r}"
    for (vhost, name), values in state.exchanges.items():
        if values[-1] == number:
            return f"exchange {name!r} in vhost {vhost!r}"
    return f"place {number}, whose queue is not known"
