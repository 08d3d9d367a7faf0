"""Reading segments and checkpoints record by record, going on behind what is damaged.

What is whole is found by its checksums and by where it has to stand. Nothing is searched for
inside of bodies, where somebody may have published what looks like a record. Changes nothing, and
knows nothing of what records mean.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from zlib import crc32

from lz4.block import LZ4BlockError

from ..errors import LogDamaged, SyntaxInvalid
from ..store import FRAME_END, FRAME_HEADER, frame, record
from ..store.scan import BLOCK, Frames
from ..store.segment import HEADER_SIZE

if TYPE_CHECKING:
    from ..store import File, Segment

__all__ = ["NONSENSE", "Dense", "Hole", "Item", "Problem", "Record", "read_sparse", "records_of"]

NONSENSE = (ValueError, KeyError, TypeError, IndexError, struct.error, SyntaxInvalid, LZ4BlockError)
"""What is raised when the contents of a record are not what its kind says."""


class Problem(NamedTuple):
    """Something that is not what was written."""

    file: str
    offset: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}, offset {self.offset}: {self.what}"


class Record(NamedTuple):
    """A whole record. `position` is that in the log; in a checkpoint it is 0."""

    file: str
    offset: int
    position: int
    kind: int
    payload: bytes


class Hole(NamedTuple):
    """Bytes of a file that cannot be read, from `start` up to `end`."""

    file: str
    start: int
    end: int
    what: str
    kind: int = 0
    """What kind of record it seems to have been; 0: nobody knows."""
    payload: bytes = b""
    """What is there of its payload, of which some is wrong."""

    @property
    def problem(self) -> Problem:
        """As it is reported."""
        return Problem(self.file, self.start, self.what)


Item: TypeAlias = Record | Hole


# -- records that stand one behind the other


def records_of(data: bytes, file: str, offset: int, position: int, search: bool) -> Iterator[Item]:
    """The records that bytes consist of, which begin at an offset of a file.

    `position` is that of the first one in the log, 0 for a checkpoint. With `search` more of them
    are looked for behind damage that hides where the next one begins: for what has no bodies.
    """
    at = 0
    while at < len(data):
        found = _whole(data, at)
        end = at + record.HEADER_SIZE
        if found is None:
            end, found = _behind(data, at, search)
            what = "the record is damaged" if found is None else "the length of a record is damaged"
            kind = data[at + 8] if len(data) - at >= record.HEADER_SIZE else 0
            there = data[at + record.HEADER_SIZE : end]
            yield Hole(file, offset + at, offset + end, what, kind if found is None else 0, there)
        else:
            end += len(found[1])
        if found is not None:
            yield Record(file, offset + at, position and position + at, *found)
        at = end


def _whole(data: bytes, at: int) -> tuple[int, bytes] | None:
    found = record.parse(data, at)
    # Zeros have the checksum of a record of kind 0 without contents, which nobody ever wrote.
    return None if found is None or not found[0] else found


def _continues(data: bytes, at: int) -> bool:
    return at == len(data) or (at < len(data) and _whole(data, at) is not None)


def _behind(data: bytes, at: int, search: bool) -> tuple[int, tuple[int, bytes] | None]:
    """Where it goes on behind a damaged record; and the record, if only its length was wrong."""
    start = at + record.HEADER_SIZE
    if start > len(data):
        return len(data), None
    length, crc, kind = record.HEADER.unpack_from(data, at)
    if _continues(data, start + length):
        return start + length, None
    running = kind
    for end in range(start, len(data) + 1):
        if running == crc and end > start and _continues(data, end):
            return end, (kind, data[start:end])
        running = crc32(data[end : end + 1], running)
    if search:
        for end in range(at + 1, len(data)):
            if _whole(data, end) is not None and _leads_to_the_end(data, end):
                return end, None
    return len(data), None


def _leads_to_the_end(data: bytes, at: int) -> bool:
    while at < len(data):
        found = _whole(data, at)
        if found is None:
            return False
        at += record.HEADER_SIZE + len(found[1])
    return at == len(data)


# -- segments


def read_sparse(file: File, segment: Segment) -> Iterator[Item]:
    """The records of a sparse segment, as its index has them. Raises OSError."""
    assert segment.index is not None
    data = file.read(0, segment.size)
    for position, offset in zip(segment.index.positions, segment.index.offsets, strict=True):
        found = _whole(data, offset)
        if found is not None:
            yield Record(segment.name, offset, position, *found)
            continue
        end = min(_behind(data, offset, False)[0], segment.size)
        after = [each for each in segment.index.offsets if each > offset]
        end = min([end, *after[:1]])
        yield Hole(segment.name, offset, end, "the record is damaged")


@dataclass(slots=True)
class Dense:
    """The records of a dense segment, those in damaged frames included.

    After iterating, `end` is the position behind the last frame, and `torn` whether a write behind
    it was never finished. Raises OSError.
    """

    file: File
    segment: Segment
    size: int
    """Bytes of the file."""
    limit: int | None
    """The position at which the next segment takes over; None for the last one."""
    end: int = field(init=False, default=0)
    torn: bool = field(init=False, default=False)

    def __iter__(self) -> Iterator[Item]:
        self.end = self.segment.base
        while self.limit is None or self.end < self.limit:
            frames = Frames(self.file, self.segment, self.end, self.size, self.limit)
            try:
                for first, data in frames:
                    yield from self._records(data, first)
            except LogDamaged as error:
                self.end = yield from self._damaged(frames.end, error.what)
                if not frames.end < self.end < self.segment.base + self.size - HEADER_SIZE:
                    return
                continue
            self.end, self.torn = frames.end, frames.torn
            return

    def _offset(self, position: int) -> int:
        return position - self.segment.base + HEADER_SIZE

    def _records(self, data: bytes, first: int) -> Iterator[Item]:
        return records_of(data, self.segment.name, self._offset(first), first, search=False)

    def _damaged(self, position: int, what: str) -> Generator[Item, None, int]:
        """What is whole in a damaged frame, and the position behind it."""
        name, offset = self.segment.name, self._offset(position)
        header = frame.parse(self.file.read(offset, FRAME_HEADER))
        is_whole = header is not None and header.position == position
        if header is not None and is_whole and self._offset(header.end) <= self.size:
            after, size = header.end, header.length
        else:
            after, size = self._find_after(position)
        data = self.file.read(offset + FRAME_HEADER, size) if size > 0 else b""
        items = list(self._records(data, position + FRAME_HEADER))
        if is_whole and any(isinstance(item, Hole) for item in items):
            yield from items
        elif items and isinstance(items[0], Hole):
            yield items[0]._replace(start=offset, what=what)
            yield from items[1:]
        else:
            yield Hole(name, offset, min(offset + FRAME_HEADER, self._offset(after)), what)
            yield from items
        return after

    def _find_after(self, position: int) -> tuple[int, int]:
        """The position of the next frame, and how many bytes of records there may be up to it."""
        offset = self._offset(position)
        stop = self.size
        if self.limit is not None:
            stop = min(stop, self._offset(self.limit))
        found = self._next_frame(offset + 1, stop)
        if found is None and self.limit is None:
            stop = offset + len(self.file.read(offset, stop - offset).rstrip(b"\0"))
        stop = max(self._offset(found), offset) if found is not None else max(stop, offset)
        after = stop - HEADER_SIZE + self.segment.base
        if self.limit is not None and found is None:
            after = max(after, self.limit)
        return after, stop - offset - FRAME_HEADER - FRAME_END

    def _next_frame(self, offset: int, stop: int) -> int | None:
        """The position of the first frame that begins between two offsets."""
        for start in range(offset, stop, BLOCK):
            data = self.file.read(start, min(BLOCK + FRAME_HEADER, stop - start))
            place = data.find(frame.MAGIC)
            while place >= 0:
                header = frame.parse(data, place)
                if header is not None and self._offset(header.position) == start + place:
                    return header.position
                place = data.find(frame.MAGIC, place + 1)
        return None
