"""Segments of which little is needed are rewritten, and space stays near what is needed."""

from __future__ import annotations

import errno
from array import array
from itertools import count
from random import Random

import pytest

from faulty import FaultyFiles, PowerCut
from minibroker.errors import LogDamaged
from minibroker.store import TEMPORARY, Log, Rewriting, Segment, reclaim, record, worth_rewriting
from minibroker.store.segment import Index
from small_logs import IDENTITY, body, create, open_log, read_all

SIZE = 1 << 16
END = 1 << 40


class Needed:
    """A log with records of which some are needed, each of them once."""

    def __init__(self, number: int, segment_size: int = 300, size: int = 50) -> None:
        self.files, self.log = create(segment_size)
        self.size = size
        self.weights: dict[int, int] = {}
        self.bodies: dict[int, bytes] = {}
        self.append(number)

    def append(self, number: int) -> None:
        for _ in range(number):
            position, made = self.log.end + 32, body(len(self.bodies), self.size)
            self.log.append([record.encode(1, made)])
            self.bodies[position] = made
            self.weights[position] = len(made) + record.HEADER_SIZE
            self.log.account(position, 1, self.weights[position])
        self.log.sync()

    def drop(self, *positions: int) -> None:
        for position in positions:
            self.log.account(position, -1, -self.weights.pop(position))

    def keep(self, numbers: set[int]) -> None:
        self.drop(*[each for number, each in enumerate(self.weights) if number not in numbers])

    def begin(self, old: list[Segment]) -> Rewriting:
        needed = [each for each in sorted(self.weights) if old[0].base <= each < old[-1].end]
        return Rewriting(self.log, old, needed)

    def rewrite(self, old: list[Segment]) -> Segment:
        rewriting = self.begin(old)
        list(rewriting)
        self.log.replace(old, rewriting.new, rewriting.file_name)
        for segment in old[1:]:
            self.files.delete(segment.name)
        return rewriting.new

    def check(self, log: Log | None = None) -> None:
        log = log or self.log
        log._check()
        assert read_all(log, list(self.weights)) == [self.bodies[each] for each in self.weights]


# -- which


def dense(base: int, weight: int, size: int = SIZE) -> Segment:
    return Segment(base, base + size, size, entries=int(weight > 0), weight=weight)


def sparse(base: int, weight: int, basis: int, size: int = SIZE) -> Segment:
    index = Index(array("Q"), array("I"))
    return Segment(base, base + SIZE, size, index, 1, weight, basis)


def chosen(*segments: Segment, before: int = END) -> list[int]:
    """Which ones are worth rewriting, by their places. The last one of a log is not among them."""
    last = dense(END - SIZE, 0)
    log = Log(FaultyFiles(), IDENTITY, [*segments, last], END, SIZE)
    found = worth_rewriting(log, before)
    places = [log.segments.index(each) for each in found]
    assert places == list(range(places[0], places[0] + len(places))) if places else True
    assert len(segments) not in places
    return places


def test_nothing_is_rewritten_of_which_half_is_needed() -> None:
    assert chosen() == []
    assert chosen(dense(0, SIZE // 2), dense(SIZE, SIZE)) == []
    assert chosen(sparse(0, 50, 100, SIZE // 2)) == []
    assert worth_rewriting(Log(FaultyFiles(), IDENTITY, [], 0), END) == []


def test_a_segment_is_rewritten_when_less_than_half_is_needed() -> None:
    assert chosen(dense(0, SIZE // 2 - 1)) == [0]
    assert chosen(dense(0, SIZE), dense(SIZE, 0), dense(2 * SIZE, SIZE)) == [1]
    assert chosen(sparse(0, 49, 100, SIZE // 2)) == [0]


def test_neighbours_are_rewritten_into_one_as_long_as_that_is_no_larger_than_others() -> None:
    third = SIZE // 3
    segments = [dense(number * SIZE, third) for number in range(7)]
    assert chosen(*segments) == [0, 1, 2]
    assert chosen(segments[0], dense(SIZE, SIZE), *segments[2:4]) == [2, 3]


def test_what_does_not_end_below_the_position_is_left() -> None:
    segments = [dense(number * SIZE, 10) for number in range(4)]
    assert chosen(*segments, before=2 * SIZE) == [0, 1]
    assert chosen(*segments, before=2 * SIZE - 1) == [0]


def test_small_ones_are_merged_with_one_that_is_rewritten_anyway() -> None:
    small = SIZE // 8 - 1
    segments = [sparse(number * SIZE, small, small, small) for number in range(3)]
    assert chosen(*segments) == []
    assert chosen(*segments, dense(3 * SIZE, 100)) == [0, 1, 2, 3]
    assert chosen(*segments, sparse(3 * SIZE, SIZE // 8, SIZE // 8, SIZE // 8)) == []


def test_many_small_ones_are_merged_by_themselves() -> None:
    segments = [sparse(number * SIZE, 100, 100, 200) for number in range(reclaim.SMALL)]
    assert chosen(*segments) == list(range(reclaim.SMALL))
    assert chosen(*segments[1:]) == []


def test_a_dense_segment_that_is_small_is_not_merged_for_that() -> None:
    segments = [dense(number * SIZE, 90, 100) for number in range(reclaim.SMALL)]
    assert chosen(*segments) == []


def test_no_more_is_rewritten_into_one_than_an_index_can_point_into() -> None:
    # Of each record of many places one is left: it weighs little, and is copied as a whole.
    size = reclaim.MOST // 4
    segments = [dense(number * size, 10, size) for number in range(9)]
    assert chosen(*segments) == [0, 1, 2, 3]


# -- rewriting


def test_what_is_needed_is_read_as_before_and_the_rest_is_gone() -> None:
    needed = Needed(9)
    positions = list(needed.bodies)
    old = needed.log.segments[:3]
    needed.keep({0, 3, 4, 7, 8})
    needed.check()
    new = needed.rewrite(old)
    needed.check()
    assert (new.base, new.end, new.entries) == (0, old[-1].end, 3)
    assert new.weight == new.basis == sum(segment.weight for segment in old)
    assert needed.files.list()[new.name] == new.size
    assert len(needed.files.list()) == len(needed.log.segments) == 3
    with pytest.raises(LogDamaged, match=f"no record of position {positions[1]}"):
        needed.log.read([positions[1]])


def test_a_sparse_segment_can_be_rewritten_again() -> None:
    needed = Needed(20)
    needed.keep(set(range(0, 20, 2)))
    needed.rewrite(needed.log.segments[:3])
    needed.keep(set(range(0, 10, 3)))
    needed.rewrite(needed.log.segments[:4])
    needed.check()
    left = open_log(needed.files.after_power_cut(how="nothing"), needed.log.segments[1].base)
    needed.check(left.log)


def test_nothing_needed_makes_an_empty_segment() -> None:
    needed = Needed(6)
    needed.keep({5})
    new = needed.rewrite(needed.log.segments[:2])
    assert (new.entries, new.weight, new.basis) == (0, 0, 0)
    needed.check(open_log(needed.files, new.end).log)


def test_much_is_copied_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reclaim, "SLICE", 2000)
    needed = Needed(150, 1 << 20, 100)
    needed.log.roll()
    needed.append(1)
    old = needed.log.segments[:1]
    rewriting = needed.begin(old)
    copied = list(rewriting)
    assert len(copied) == 3, "64 records are read at a time"
    assert sum(copied) == sum(list(needed.weights.values())[:-1])
    needed.log.replace(old, rewriting.new, rewriting.file_name)
    needed.check()


def test_rewriting_stops_at_what_is_damaged() -> None:
    needed = Needed(6)
    file = needed.files.open(needed.log.segments[0].name)
    file.write(needed.log.segments[0].size - 30, b"\xff" * 3)
    file.close()
    with pytest.raises(LogDamaged):
        list(needed.begin(needed.log.segments[:2]))


def test_rewriting_can_be_given_up_at_any_point() -> None:
    needed = Needed(6)
    needed.log.close()
    rewriting = needed.begin(needed.log.segments[:2])
    steps = iter(rewriting)
    next(steps)
    del steps
    assert needed.files.opened == []
    assert rewriting.file_name.endswith(TEMPORARY)
    needed.check()
    assert open_log(needed.files).superfluous == [rewriting.file_name]


def test_when_rewriting_fails_the_log_is_as_it_was() -> None:
    for number in count():
        needed = Needed(9)
        needed.keep({0, 3, 8})
        needed.log.close()
        segments = list(needed.log.segments)
        needed.files.fail(at=number, code=errno.EIO, part=10)
        rewriting = needed.begin(segments[:3])
        try:
            list(rewriting)
            needed.log.replace(rewriting.old, rewriting.new, rewriting.file_name)
        except OSError:
            assert needed.log.segments == segments
            assert needed.files.opened == []
            needed.check()
            needed.check(open_log(needed.files.after_kill()).log)
        else:
            assert number > 4
            return


def test_a_new_file_that_took_its_place_is_used_even_if_that_is_not_on_the_disk() -> None:
    needed = Needed(9)
    old = needed.log.segments[:3]
    needed.keep({0, 1, 3, 4, 5, 8})
    rewriting = needed.begin(old)
    list(rewriting)
    needed.files.fail(kinds={"rename"}, done=True, code=errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        needed.log.replace(old, rewriting.new, rewriting.file_name)
    needed.log.close()
    needed.check()
    assert needed.log.segments[0].entries == 5
    since = rewriting.new.end
    for seed in range(10):
        needed.check(open_log(needed.files.after_power_cut(seed), since).log)


def test_at_every_operation_of_rewriting_the_power_may_go_off() -> None:
    for number in count():
        needed = Needed(12)
        needed.keep({0, 3, 4, 7, 9, 10, 11})
        needed.rewrite(needed.log.segments[:2])
        since = needed.log.segments[3].base
        needed.files.stop_at(needed.files.count + number)
        try:
            needed.rewrite(needed.log.segments[:3])
        except PowerCut:
            ended = False
        else:
            ended = True
        for seed in range(15):
            left = needed.files.after_power_cut(seed)
            needed.check(open_log(left, since).log)
            needed.check(open_log(left, since).log)
        needed.check(open_log(needed.files.after_kill(), since).log)
        if ended:
            assert number > 4
            return


@pytest.mark.parametrize("seed", range(5))
def test_a_log_that_is_rewritten_takes_twice_what_is_needed_and_its_last_segment(
    seed: int,
) -> None:
    random = Random(seed)
    needed = Needed(0, segment_size=20_000, size=1000)
    for _ in range(40):
        needed.append(random.randrange(1, 30))
        share = random.choice((0.02, 0.1, 0.4))
        needed.drop(*[each for each in needed.weights if random.random() < share])
        for segment in needed.log.take_dead(needed.log.end, []):
            needed.files.delete(segment.name)
        for rounds in count():
            old = worth_rewriting(needed.log, needed.log.end)
            if not old:
                break
            assert rounds < 50
            needed.rewrite(old)
        others = needed.log.segments[:-1]
        assert sum(each.size for each in others) <= 2.1 * sum(each.weight for each in others) + 200
        assert sum(needed.files.list().values()) <= 2.1 * needed.log.weight + 2 * 20_000
        needed.check()
    assert len(needed.log.segments) > 2
    since = needed.log.segments[-1].base
    needed.check(open_log(needed.files.after_power_cut(seed), since, 20_000).log)
