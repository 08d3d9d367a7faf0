"""What a check finds, and that it agrees with a broker that opens the same files."""

from __future__ import annotations

import pytest

from faulty import FaultyFiles
from minibroker.errors import LogDamaged, LogVersionUnknown
from minibroker.inspection import check
from minibroker.journal.checkpoint import checkpoint_name
from minibroker.store.segment import HEADER_SIZE, Segment, encode_header

from .logs import checkpoint_of, counted, damaged, segments_of, small_log, sparse_of

Contents = dict[str, bytes]


def test_a_whole_log_has_no_problems_and_everything_is_counted(whole: Contents) -> None:
    report = check(FaultyFiles(whole))
    assert report.problems == []
    assert report.segments == len(segments_of(whole))
    assert report.size == sum(len(whole[name]) for name in segments_of(whole))
    assert report.queues == 4
    assert report.checkpoint == checkpoint_of(whole)
    assert report.torn is None
    assert report.messages == sum(counted(FaultyFiles(whole)).values()) + 6  # held by an exchange


def test_an_empty_directory_is_a_whole_log_with_nothing_in_it() -> None:
    report = check(FaultyFiles())
    assert report.problems == []
    assert list(report.summary())[-1] == "newest checkpoint: none"


@pytest.mark.parametrize("seed", range(4))
def test_every_flipped_bit_is_found_wherever_a_broker_finds_one(
    running: Contents, seed: int
) -> None:
    for name, data in running.items():
        used = len(data.rstrip(b"\0"))
        for offset in range(seed * 11, used, 97):
            files = FaultyFiles(damaged(running, name, offset, 1 << (offset % 8)))
            problems = check(files).problems
            try:
                counted(files)
            except LogDamaged:
                assert problems, f"{name}, offset {offset}: a broker refuses it"
            else:
                assert not problems, f"{name}, offset {offset}: a broker opens it: {problems}"


def test_a_check_changes_nothing(whole: Contents) -> None:
    files = FaultyFiles(damaged(whole, sparse_of(whole), 100))
    before = files.contents()
    check(files)
    assert files.contents() == before
    assert files.count == 0
    assert files.opened == []


def test_all_problems_are_reported_with_file_and_offset(whole: Contents) -> None:
    first, second, *_ = segments_of(whole)
    contents = damaged(damaged(whole, second, 100), checkpoint_of(whole), 300)
    contents = damaged(contents, first, 9)
    problems = check(FaultyFiles(contents)).problems
    assert {problem.file for problem in problems} >= {first, second, checkpoint_of(whole)}
    assert f"{first}, offset 0: the header of the segment is damaged" in map(str, problems)


def test_a_torn_end_is_no_damage(running: Contents) -> None:
    last = segments_of(running)[-1]
    used = len(running[last].rstrip(b"\0"))
    report = check(FaultyFiles({**running, last: running[last][: used - 20]}))
    assert report.problems == []
    assert report.torn is not None
    assert report.torn[0] == last
    assert any(line.startswith(f"torn end: {last}, offset ") for line in report.summary())


def test_a_missing_segment_behind_the_checkpoint_is_a_gap() -> None:
    contents = small_log(vhosts=100)
    assert check(FaultyFiles(contents)).problems == []
    names = segments_of(contents)
    for name in names[:-1]:
        problems = check(FaultyFiles({**contents, name: b""})).problems
        assert problems
        rest = {each: contents[each] for each in names if each != name}
        gap = f"{name}, offset 0: the log has a gap: a segment is missing"
        assert gap in map(str, check(FaultyFiles(rest)).problems)


def test_a_missing_segment_before_the_checkpoint_is_told_by_its_entries(whole: Contents) -> None:
    name = sparse_of(whole)
    contents = {each: data for each, data in whole.items() if each != name}
    problems = check(FaultyFiles(contents)).problems
    assert problems
    assert all("nothing is at position" in problem.what for problem in problems)
    assert all("'jobs' in vhost '/'" in problem.what for problem in problems)


def test_a_segment_of_another_broker_is_told(whole: Contents) -> None:
    name = segments_of(whole)[-1]
    base = int(name.partition(".")[0])
    header = encode_header(Segment(base, base, HEADER_SIZE), b"another broker's")
    contents = {**whole, name: header + whole[name][HEADER_SIZE:]}
    whats = {problem.what for problem in check(FaultyFiles(contents)).problems}
    assert "the segment belongs to the log of another broker" in whats


def test_files_that_a_broker_would_delete_are_no_damage(whole: Contents) -> None:
    contents = {**whole, "00000000000000000000.segment.tmp": b"x", checkpoint_name(1): b"y"}
    report = check(FaultyFiles(contents))
    assert report.problems == []
    assert list(report.summary())[-1] == (
        f"left over, not needed: 00000000000000000000.segment.tmp, {checkpoint_name(1)}"
    )


def test_a_newer_version_is_nothing_to_look_at(whole: Contents) -> None:
    name = segments_of(whole)[0]
    base = int(name.partition(".")[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minibroker.store.segment.VERSION", 3)
        header = encode_header(Segment(base, base, HEADER_SIZE), bytes(16))
    with pytest.raises(LogVersionUnknown, match="format 3"):
        check(FaultyFiles({**whole, name: header}))
