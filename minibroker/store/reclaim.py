"""Which segments are worth rewriting, and rewriting them: what is still needed into one file.

Knows nothing of who needs what: it is given the positions. Writes into a temporary file only, so
that it can be given up at any point.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

from . import record
from .readers import read_records
from .recovery import TEMPORARY
from .segment import HEADER_SIZE, Index, Segment, encode_header

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from .filesystem import FileSystem
    from .log import Log

__all__ = ["SLICE", "Rewriting", "worth_rewriting"]

SLICE = 1 << 20
"""Bytes that one step of rewriting copies, about."""
TOGETHER = 64
"""Records that are read at one time."""
MOST = 1 << 31
"""Bytes of segments that are rewritten into one: an index has 32 bits for an offset."""
SMALL = 8
"""A sparse segment under an eighth of the usual size is worth being merged with others."""


def worth_rewriting(log: Log, before: int) -> list[Segment]:
    """Neighbouring segments that end at or below a position, to be rewritten into one.

    Of each of them, or of one of them and some small ones beside it, less than half is needed. An
    empty list: there is nothing to gain. O(segments).
    """
    best: list[Segment] = []
    run: list[Segment] = []
    for segment in log.segments[:-1]:
        together = [*run, segment]
        # By weight they may seem small: of a record with many places each one weighs little.
        fits = (
            sum(each.weight for each in together) <= log.segment_size
            and sum(each.size for each in together) <= MOST
        )
        if segment.end <= before and (_is_sparse(segment) or _is_small(log, segment)):
            run = together if fits else [segment]
            if (any(map(_is_sparse, run)) or len(run) >= SMALL) and len(run) > len(best):
                best = run
        else:
            run = []
    return best


def _is_sparse(segment: Segment) -> bool:
    basis = segment.size if segment.index is None else segment.basis
    return 2 * segment.weight < basis


def _is_small(log: Log, segment: Segment) -> bool:
    return segment.index is not None and segment.size * SMALL < log.segment_size


class Rewriting:
    """Neighbouring segments on their way into one sparse segment.

    `positions` are those of the records that are needed, in ascending order. Iterating copies them
    a slice at a time, and yields the bytes copied; everything raises LogDamaged and OSError.
    """

    def __init__(self, log: Log, old: list[Segment], positions: list[int]) -> None:
        self.old = old
        self.new = Segment(old[0].base, old[-1].end, HEADER_SIZE, Index(array("Q"), array("I")))
        self.new.basis = sum(segment.weight for segment in old)
        self.file_name = self.new.name + TEMPORARY
        self._log = log
        self._files: FileSystem = log.files
        self._positions = positions

    def __iter__(self) -> Generator[int, None, None]:
        index = self.new.index
        assert index is not None
        file = self._files.create(self.file_name)
        try:
            file.write(0, encode_header(self.new, self._log.identity))
            for records in self._slices():
                data = b"".join(encoded for _, encoded in records)
                file.write(self.new.size, data)
                for position, encoded in records:
                    index.positions.append(position)
                    index.offsets.append(self.new.size)
                    self.new.size += len(encoded)
                yield len(data)
            encoded_index = index.encode()
            file.write(self.new.size, encoded_index)
            file.sync()
            self.new.size += len(encoded_index)
        finally:
            file.close()

    def _slices(self) -> Iterator[list[tuple[int, bytes]]]:
        """The records with their positions, about a slice of bytes at a time."""
        taken: list[tuple[int, bytes]] = []
        size = 0
        for segment in self.old:
            file = self._files.open(segment.name)
            try:
                for positions in self._within(segment):
                    read = read_records(file, segment, positions)
                    for position, (kind, payload) in zip(positions, read, strict=True):
                        taken.append((position, record.encode(kind, payload)))
                        size += len(payload)
                    if size >= SLICE:
                        yield taken
                        taken, size = [], 0
            finally:
                file.close()
        if taken:
            yield taken

    def _within(self, segment: Segment) -> Iterator[list[int]]:
        """The positions in a segment, a few at a time."""
        start = bisect_left(self._positions, segment.base)
        stop = bisect_left(self._positions, segment.end)
        for first in range(start, stop, TOGETHER):
            yield self._positions[first : min(first + TOGETHER, stop)]
