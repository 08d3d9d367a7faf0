"""Which files of a directory are the log: as `Recovery` has it, but all that is off at once.

A segment whose header is damaged is still read: its name says where it begins. Changes nothing.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import LogDamaged
from ..journal import checkpoint
from ..store import TEMPORARY, Log, Segment
from ..store.scan import Frames
from ..store.segment import (
    HEADER_SIZE,
    Index,
    is_segment,
    parse_header,
    segment_name,
    was_written,
)
from .reading import Dense, Problem, read_sparse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..store import File, FileSystem
    from .reading import Item

__all__ = ["Survey", "newest_identity"]

FOOTER = 16
"""Bytes at the end of an index that tell how long it is."""


@dataclass(slots=True)
class Survey:
    """The segments of a directory. `since` is the position of the checkpoint, 0 without one.

    Raises LogVersionUnknown and OSError.
    """

    files: FileSystem
    since: int = 0
    identity: bytes | None = None
    """What every file has to carry; None: whatever the first one does."""
    sizes: dict[str, int] = field(init=False, default_factory=dict)
    segments: list[Segment] = field(init=False, default_factory=list)
    """In ascending order."""
    problems: list[Problem] = field(init=False, default_factory=list)
    has_gap: bool = field(init=False, default=False)
    """Whether a segment is missing behind `since`."""
    left_over: list[str] = field(init=False, default_factory=list)
    """Files that nobody needs, and that a broker would delete."""
    unindexed: list[Segment] = field(init=False, default_factory=list)
    """Sparse segments whose index is damaged: nothing is found in them."""
    torn: tuple[str, int] | None = field(init=False, default=None)
    """File and offset of a write that was never finished."""
    end: int = field(init=False, default=0)
    """The position behind the log; known once `items` were read."""

    def __post_init__(self) -> None:
        self.sizes = self.files.list()
        self.end = self.since
        self.left_over = [name for name in self.sizes if name.endswith(TEMPORARY)]
        names = sorted(name for name in self.sizes if is_segment(name))
        for number, name in enumerate(names):
            segment = self._look_at(name, last=number == len(names) - 1)
            if segment is None:
                continue
            before = self.segments[-1] if self.segments else None
            if before is not None and before.index is not None and segment.base < before.end:
                self.left_over.append(name)  # merged into the one before it
                continue
            self.segments.append(segment)
        self._limit()
        self._look_for_gaps()

    def _look_at(self, name: str, last: bool) -> Segment | None:
        file = self.files.open(name)
        try:
            size = self.sizes[name]
            head = file.read(0, HEADER_SIZE)
            try:
                segment, identity = parse_header(head, name, size)
            except LogDamaged as error:
                if last and self._was_never_finished(file, name, head):
                    self.left_over.append(name)
                    return None
                self._add(error)
                return self._guessed(file, name)
            if self.identity is None:
                self.identity = identity
            if identity != self.identity:
                what = "the segment belongs to the log of another broker"
                self.problems.append(Problem(name, 0, what))
                return None
            if segment.index is not None:
                self._read_index(file, segment)
        finally:
            file.close()
        return segment

    def _was_never_finished(self, file: File, name: str, head: bytes) -> bool:
        if was_written(head, name):
            return False
        base = _base(name)
        frames = Frames(file, Segment(base, base, 0), base, self.sizes[name])
        try:
            list(frames)
        except LogDamaged:
            return False
        return frames.end == base

    def _guessed(self, file: File, name: str) -> Segment:
        """A segment of which nothing but the name and the rest of the file is known."""
        base, size = _base(name), self.sizes[name]
        segment = Segment(base, base + max(size - HEADER_SIZE, 0), size, _no_index())
        try:
            index = _index(file, segment)
        except LogDamaged:
            segment.index = None
            return segment
        end = index.positions[-1] + 1 if index.positions else base
        return Segment(base, end, size, index)

    def _read_index(self, file: File, segment: Segment) -> None:
        try:
            segment.index = _index(file, segment)
        except LogDamaged as error:
            self._add(error)
            self.unindexed.append(segment)

    def _add(self, error: LogDamaged) -> None:
        self.problems.append(Problem(error.file, error.offset, error.what))

    def _limit(self) -> None:
        for segment, after in zip(self.segments, self.segments[1:], strict=False):
            if segment.index is None and after.base < segment.end:
                segment.end = after.base
                segment.size = after.base - segment.base + HEADER_SIZE

    def _look_for_gaps(self) -> None:
        position = self.since
        for segment in self.segments:
            if segment.end <= self.since and segment is not self.segments[-1]:
                continue
            if segment.base > position:
                self.has_gap = True
                name, what = segment_name(position), "the log has a gap: a segment is missing"
                self.problems.append(Problem(name, 0, what))
            position = max(segment.end, position)

    # -- what is in them

    def items(self, start: int = 0) -> Iterator[Item]:
        """Everything in the segments that end behind a position."""
        for segment in self.segments:
            if segment.end < start and segment is not self.segments[-1]:
                continue
            file = self.files.open(segment.name)
            try:
                if segment.index is not None:
                    yield from read_sparse(file, segment)
                    self.end = max(self.end, segment.end)
                else:
                    yield from self._dense(file, segment)
            finally:
                file.close()

    def _dense(self, file: File, segment: Segment) -> Iterator[Item]:
        last = segment is self.segments[-1]
        size = self.sizes[segment.name]
        dense = Dense(file, segment, size, None if last else segment.end)
        yield from dense
        self.end = max(self.end, dense.end)
        if not last:
            return
        segment.end = dense.end
        segment.size = dense.end - segment.base + HEADER_SIZE
        if dense.torn:
            self.torn = segment.name, segment.size
        if dense.end < self.since:
            what = "the segment is shorter than it was"
            self.problems.append(Problem(segment.name, min(segment.size, size), what))

    def log(self) -> Log:
        """To read records by their positions; to be closed. Nothing may be written to it."""
        return Log(self.files, self.identity or bytes(16), self.segments, self.end)


def newest_identity(files: FileSystem) -> bytes | None:
    """The identity in the newest checkpoint whose header is whole."""
    for name in checkpoint.find(files):
        try:
            return checkpoint.read(files, name).identity
        except LogDamaged:
            continue
    return None


def _base(name: str) -> int:
    return int(name.partition(".")[0])


def _no_index() -> Index:
    return Index(array("Q"), array("I"))


def _index(file: File, segment: Segment) -> Index:
    tail = file.read(max(segment.size - FOOTER, 0), FOOTER)
    start = segment.size - FOOTER - 12 * int.from_bytes(tail[:8], "little")
    if start < HEADER_SIZE:
        raise LogDamaged("the index is damaged", segment.name, max(segment.size - FOOTER, 0))
    index = Index.parse(file.read(start, segment.size - start), segment.name, start)
    if index.offsets and (max(index.offsets) >= start or min(index.offsets) < HEADER_SIZE):
        raise LogDamaged("the index leads out of the segment", segment.name, start)
    return index
