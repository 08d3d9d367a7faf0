"""Opening a log: which files belong to it, where it ends, and what was damaged.

Knows nothing of what records mean: the owner says from which position on it needs them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import LogDamaged
from . import record
from .log import SEGMENT_SIZE, Log
from .scan import Frames
from .segment import (
    HEADER_SIZE,
    Index,
    Segment,
    is_segment,
    parse_header,
    segment_name,
    was_written,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .filesystem import File, FileSystem

__all__ = ["TEMPORARY", "Recovery"]

TEMPORARY = ".tmp"
"""The suffix of files that were being written: without a rename they mean nothing."""
FOOTER_ROOM = 16
PIECE = 1 << 20
"""Bytes that are written again at a time."""


@dataclass(slots=True)
class Recovery:
    """The log of a directory while it is opened.

    `since` is the position from which on its owner needs the frames, `identity` what every file
    has to carry (None: whatever the first one carries). First iterate `frames`, then `finish`.
    Everything raises LogDamaged, LogVersionUnknown and OSError; nothing is changed before `finish`.
    """

    files: FileSystem
    since: int = 0
    identity: bytes | None = None
    segments: list[Segment] = field(init=False, default_factory=list)
    """In ascending order; all but those of before `since` without a gap."""
    superfluous: list[str] = field(init=False, default_factory=list)
    """Files that the log does not need any more."""
    end: int = field(init=False, default=0)
    torn: tuple[str, int] | None = field(init=False, default=None)
    """File and offset of a write that was never finished, and will be cut off."""
    _sizes: dict[str, int] = field(init=False, default_factory=dict)
    _synced: int = field(init=False, default=0)
    """The position up to which everything is on the disk for certain."""

    def __post_init__(self) -> None:
        self._sizes = self.files.list()
        self.superfluous = [name for name in self._sizes if name.endswith(TEMPORARY)]
        names = sorted(name for name in self._sizes if is_segment(name))
        for number, name in enumerate(names):
            segment = self._read_header(name, last=number == len(names) - 1)
            if segment is not None:
                self._add(segment)
        self._limit_dense()
        self._check_gaps()

    # -- which segments there are

    def _read_header(self, name: str, last: bool) -> Segment | None:
        file = self.files.open(name)
        try:
            size = self._sizes[name]
            head = file.read(0, HEADER_SIZE)
            if last and self._never_finished(file, name, head):
                self.superfluous.append(name)
                return None
            segment, identity = parse_header(head, name, size)
            if segment.index is not None:
                self._read_index(segment, file)
        finally:
            file.close()
        if self.identity is None:
            self.identity = identity
        if identity != self.identity:
            raise LogDamaged("the segment belongs to the log of another broker", name, 0)
        return segment

    def _never_finished(self, file: File, name: str, head: bytes) -> bool:
        """Whether the last segment was begun and never synced: nothing in it was promised."""
        try:
            parse_header(head, name, self._sizes[name])
        except LogDamaged:
            if was_written(head, name):
                return False
            base = int(name.partition(".")[0])
            frames = Frames(file, Segment(base, base, 0), base, self._sizes[name])
            list(frames)  # raises if a later frame knew that this was on the disk
            return frames.end == base
        return False

    def _read_index(self, segment: Segment, file: File) -> None:
        tail = file.read(max(segment.size - FOOTER_ROOM, 0), FOOTER_ROOM)
        count = int.from_bytes(tail[:8], "little")
        start = segment.size - FOOTER_ROOM - 12 * count
        if start < HEADER_SIZE:
            raise LogDamaged("the index is damaged", segment.name, segment.size - FOOTER_ROOM)
        data = file.read(start, segment.size - start)
        segment.index = Index.parse(data, segment.name, start)

    def _add(self, segment: Segment) -> None:
        before = self.segments[-1] if self.segments else None
        if before is not None and before.index is not None and segment.base < before.end:
            # Merged into the one before it; only deleting it was not done any more.
            self.superfluous.append(segment.name)
            return
        self.segments.append(segment)

    def _limit_dense(self) -> None:
        for segment, after in zip(self.segments, self.segments[1:], strict=False):
            if segment.index is None and after.base < segment.end:
                segment.end = after.base  # what came behind was given up, and written again
                segment.size = after.base - segment.base + HEADER_SIZE

    def _check_gaps(self) -> None:
        position = self.since
        for segment in self.segments:
            if segment.end <= self.since and segment is not self.segments[-1]:
                continue
            if segment.index is not None and segment.end > self.since:
                # What is rewritten is told by a checkpoint behind it, which must be missing.
                raise LogDamaged("the frames of the segment are gone", segment.name, 0)
            if segment.base > position:
                name = segment_name(position)
                raise LogDamaged("the log has a gap: a segment is missing", name, 0)
            position = max(segment.end, position)

    # -- what is in them

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """The frames from `since` on: the position of the first record, and the records."""
        self.end = self._synced = self.since
        for segment in self.segments:
            if segment.index is not None or (
                segment.end <= self.since and segment is not self.segments[-1]
            ):
                continue
            yield from self._frames_of(segment, max(segment.base, self.since))

    def _frames_of(self, segment: Segment, start: int) -> Iterator[tuple[int, bytes]]:
        last = segment is self.segments[-1]
        file = self.files.open(segment.name)
        try:
            size = self._sizes[segment.name]
            if start - segment.base + HEADER_SIZE > size:
                raise LogDamaged("the segment is shorter than it was", segment.name, size)
            frames = Frames(file, segment, start, size, None if last else segment.end)
            yield from frames
        finally:
            file.close()
        self.end = frames.end
        if last:
            self._synced = max(self._synced, frames.synced)
            segment.end = frames.end
            segment.size = frames.end - segment.base + HEADER_SIZE
            if frames.torn:
                self.torn = segment.name, segment.size

    def verify(self) -> None:
        """Read also what lies before `since`. Raises LogDamaged for the first thing that is off."""
        for segment in self.segments:
            if segment.index is not None:
                self._verify_sparse(segment)
            elif segment.base < self.since:
                self._verify_dense(segment)

    def _verify_dense(self, segment: Segment) -> None:
        file = self.files.open(segment.name)
        try:
            limit = min(segment.end, self.since)
            for _ in Frames(file, segment, segment.base, self._sizes[segment.name], limit):
                pass
        finally:
            file.close()

    def _verify_sparse(self, segment: Segment) -> None:
        assert segment.index is not None
        file = self.files.open(segment.name)
        try:
            data = file.read(0, segment.size)
        finally:
            file.close()
        for offset in segment.index.offsets:
            if record.parse(data, offset) is None:
                raise LogDamaged("the record is damaged", segment.name, offset)

    # -- what to go on with

    def finish(self, identity: bytes, segment_size: int = SEGMENT_SIZE) -> Log:
        """Cut off what was torn, delete what is superfluous, and give the log to go on with.

        `identity` is for a log that has no segment yet. All frames have to be read by then.
        """
        for name in self.superfluous:
            self.files.delete(name)
        if self.segments and self.segments[-1].index is None:
            last = self.segments[-1]
            file = self.files.open(last.name)
            try:
                file.resize(last.size)
                self._write_again(file, last)
                file.sync()  # what is read back from memory now counts as being on the disk
            finally:
                file.close()
        if self.identity is None:
            self.identity = identity
        return Log(self.files, self.identity, self.segments, self.end, segment_size)

    def _write_again(self, file: File, last: Segment) -> None:
        """Write what was never synced for certain: after a sync that failed in another process the
        system may have it in memory, take it for written, and not write it in the next sync.
        """
        start = self._synced - last.base + HEADER_SIZE if self._synced > last.base else 0
        for offset in range(start, last.size, PIECE):
            file.write(offset, file.read(offset, min(PIECE, last.size - offset)))
