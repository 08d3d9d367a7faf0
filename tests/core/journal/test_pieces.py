"""Which entries of a queue are left, as pages within segments; the log is a real one."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import pytest

from faulty import FaultyFiles
from minibroker.journal import pieces as module
from minibroker.journal.messages import Encoder
from minibroker.journal.pieces import merged, remaining
from minibroker.journal.state import Level
from minibroker.queues.paged import PAGE, PAGE_BYTES, Page
from minibroker.store import FRAME_HEADER, Recovery

from .items import item

if TYPE_CHECKING:
    from minibroker.store import Log


def written(
    count: int, size: int = 0, each: int = 1, segment_size: int = 4096
) -> tuple[Log, Level]:
    """A log with messages of the numbers 1 up to `count`, so many a frame, and their level."""
    recovery = Recovery(FaultyFiles())
    list(recovery.frames())
    log = recovery.finish(bytes(16), segment_size)
    level, encoder = Level(), Encoder()
    for start in range(1, count + 1, each):
        seqs = range(start, min(start + each, count + 1))
        entries = [item(1, seq, bytes(size)) for seq in seqs]
        _, parts, _, _ = encoder.encode(list(entries), log.end + FRAME_HEADER)
        log.append(parts)
        for entry in entries:
            level.seqs.append(entry.seq)
            level.positions.append(entry.message.position)
            level.shares.append(entry.message.share)
    log.sync()
    return log, level


def part(level: Level, seqs: range | list[int]) -> Level:
    """Those of the single entries of a level, as a level."""
    found = Level()
    for seq in seqs:
        found.seqs.append(seq)
        found.positions.append(level.positions[seq - 1])
        found.shares.append(level.shares[seq - 1])
    return found


def page(level: Level, seqs: range | list[int]) -> Page:
    """Those of the single entries of a level, as a page."""
    rows = part(level, seqs)
    return Page(seqs if isinstance(seqs, range) else rows.seqs, rows.positions, sum(rows.shares))


def numbers(pages: list[Page]) -> list[int]:
    return [seq for each in pages for seq in each.seqs]


def check(pages: list[Page], level: Level, log: Log) -> None:
    """Each page is right, and within one segment."""
    for each in pages:
        assert 0 < len(each) <= PAGE
        assert list(each.positions) == [level.positions[seq - 1] for seq in each.seqs]
        assert each.weight == sum(level.shares[seq - 1] for seq in each.seqs)
        assert log.find(each.positions[0]) is log.find(each.positions[-1])


# -- remaining


def test_single_entries_become_pages_that_are_full_or_end_with_their_segment() -> None:
    log, level = written(1000, size=20, each=10)
    assert len(log.segments) > 10
    found = remaining(level, set(), set(), [], log)
    assert numbers(found.pages) == list(range(1, 1001))
    assert all(isinstance(each.seqs, range) for each in found.pages)
    assert len(found.pages) == len(log.segments)
    check(found.pages, level, log)


def test_a_page_has_so_many_entries_at_the_most() -> None:
    log, level = written(3 * PAGE, each=100, segment_size=1 << 20)
    found = remaining(level, set(), set(), [], log)
    assert [len(each) for each in found.pages] == [PAGE] * 3


def test_a_page_has_not_too_many_bytes_but_one_entry_at_least() -> None:
    log, level = written(9, size=PAGE_BYTES, segment_size=1 << 30)
    found = remaining(level, set(), set(), [], log)
    assert [len(each) for each in found.pages] == [1] * 9
    log, level = written(3, size=3 * PAGE_BYTES, segment_size=1 << 30)
    found = remaining(level, set(), set(), [], log)
    assert [len(each) for each in found.pages] == [1] * 3
    check(found.pages, level, log)


def test_what_is_gone_is_gone_and_leaves_gaps() -> None:
    log, level = written(300, each=50, segment_size=1 << 20)
    gone = {1, 2, 150, 300}
    found = remaining(level, gone, set(), [], log)
    assert numbers(found.pages) == [seq for seq in range(1, 301) if seq not in gone]
    assert not found.out
    check(found.pages, level, log)


def test_what_is_out_stands_apart_with_its_position_and_share() -> None:
    log, level = written(10)
    found = remaining(level, {4}, {2, 9}, [], log)
    assert numbers(found.pages) == [1, 3, 5, 6, 7, 8, 10]
    assert found.out == [(seq, level.positions[seq - 1], level.shares[seq - 1]) for seq in (2, 9)]


def test_a_page_of_which_nothing_is_gone_stays_as_it_is() -> None:
    log, level = written(30)
    whole, left = page(level, range(1, 11)), part(level, range(11, 31))
    left.pages.append(whole)
    found = remaining(left, {15}, {20}, [], log)
    assert found.pages[0] is whole
    assert numbers(found.pages) == [seq for seq in range(1, 31) if seq not in {15, 20}]
    check(found.pages, level, log)


@pytest.mark.parametrize("gone", [{3}, {1, 2, 3}, {10}, set(range(1, 11)), {2, 4, 6, 8}])
@pytest.mark.parametrize("out", [set(), {5}, {5, 7}])
def test_a_page_of_which_some_is_gone_or_out_is_taken_apart(gone: set[int], out: set[int]) -> None:
    log, level = written(20)
    left = part(level, range(11, 21))
    left.pages += [page(level, range(1, 6)), page(level, [6, 7, 8, 9, 10])]
    found = remaining(left, gone, out - gone, [], log)
    assert numbers(found.pages) == [seq for seq in range(1, 21) if seq not in gone | out]
    assert [seq for seq, _, _ in found.out] == sorted(out - gone)
    check(found.pages, level, log)


def test_nothing_is_read_of_a_page_but_what_is_left() -> None:
    """The records of what was settled may have been given up by then."""
    log, level = written(200, each=10)
    first = log.segments[0]
    within = [seq for seq in range(1, 201) if level.positions[seq - 1] < first.end]
    left = Level(pages=[page(level, range(1, within[-1] + 1))])
    del log.segments[0]
    found = remaining(left, set(within), set(), [], log)
    assert (found.pages, found.out) == ([], [])


def test_single_entries_before_and_between_pages_keep_their_places() -> None:
    log, level = written(40)
    left = part(level, [1, 2, 3, *range(21, 25), 39, 40])
    left.pages += [page(level, range(11, 21)), page(level, range(30, 35))]
    found = remaining(left, set(), set(), [], log)
    assert numbers(found.pages) == [1, 2, 3, *range(11, 25), *range(30, 35), 39, 40]
    check(found.pages, level, log)


def test_no_page_goes_across_a_break() -> None:
    log, level = written(30)
    found = remaining(level, {11}, set(), [11, 25, 99], log)
    pages = [list(each.seqs) for each in found.pages]
    assert [1, 10] in [[each[0], each[-1]] for each in pages]
    assert all(not (each[0] < 25 <= each[-1]) for each in pages)
    assert numbers(found.pages) == [seq for seq in range(1, 31) if seq != 11]


def test_of_nothing_nothing_is_left() -> None:
    log, level = written(3)
    assert remaining(Level(), set(), set(), [], log).pages == []
    assert remaining(Level(), {1}, {2}, [3], log).pages == []
    found = remaining(level, {1, 2, 3}, set(), [], log)
    assert (found.pages, found.out) == ([], [])


# -- merged


def test_one_level_is_taken_as_it_is() -> None:
    log, level = written(3)
    assert merged([level], set(), log) is level


def test_several_levels_become_one_in_the_order_of_numbers_whatever_was_a_page() -> None:
    log, level = written(60)
    levels = [
        part(level, [41, 44]),
        part(level, [42, 43, 60]),
        part(level, [1]),
    ]
    levels[0].pages.append(page(level, [2, 4, 6, 8]))
    levels[1].pages += [page(level, [3, 5, 7]), page(level, range(9, 20))]
    together = merged(levels, {5, 9}, log)
    expected = [1, 2, 3, 4, 6, 7, 8, *range(10, 20), 41, 42, 43, 44, 60]
    assert list(together.seqs) == expected
    assert list(together.positions) == [level.positions[seq - 1] for seq in expected]
    assert list(together.shares) == [level.shares[seq - 1] for seq in expected]
    found = remaining(together, {5, 9}, {10}, [], log)
    assert numbers(found.pages) == [seq for seq in expected if seq != 10]


def test_the_columns_of_a_level_are_arrays() -> None:
    level = Level()
    module._fill(level, [(1, 2, 3), (4, 5, 6)])
    assert level.seqs == array("Q", [1, 4])
    assert level.shares == array("Q", [3, 6])
