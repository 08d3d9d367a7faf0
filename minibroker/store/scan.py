"""Reading a dense segment frame by frame, and telling a torn end from damage.

Knows nothing of what records mean, and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zlib import crc32

from ..errors import LogDamaged
from . import frame
from .segment import HEADER_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .filesystem import File
    from .segment import Segment

__all__ = ["Frames", "later_frame"]

BLOCK = 1 << 20
"""Bytes that are read at a time."""


@dataclass(slots=True)
class Frames:
    """The frames of one dense segment, from a position on, up to `limit`.

    After iterating, `end` is the position behind the last good frame, and `torn` whether something
    lies behind it that was never written to its end. Iterating raises LogDamaged for anything that
    was whole once, OSError when reading fails.
    """

    file: File
    segment: Segment
    start: int
    size: int
    """Bytes of the file, which may be more than the segment's content."""
    limit: int | None = None
    """The position at which the next segment takes over; None for the last one."""
    end: int = 0
    torn: bool = False
    synced: int = 0
    """What the last good frame knew to be on the disk."""
    _offset: int = field(init=False, default=0)
    _window: tuple[int, bytes] = field(init=False, default=(0, b""))

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """The position of the first record, and the records, of each frame in turn."""
        self.end = self.start
        self._offset = self.start - self.segment.base + HEADER_SIZE
        while self.limit is None or self.end < self.limit:
            records = self._next()
            if records is None:
                break
            yield self.end + frame.HEADER_SIZE, records
            self.end += frame.OVERHEAD + len(records)
            self._offset += frame.OVERHEAD + len(records)
        if self.limit is not None and self.end != self.limit:
            raise self._damaged("frames are missing before the next segment", self._offset)

    def _next(self) -> bytes | None:
        """The records of the frame at the current offset; None where the log ends."""
        offset = self._offset
        head = self._read(offset, frame.HEADER_SIZE)
        header = frame.parse(head)
        if header is None or header.position != self.end:
            if frame.resembles(head, self.end, offset) and not self._is_cut(head, offset):
                raise self._damaged("the header of the frame is damaged", offset)
            self._end_here("a frame is missing", torn=any(head))
            return None
        # Of a corrupt length that passed its checksum nothing may be allocated.
        length = min(header.length + len(frame.END), self.size - offset - frame.HEADER_SIZE)
        data = self._read(offset + frame.HEADER_SIZE, length)
        records, mark = data[: header.length], data[header.length :]
        if len(records) == header.length and crc32(records) == header.crc:
            self.synced = header.synced
            return records
        whole = len(data) == header.length + len(frame.END)
        if whole and not frame.is_torn(records, mark, offset + frame.HEADER_SIZE):
            raise self._damaged("the records of the frame are damaged", offset)
        self._end_here("the records of the frame are damaged", torn=True)
        return None

    def _read(self, offset: int, size: int) -> bytes:
        """As the file's own, reading ahead: small frames stand close together."""
        start, window = self._window
        if offset < start or offset + size > start + len(window):
            start, window = offset, self.file.read(offset, max(size, BLOCK))
            self._window = start, window
        return window[offset - start : offset - start + size]

    def _end_here(self, what: str, torn: bool) -> None:
        """The log ends at the current offset, unless a later frame knew that it was on the disk."""
        later = later_frame(self.file, self.segment, self._offset + 1, self.size)
        if later is not None and later.synced > self.end:
            raise self._damaged(what, self._offset)
        self.torn = torn or later is not None or self._is_used(self._offset)

    def _is_cut(self, head: bytes, offset: int) -> bool:
        """Whether writing a header ended within its checksum: nothing but zeros follows."""
        return not head[-1] and not self._is_used(offset + len(head))

    def _is_used(self, offset: int) -> bool:
        """Whether anything but zeros stands in the file from an offset on."""
        for start in range(offset, self.size, BLOCK):
            if any(self.file.read(start, min(BLOCK, self.size - start))):
                return True
        return False

    def _damaged(self, what: str, offset: int) -> LogDamaged:
        return LogDamaged(what, self.segment.name, offset)


def later_frame(file: File, segment: Segment, offset: int, size: int) -> frame.Header | None:
    """The last header of a frame that stands in the file from an offset on, if there is any."""
    found: frame.Header | None = None
    overlap = frame.HEADER_SIZE - 1
    for start in range(offset, size, BLOCK):
        data = file.read(start, min(BLOCK + overlap, size - start))
        place = data.find(frame.MAGIC)
        while place >= 0:
            header = frame.parse(data, place)
            if header is not None and header.position - segment.base + HEADER_SIZE == start + place:
                found = header
            place = data.find(frame.MAGIC, place + 1)
    return found
