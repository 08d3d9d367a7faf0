"""A log keeps records in order, in segments, and finds them again by their positions."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faulty import FaultyFiles
from minibroker.errors import LogDamaged
from minibroker.store import FRAME_END, FRAME_HEADER, Log, Rewriting, Segment, record
from minibroker.store.log import LEAST_ROOM
from minibroker.store.segment import HEADER_SIZE
from small_logs import SEGMENT, body, create, fill, open_log, read_all


def test_records_are_read_by_their_positions_before_and_after_a_sync() -> None:
    _, log = create()
    first, second, third = fill(log, 10, 20, 700)
    for _ in range(2):
        assert log.read([first, third]) == [(1, body(0, 10)), (1, body(2, 700))]
        assert log.read([second]) == [(1, body(1, 20))]
        assert log.read([]) == []
        log.sync()
    log._check()


def test_a_frame_holds_all_records_of_a_commit_one_behind_the_other() -> None:
    _, log = create()
    encoded = [record.encode(kind, b"x" * kind) for kind in (1, 2, 3)]
    log.append(encoded)
    position = FRAME_HEADER
    for kind, each in enumerate(encoded, 1):
        assert log.read([position]) == [(kind, b"x" * kind)]
        position += len(each)
    assert log.end == position + FRAME_END


def test_what_was_appended_is_unsynced_until_a_sync() -> None:
    files, log = create()
    fill(log, 10)
    assert (log.unsynced, log.synced) == (log.end, 0)
    log.sync()
    assert (log.unsynced, log.synced) == (0, log.end)
    count = files.count
    log.sync()
    assert files.count == count, "there is nothing to sync"


def test_a_segment_that_is_full_is_synced_and_gives_back_its_room() -> None:
    files, log = create(segment_size=400)
    fill(log, 100, 100, 100)
    first, second = log.segments
    assert files.list()[first.name] == first.size <= 400
    assert log.synced == first.end == second.base
    assert open_log(files.after_power_cut(how="nothing")).payloads == [body(0), body(1)]


def test_a_frame_larger_than_a_segment_has_one_for_itself() -> None:
    files, log = create(segment_size=400)
    positions = fill(log, 10, 2000, 10)
    assert [segment.base + FRAME_HEADER for segment in log.segments] == positions
    log.sync()
    assert len(open_log(files).found) == 3


def test_a_segment_gets_room_ahead_and_never_more_than_a_segment_is_large() -> None:
    files, log = create(segment_size=1 << 20)
    fill(log, 10)
    assert LEAST_ROOM <= files.list()[log.segments[0].name] <= LEAST_ROOM + 200
    fill(log, 200_000)
    assert files.list()[log.segments[0].name] == 1 << 20
    resizes = files.history.count(f"resize {log.segments[0].name}")
    fill(log, *[100] * 100)
    assert files.history.count(f"resize {log.segments[0].name}") == resizes == 2


def test_on_a_disk_that_is_nearly_full_a_segment_gets_no_more_room_than_it_takes() -> None:
    files, log = create(segment_size=1 << 20)
    files.fail(kinds={"resize"})
    fill(log, 10)
    assert files.list() == {log.segments[0].name: log.segments[0].size}
    assert not log.broken
    files.fail(kinds={"resize"}, times=2)
    with pytest.raises(OSError, match="No space left"):
        fill(log, 10)
    log.sync()
    assert len(open_log(files.after_power_cut(how="nothing")).found) == 2


def test_a_frame_that_takes_all_of_a_segment_asks_for_room_once() -> None:
    files, log = create(segment_size=300)
    files.fail(kinds={"resize"})
    with pytest.raises(OSError, match="No space left"):
        fill(log, 400)
    assert [each for each in files.history if each.startswith("resize")] == [
        "resize 00000000000000000000.segment"
    ]


def test_rolling_syncs_and_the_next_frame_begins_another_segment() -> None:
    files, log = create()
    log.roll()
    assert log.segments == []
    fill(log, 10, 20)
    log.roll()
    log.roll()
    assert log.synced == log.end
    assert files.list() == {log.segments[0].name: log.segments[0].size}
    end = log.end
    fill(log, 30)
    log.sync()
    assert [segment.base for segment in log.segments] == [0, end]
    log._check()


def test_rolling_an_empty_segment_leaves_it_to_the_next_frame() -> None:
    _, log = create()
    log.broken = True
    log.sync()
    assert [segment.size for segment in log.segments] == [HEADER_SIZE]
    log.roll()
    positions = fill(log, 10)
    log.sync()
    assert len(log.segments) == 1
    assert read_all(log, positions) == [body(0, 10)]


def test_a_log_that_was_opened_goes_on_in_its_last_segment() -> None:
    files, log = create()
    fill(log, 10, 20)
    log.sync()
    log.close()
    assert files.opened == []
    opened = open_log(files)
    fill(opened.log, 30)
    opened.log.sync()
    assert len(files.list()) == 1
    assert open_log(files).payloads == [body(0, 10), body(1, 20), body(0, 30)]


def test_nothing_is_at_a_position_beyond_the_log_or_in_what_is_gone() -> None:
    _, log = create(segment_size=300)
    with pytest.raises(LogDamaged, match="nothing is at position 0"):
        log.find(0)
    positions = fill(log, 100, 100, 100)
    log.sync()
    assert [log.find(position) for position in positions] == log.segments
    with pytest.raises(LogDamaged, match=f"nothing is at position {log.end}"):
        log.read([log.end])
    log.segments.pop(1)
    with pytest.raises(LogDamaged):
        log.read([positions[1]])
    assert len(log.read([positions[0], positions[2]])) == 2


# -- what is needed


def test_sizes_and_weights_are_those_of_all_segments() -> None:
    _, log = create(segment_size=300)
    positions = fill(log, 100, 100)
    log.sync()
    log.account(positions[0], 1, 113)
    log.account(positions[1], 2, 50)
    assert log.weight == 163
    log.account(positions[1], -1, -20)
    assert [(segment.entries, segment.weight) for segment in log.segments] == [(1, 113), (1, 30)]
    assert log.size == sum(segment.size for segment in log.segments)
    log._check()


def three(entries: int = 0) -> tuple[FaultyFiles, Log]:
    """A log of three segments that are needed by so many."""
    files, log = create(segment_size=300)
    for position in fill(log, 100, 100, 100):
        log.account(position, entries, entries)
    log.sync()
    return files, log


def test_dead_are_those_that_nobody_needs_below_a_position_and_not_the_last() -> None:
    _, log = three()
    first, second, third = log.segments
    log.read([FRAME_HEADER])
    assert log.take_dead(0, []) == []
    assert log.take_dead(log.end, [first]) == [second]
    assert log.take_dead(first.end, []) == [first]
    assert log.take_dead(log.end, []) == []
    assert log.segments == [third]
    _, log = three(entries=1)
    assert log.take_dead(log.end, []) == []
    assert Log(FaultyFiles(), bytes(16), [], 0).take_dead(9, []) == []


def test_the_last_segment_that_is_on_the_disk_is_never_dead() -> None:
    files, log = three()
    log.roll()
    since = log.end
    fill(log, 10)
    first, second, third, fourth = log.segments
    assert log.take_dead(since, []) == [first, second]
    for segment in (first, second):
        files.delete(segment.name)
    opened = open_log(files.after_power_cut(how="nothing"), since)
    assert (opened.log.end, opened.found) == (since, [])
    log.sync()
    assert log.take_dead(since, []) == [third]
    assert log.segments == [fourth]


def test_a_log_checks_itself() -> None:
    _, log = three()
    log._check()
    for segments, end, synced in (
        ([Segment(0, 10, 70), Segment(5, 20, 75)], 20, 20),
        ([Segment(0, 10, 70)], 20, 20),
        ([Segment(0, 10, 70)], 10, 11),
    ):
        wrong = Log(FaultyFiles(), bytes(16), segments, end)
        wrong.synced = synced
        with pytest.raises(AssertionError):
            wrong._check()


def sparse_for(log: Log, old: list[Segment]) -> tuple[Segment, str]:
    """A new segment in place of others, and the file that it was written to."""
    rewriting = Rewriting(log, old, [segment.base + FRAME_HEADER for segment in old])
    list(rewriting)
    return rewriting.new, rewriting.file_name


def test_a_segment_in_place_of_others_is_read_and_counts_as_they_did() -> None:
    _, log = three(entries=4)
    positions = [segment.base + FRAME_HEADER for segment in log.segments]
    before = read_all(log, positions)
    old = log.segments[:2]
    new, file_name = sparse_for(log, old)
    log.replace(old, new, file_name)
    assert log.segments[0] is new
    assert len(log.segments) == 2
    assert (new.entries, new.weight) == (8, 8)
    assert read_all(log, positions) == before
    log._check()


def test_a_segment_that_could_not_be_put_in_place_changes_nothing() -> None:
    files, log = three()
    old = log.segments[:]
    new, file_name = sparse_for(log, old[:2])
    files.fail(kinds={"rename"})
    with pytest.raises(OSError, match="No space left"):
        log.replace(old[:2], new, file_name)
    assert log.segments == old


def test_a_segment_whose_place_is_only_not_certain_is_the_one_that_is_read() -> None:
    files, log = three()
    positions = [segment.base + FRAME_HEADER for segment in log.segments]
    before = read_all(log, positions)
    old = log.segments[:2]
    new, file_name = sparse_for(log, old)
    files.fail(kinds={"rename"}, done=True)
    with pytest.raises(OSError, match="No space left"):
        log.replace(old, new, file_name)
    assert log.segments[0] is new
    assert read_all(log, positions) == before


# -- when writing fails


def test_what_could_not_be_written_is_kept_and_written_by_a_later_sync() -> None:
    files, log = create()
    positions = fill(log, 10)
    log.sync()
    files.fail(times=None)
    with pytest.raises(OSError, match="No space left"):
        log.append([record.encode(1, body(1))])
    log.append([record.encode(1, body(2))])
    for _ in range(2):
        with pytest.raises(OSError, match="No space left"):
            log.sync()
        assert log.broken
    files.heal()
    log.sync()
    assert not log.broken
    assert (log.synced, log.unsynced) == (log.end, 0)
    assert [segment.base for segment in log.segments] == [0, log.segments[0].end]
    assert read_all(log, positions) == [body(0, 10)]
    left = open_log(files.after_power_cut(how="nothing"))
    assert left.payloads == [body(0, 10), body(1), body(2)]


def test_rolling_that_failed_leaves_the_log_in_need_of_a_new_segment() -> None:
    for kind in ("sync", "resize", "open"):
        files, log = create()
        fill(log, 10)
        log.sync()
        log._forget_file()
        files.fail(kinds={kind}, code=errno.EIO, drops=True)
        with pytest.raises(OSError, match="Input/output"):
            log.roll()
        assert log.broken
        fill(log, 20)
        log.roll()
        assert [segment.base for segment in log.segments] == [0, log.segments[0].end]
        assert files.list()[log.segments[0].name] == log.segments[0].size
        left = open_log(files.after_power_cut(how="nothing"))
        assert left.payloads == [body(0, 10), body(0, 20)]


# -- against a list

STEPS = st.lists(
    st.one_of(
        st.lists(st.integers(0, 300), min_size=1, max_size=4),
        st.sampled_from(["sync", "roll", "reopen", "power cut", "fail", "heal"]),
    ),
    max_size=25,
)


class Pair:
    """A log, and the list of all that it has to hold."""

    def __init__(self) -> None:
        self.files, self.log = create(segment_size=700)
        self.rows: list[tuple[int, int, bytes]] = []
        self.synced = 0

    def append(self, sizes: list[int]) -> None:
        encoded: list[bytes] = []
        position = self.log.end + FRAME_HEADER
        for size in sizes:
            row = (position, len(self.rows) % 255 + 1, body(len(self.rows), size))
            self.rows.append(row)
            encoded.append(record.encode(*row[1:]))
            position += len(encoded[-1])
        self.log.append(encoded)

    def do(self, step: str) -> None:
        if step == "sync":
            self.log.sync()
            self.synced = len(self.rows)
        elif step == "roll":
            self.log.roll()
            self.synced = len(self.rows)
        elif step == "fail":
            self.files.fail(at=len(self.rows) % 5, code=errno.EIO, part=17, drops=True)
        elif step == "heal":
            self.files.heal()
        else:
            self.reopen(power_cut=step == "power cut")

    def reopen(self, power_cut: bool) -> None:
        self.log.close()
        self.files = self.files.after_power_cut(1) if power_cut else self.files.after_kill()
        opened = open_log(self.files, segment_size=700)
        assert self.synced <= len(opened.found) <= len(self.rows)
        self.rows = self.rows[: len(opened.found)]
        assert opened.found == self.rows
        self.log, self.synced = opened.log, len(self.rows)


@given(STEPS)
def test_a_log_is_like_a_list_whatever_happens_to_it(steps: list[str | list[int]]) -> None:
    pair = Pair()
    for step in steps:
        try:
            pair.do(step) if isinstance(step, str) else pair.append(step)
        except OSError:
            assert pair.log.broken
        pair.log._check()
        if not pair.log.broken:
            found = pair.log.read([position for position, _, _ in pair.rows])
            assert found == [(kind, payload) for _, kind, payload in pair.rows]
    pair.files.heal()
    pair.do("sync")
    pair.reopen(power_cut=True)


def test_a_log_of_the_usual_size_of_segments_is_made_by_default() -> None:
    assert SEGMENT < Log(FaultyFiles(), bytes(16), [], 0).segment_size == 64 << 20
