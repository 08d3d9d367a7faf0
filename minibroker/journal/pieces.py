"""The entries of one queue after a restart: which are left, as pages, and which came back.

Works on numbers and arrays; reads from the log only what of a page is left where some of it is
gone.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..queues.paged import PAGE, PAGE_BYTES, Page
from ..store import record
from .messages import FIXED
from .state import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..store import Log

__all__ = ["Remaining", "merged", "remaining"]


@dataclass(slots=True)
class Remaining:
    """What is left of a level."""

    pages: list[Page] = field(default_factory=list)
    """In the order of their numbers, each within one segment of the log."""
    out: list[tuple[int, int, int]] = field(default_factory=list)
    """Number, position and share of what consumers had."""


def merged(levels: Iterable[Level], gone: set[int], log: Log) -> Level:
    """Several levels that go out together, as one, in the order of numbers.

    Without those in `gone`, where it takes pages apart: they may overlap, for it was another
    profile that kept them apart. Raises LogDamaged and OSError.
    """
    first, *others = levels
    if not others:
        return first
    rows: list[tuple[int, int, int]] = []
    for level in (first, *others):
        for page in level.pages:
            rows += _rows(page, gone, log)
        rows += zip(level.seqs, level.positions, level.shares, strict=True)
    together = Level()
    _fill(together, sorted(rows))
    return together


def remaining(
    level: Level, gone: set[int], out: set[int], breaks: list[int], log: Log
) -> Remaining:
    """What is left without the numbers in `gone`, and apart from those in `out`.

    No page goes across a number in `breaks`: something else comes there. Raises LogDamaged and
    OSError.
    """
    found = Remaining()
    away = sorted(gone | out)
    whole: list[Page] = []
    rows: list[tuple[int, int, int]] = []
    for page in level.pages:
        place = bisect_left(away, page.seqs[0])
        if place < len(away) and away[place] <= page.seqs[-1]:
            rows += _rows(page, gone, log)
        else:
            whole.append(page)
    if rows or away:
        rows += (
            row
            for row in zip(level.seqs, level.positions, level.shares, strict=True)
            if row[0] not in gone
        )
        rows.sort()
        found.out = [row for row in rows if row[0] in out]
        level = Level()
        _fill(level, [row for row in rows if row[0] not in out] if out else rows)
    stops = sorted({bisect_left(level.seqs, seq) for seq in [*map(_first, whole), *breaks]})
    found.pages = whole
    start = 0
    for stop in (*stops, len(level.seqs)):
        found.pages += _cut(level, start, stop, log)
        start = stop
    found.pages.sort(key=_first)
    return found


def _first(page: Page) -> int:
    return page.seqs[0]


def _fill(level: Level, rows: list[tuple[int, int, int]]) -> None:
    seqs, positions, shares = zip(*rows, strict=True) if rows else ((), (), ())
    level.seqs, level.positions = array("Q", seqs), array("Q", positions)
    level.shares = array("Q", shares)


def _rows(page: Page, gone: set[int], log: Log) -> Iterator[tuple[int, int, int]]:
    """The entries of a page that are not gone, one by one: their records know what each takes.

    The records of the others may be gone as well.
    """
    left = [each for each in zip(page.seqs, page.positions, strict=True) if each[0] not in gone]
    read = log.read([position for _, position in left])
    for (seq, position), (_, payload) in zip(left, read, strict=True):
        places = FIXED.unpack_from(payload)[4]
        yield seq, position, (record.HEADER_SIZE + len(payload)) // places


def _cut(level: Level, start: int, stop: int, log: Log) -> Iterator[Page]:
    """Pages of the entries from one index up to another."""
    while start < stop:
        end = min(start + PAGE, stop)
        last_segment = log.find(level.positions[start]).end
        if level.positions[end - 1] >= last_segment:
            end = bisect_left(level.positions, last_segment, start, end)
        weight = sum(level.shares[start:end])
        while weight > 2 * PAGE_BYTES and end - start > 1:
            end = start + (end - start) // 2
            weight = sum(level.shares[start:end])
        seqs = level.seqs[start:end]
        is_range = seqs[-1] - seqs[0] == len(seqs) - 1
        numbers = range(seqs[0], seqs[-1] + 1) if is_range else seqs
        yield Page(numbers, level.positions[start:end], weight)
        start = end
