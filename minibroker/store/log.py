"""An append-only log of records: a sequence of segments. Knows nothing of what records mean.

A position is a number of bytes from the beginning of the log's life; it never changes, whatever
happens to the files. One thread at a time appends and syncs; reading and accounting may be done
meanwhile by another one that holds the lock of whoever owns the log.
"""

from __future__ import annotations

from bisect import bisect_right
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import LogDamaged
from . import frame
from .readers import Readers, read_records
from .segment import HEADER_SIZE, Segment, encode_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .filesystem import File, FileSystem

__all__ = ["FRAME_END", "FRAME_HEADER", "SEGMENT_SIZE", "Log"]

SEGMENT_SIZE = 64 << 20
"""Bytes after which a new segment is begun."""
FRAME_HEADER = frame.HEADER_SIZE
"""From the position of a frame to that of its first record."""
FRAME_END = len(frame.END)
"""From behind its last record to the next frame."""
ROOM = 4 << 20
"""Bytes of room that a segment gets at a time, before they are needed."""
MOST_ROOM = 8
"""A segment never gets more room than this many times what it holds, at the least `LEAST_ROOM`."""
LEAST_ROOM = 64 << 10


class Log:
    """The log in one directory. Made by `recovery.recover`.

    Whatever raises OSError while writing leaves the log in need of `sync`, which writes what is
    not certain to be on the disk into a new segment, and may be called until it succeeds.
    """

    def __init__(
        self,
        files: FileSystem,
        identity: bytes,
        segments: list[Segment],
        end: int,
        segment_size: int = SEGMENT_SIZE,
    ) -> None:
        """`segments` in ascending order, the last one of them to be continued at `end`."""
        self.files = files
        self.identity = identity
        self.segments = segments
        self.segment_size = segment_size
        self.end = end
        """The position behind the last frame."""
        self.synced = end
        """The position up to which everything is on the disk."""
        self.broken = False
        """Whether writing failed, so that the next `sync` has to begin a new segment."""
        self._unsynced: list[tuple[int, bytes]] = []
        self._file: File | None = None
        self._room = 0
        self._rolled = False
        """Whether the last segment is finished, so that the next frame begins another one."""
        self._readers = Readers(files)

    # -- writing

    def append(self, records: Iterable[bytes]) -> None:
        """Write records as one frame at `end`, without waiting for the disk.

        Raises OSError; they are kept all the same, and `sync` will write them.
        """
        position = self.end
        encoded = frame.encode(position, self.synced, b"".join(records))
        self.end += len(encoded)
        self._unsynced.append((position, encoded))
        if self.broken:
            return
        try:
            self._write(position, encoded)
        except BaseException:  # an interrupt leaves as much in doubt as a full disk
            self.broken = True
            raise

    def sync(self) -> None:
        """Return when all that was appended is on the disk. Raises OSError."""
        try:
            if self.broken:
                self._begin_anew()
            elif not self._unsynced:
                return
            assert self._file is not None
            self._file.sync()
        except BaseException:
            self.broken = True
            raise
        self._unsynced.clear()
        self.synced = self.end
        self.broken = False

    @property
    def unsynced(self) -> int:
        """Bytes that were appended and may not be on the disk yet."""
        return self.end - self.synced

    def _write(self, position: int, encoded: bytes) -> None:
        segment = self.segments[-1] if self.segments else None
        if segment is None or segment.index is not None or self._rolled:
            segment = self._create(position)
        elif segment.end > segment.base and segment.size + len(encoded) > self.segment_size:
            self.roll()
            segment = self._create(position)
        file = self._opened(segment)
        self._make_room(file, segment, len(encoded))
        file.write(segment.size, encoded)
        segment.size += len(encoded)
        segment.end = position + len(encoded)

    def roll(self) -> None:
        """Finish the last segment: all of it is on the disk, and it gives back its room.

        The next frame begins another one. Raises OSError.
        """
        if self.broken:
            self.sync()
        if not self.segments or self.segments[-1].index is not None:
            return
        segment = self.segments[-1]
        try:
            file = self._opened(segment)
            file.resize(segment.size)
            file.sync()
        except BaseException:
            self.broken = True
            raise
        self.synced = segment.end
        self._rolled = segment.end > segment.base
        self._unsynced = [kept for kept in self._unsynced if kept[0] >= segment.end]
        self._forget_file()

    def _create(self, base: int) -> Segment:
        segment = Segment(base, base, HEADER_SIZE)
        self._forget_file()
        self._file = self.files.create(segment.name)
        self._room = 0
        self._file.write(0, encode_header(segment, self.identity))
        self.segments.append(segment)
        self._rolled = False
        return segment

    def _opened(self, segment: Segment) -> File:
        if self._file is None:
            self._file = self.files.open(segment.name)
            self._room = 0
        return self._file

    def _make_room(self, file: File, segment: Segment, size: int) -> None:
        needed = segment.size + size
        if needed > self._room:
            step = min(ROOM, max(LEAST_ROOM, needed * MOST_ROOM))
            wanted = max(needed, min(needed + step, self.segment_size))
            try:
                file.resize(wanted)
            except OSError:
                if wanted == needed:
                    raise
                wanted = needed  # the disk is nearly full: no more than it takes
                file.resize(wanted)
            self._room = wanted

    def _begin_anew(self) -> None:
        """Write what is not certain into a new segment: a file whose sync failed is not trusted.

        The system may take pages that it could not write for written ever after.
        """
        self._forget_file()
        if self.segments and self.segments[-1].base >= self.synced:
            self._readers.forget(self.segments.pop())  # nothing in it is certain
        elif self.segments and self.segments[-1].index is None:
            _cut(self.files, self.segments[-1], self.synced)
        segment = self._create(self.synced)
        file = self._opened(segment)
        encoded = b"".join(kept for _, kept in self._unsynced)
        self._make_room(file, segment, len(encoded))
        file.write(segment.size, encoded)
        segment.size += len(encoded)
        segment.end = self.end

    def _forget_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()

    # -- reading

    def find(self, position: int) -> Segment:
        """The segment that a position is in. Raises LogDamaged if there is none. O(log n)."""
        place = bisect_right(self.segments, position, key=_base) - 1
        if place >= 0 and position < self.segments[place].end:
            return self.segments[place]
        raise LogDamaged(f"nothing is at position {position}", "log", position)

    def read(self, positions: Sequence[int]) -> list[tuple[int, bytes]]:
        """Kind and payload of the records at these positions, in ascending order.

        Raises LogDamaged, naming file and offset, and OSError.
        """
        records: list[tuple[int, bytes]] = []
        start = 0
        while start < len(positions):
            segment = self.find(positions[start])
            stop = start + 1
            while stop < len(positions) and positions[stop] < segment.end:
                stop += 1
            file = self._readers.file(segment)
            records += read_records(file, segment, positions[start:stop])
            start = stop
        return records

    # -- what is needed of it

    def account(self, position: int, entries: int, weight: int) -> None:
        """So many more places need the segment of a position, or fewer, and so many bytes."""
        segment = self.find(position)
        segment.entries += entries
        segment.weight += weight

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self.segments)

    @property
    def weight(self) -> int:
        """Bytes of all records that are needed."""
        return sum(segment.weight for segment in self.segments)

    def take_dead(self, before: int, busy: list[Segment]) -> list[Segment]:
        """Forget the segments that nobody needs and that end at or below a position.

        Those in `busy` are kept, and always the last one that is on the disk for certain: without
        it nothing would tell where the log ended. Their files are to be deleted.
        """
        certain = not self.segments or self.segments[-1].base < self.synced
        dead = [
            segment
            for segment in self.segments[: -1 if certain else -2]
            if not segment.entries and segment.end <= before and segment not in busy
        ]
        if dead:
            self.segments[:] = [each for each in self.segments if each not in dead]
            for segment in dead:
                self._readers.forget(segment)
        return dead

    def replace(self, old: list[Segment], new: Segment, file_name: str) -> None:
        """Put a sparse segment, written to a file of that name, in the place of others.

        The first of the old ones has its name from now on; the files of the rest are to be
        deleted. Nobody may read meanwhile. Raises OSError; the files of all old ones have to be
        kept then, whether or not they are in use any more.
        """
        failed: OSError | None = None
        try:
            self.files.rename(file_name, new.name)
        except OSError as error:
            if file_name in self.files.list():
                raise
            failed = error  # it is there, only perhaps not on the disk
        new.entries = sum(segment.entries for segment in old)
        new.weight = sum(segment.weight for segment in old)
        for segment in old:
            self._readers.forget(segment)
        place = self.segments.index(old[0])
        self.segments[place : place + len(old)] = [new]
        if failed is not None:
            raise failed

    def close(self) -> None:
        """Give all files back. What was appended and not synced is left to the system."""
        self._forget_file()
        self._readers.close()

    def _check(self) -> None:
        position = 0
        for segment in self.segments:
            segment._check()
            assert segment.base >= position, f"{segment!r} overlaps the one before it"
            position = segment.end
        assert self.synced <= self.end, "synced beyond the end"
        assert self.broken or not self.segments or position == self.end, "the end is off"


def _base(segment: Segment) -> int:
    return segment.base


def _cut(files: FileSystem, segment: Segment, end: int) -> None:
    """Let a dense segment end at a position."""
    segment.size -= segment.end - end
    segment.end = end
    # Where the next segment begins says so too, should this fail.
    with suppress(OSError):
        file = files.open(segment.name)
        try:
            file.resize(segment.size)
            file.sync()  # the next segment may be gone one day, and its room must not come back
        finally:
            file.close()
