"""Opening finds which files belong to a log and where it ends, and changes nothing before."""

from __future__ import annotations

from array import array
from zlib import crc32

import pytest

from faulty import FaultyFiles
from minibroker.errors import LogDamaged, LogVersionUnknown
from minibroker.store import Recovery, Rewriting, record
from minibroker.store.segment import HEADER_SIZE, Index, Segment, encode_header, segment_name
from small_logs import IDENTITY, body, create, open_log, read_all


def filled(count: int, segment_size: int = 300) -> tuple[FaultyFiles, list[int]]:
    """A log of so many frames of 104 bytes + header, two for each segment; their records."""
    files, log = create(segment_size)
    positions: list[int] = []
    for number in range(count):
        positions.append(log.end + 32)
        log.append([record.encode(1, body(number, 50))])
        log.sync()
    log.close()
    return files, positions


def check_damaged(files: FaultyFiles, file: str, what: str, since: int = 0) -> None:
    before = files.contents()
    with pytest.raises(LogDamaged, match=what) as caught:
        open_log(files, since)
    assert caught.value.file == file
    assert files.contents() == before, "nothing is changed"
    assert files.opened == []


def test_an_empty_directory_is_a_log_that_begins_at_0() -> None:
    files = FaultyFiles()
    recovery = Recovery(files)
    assert list(recovery.frames()) == []
    log = recovery.finish(IDENTITY)
    assert (log.end, log.synced, log.segments, log.identity) == (0, 0, [], IDENTITY)
    assert files.contents() == {}


def test_without_segments_a_log_goes_on_where_its_owner_says() -> None:
    opened = open_log(FaultyFiles(), since=700)
    assert opened.log.end == 700
    opened.log.append([record.encode(1, b"x")])
    assert opened.log.segments[0].base == 700


def test_only_frames_from_a_position_on_are_read() -> None:
    files, positions = filled(7)
    for number, position in enumerate(positions):
        opened = open_log(files, since=position - 32)
        assert [found for found, _, _ in opened.found] == positions[number:]
        assert read_all(opened.log, positions) == [body(each, 50) for each in range(7)]
        opened.log.close()


def test_other_files_do_not_matter_and_temporary_ones_are_deleted() -> None:
    files, _ = filled(2)
    for name in ("lock", "5.checkpoint", "5.checkpoint.tmp", "00.segment.tmp"):
        files.create(name).close()
    opened = open_log(files)
    assert sorted(opened.superfluous) == ["00.segment.tmp", "5.checkpoint.tmp"]
    assert sorted(files.list()) == [segment_name(0), "5.checkpoint", "lock"]


def test_all_segments_carry_the_same_identity() -> None:
    files, _ = filled(4)
    other = encode_header(Segment(0, 0, HEADER_SIZE), b"o" * 16)
    contents = files.contents()
    first, second = sorted(contents)
    contents[first] = other + contents[first][HEADER_SIZE:]
    check_damaged(FaultyFiles(contents), second, "belongs to the log of another broker")
    recovery = Recovery(files, 0, IDENTITY)
    assert recovery.identity == IDENTITY
    with pytest.raises(LogDamaged):
        Recovery(files, 0, b"o" * 16)


def test_a_newer_version_is_named_wherever_it_is() -> None:
    files, _ = filled(4)
    contents = files.contents()
    for name in contents:
        fields = bytearray(contents[name][: HEADER_SIZE - 4])
        fields[8] = 9
        head = bytes(fields) + crc32(fields).to_bytes(4, "little")
        newer = FaultyFiles({**contents, name: head + contents[name][HEADER_SIZE:]})
        with pytest.raises(LogVersionUnknown, match=name):
            Recovery(newer)


def test_a_segment_that_is_missing_in_the_middle_is_named() -> None:
    files, positions = filled(6)
    names = sorted(files.list())
    for name in names[:2]:
        contents = files.contents()
        del contents[name]
        check_damaged(FaultyFiles(contents), name, "a segment is missing")
    contents = files.contents()
    del contents[names[0]]
    assert len(open_log(FaultyFiles(contents), since=positions[2] - 32).found) == 4
    assert len(open_log(FaultyFiles(contents), since=positions[4] - 32).found) == 2


def test_a_segment_that_was_shortened_is_damaged_unless_it_is_the_last() -> None:
    files, positions = filled(6)
    first, _, last = sorted(files.list())
    contents = files.contents()
    contents[first] = contents[first][:-1]
    gap = segment_name(positions[2] - 32 - 1)
    check_damaged(FaultyFiles(contents), gap, "a segment is missing")
    contents = files.contents()
    contents[last] = contents[last][: HEADER_SIZE + 10]
    check_damaged(FaultyFiles(contents), last, "shorter than it was", since=positions[5] - 32)
    assert len(open_log(FaultyFiles(contents)).found) == 4


def test_a_last_segment_that_was_never_finished_is_deleted() -> None:
    files, positions = filled(4)
    open_log(files)
    base = files.contents()
    end = positions[3] - 32 + 99
    whole = encode_header(Segment(end, end, HEADER_SIZE), IDENTITY)
    for content in (b"", whole[:30], bytes(HEADER_SIZE), bytes(5000), bytes(100) + b"x" * 50):
        left = FaultyFiles({**base, segment_name(end): content})
        opened = open_log(left)
        assert opened.superfluous == [segment_name(end)]
        assert len(opened.found) == 4
        assert left.contents() == base


def test_a_damaged_header_of_a_last_segment_with_frames_is_damage() -> None:
    files, _ = filled(3)
    contents = files.contents()
    last = max(contents)
    changed = b"\x88" + contents[last][1:HEADER_SIZE]
    for head in (bytes(HEADER_SIZE), b"?" * HEADER_SIZE, changed):
        wrong = FaultyFiles({**contents, last: head + contents[last][HEADER_SIZE:]})
        check_damaged(wrong, last, "the header of the segment is damaged")


def test_a_last_segment_of_which_a_frame_knew_that_it_was_synced_is_not_given_up() -> None:
    files, log = create(1 << 20)
    for number in range(3):
        log.append([record.encode(1, body(number, 300))])
        log.sync()
    ((name, content),) = files.contents().items()
    check_damaged(FaultyFiles({name: bytes(512) + content[512:]}), name, "a frame is missing")


def test_a_segment_that_was_given_up_ends_where_the_next_one_begins() -> None:
    files, positions = filled(4)
    contents = files.contents()
    first = min(contents)
    size = len(contents[first])
    contents[first] += b"what could not be synced and not be cut off either"
    opened = open_log(FaultyFiles(contents))
    assert opened.torn is None
    assert read_all(opened.log, positions) == [body(each, 50) for each in range(4)]
    assert opened.log.segments[0].size == size


# -- sparse segments


def rewritten(count: int = 6) -> tuple[FaultyFiles, list[int], int]:
    """A log whose first two segments are one, with every other record; needed from `since`."""
    files, positions = filled(count)
    log = open_log(files, segment_size=300).log
    old = log.segments[:2]
    rewriting = Rewriting(log, old, positions[:4:2])
    list(rewriting)
    log.replace(old, rewriting.new, rewriting.file_name)
    log.close()
    return files, positions, old[-1].end


def test_segments_that_were_merged_into_another_one_are_deleted() -> None:
    files, positions, since = rewritten()
    assert len(files.list()) == 3
    opened = open_log(files, since)
    assert opened.superfluous == [segment_name(positions[2] - 32)]
    assert len(files.list()) == 2
    needed = positions[:4:2] + positions[4:]
    assert read_all(opened.log, needed) == [body(each, 50) for each in (0, 2, 4, 5)]


def test_frames_of_a_sparse_segment_cannot_be_asked_for() -> None:
    files, positions, _ = rewritten()
    check_damaged(files, segment_name(0), "the frames of the segment are gone")
    check_damaged(files, segment_name(0), "the frames of the segment are gone", positions[1] - 32)


def test_a_sparse_segment_may_be_the_last_one() -> None:
    files, _, since = rewritten()
    contents = files.contents()
    last = max(contents)
    opened = open_log(FaultyFiles({**contents, last: b""}), since)
    assert opened.log.end == since
    assert [segment.index is None for segment in opened.log.segments] == [False]
    opened.log.append([record.encode(1, b"on we go")])
    opened.log.sync()
    opened.log._check()


def test_a_damaged_index_is_found_when_it_is_opened() -> None:
    files, _, since = rewritten()
    contents = files.contents()
    name = segment_name(0)
    for size in (HEADER_SIZE, HEADER_SIZE + 5, HEADER_SIZE + 16, len(contents[name]) - 1):
        cut = FaultyFiles({**contents, name: contents[name][:size]})
        check_damaged(cut, name, "the index is damaged", since)


def test_verifying_finds_what_was_changed_below_the_position() -> None:
    files, positions, _ = rewritten(8)
    contents = files.contents()
    for name in sorted(contents)[:3:2]:
        changed = bytearray(contents[name])
        changed[HEADER_SIZE + 50] ^= 1
        wrong = FaultyFiles({**contents, name: bytes(changed)})
        recovery = Recovery(wrong, positions[6] - 32)
        list(recovery.frames())
        with pytest.raises(LogDamaged) as caught:
            recovery.verify()
        assert caught.value.file == name
        assert wrong.opened == []


def test_a_sparse_segment_of_zeros_is_found_damaged() -> None:
    index = Index(array("Q", [9]), array("I", [HEADER_SIZE]))
    sparse = Segment(0, 500, HEADER_SIZE, index)
    content = encode_header(sparse, IDENTITY) + bytes(50) + index.encode()
    check_damaged(FaultyFiles({sparse.name: content}), sparse.name, "the record is damaged", 500)


# -- finishing


def test_finishing_cuts_what_is_torn_and_syncs_what_was_read() -> None:
    files, log = create()
    log.append([record.encode(1, body(1))])
    log.close()
    ((name, size),) = files.list().items()
    assert size > log.segments[0].size
    files.open(name).write(size, b"torn")
    left = files.after_kill()
    opened = open_log(left)
    assert opened.torn == (name, log.segments[0].size)
    assert left.list() == {name: log.segments[0].size}
    assert open_log(left.after_power_cut(how="nothing")).payloads == [body(1)]


def test_finishing_that_failed_can_be_done_again() -> None:
    files, _ = filled(3)
    for number in range(4):
        left = files.after_kill()
        left.create("1.tmp").close()
        left.fail(at=number)
        with pytest.raises(OSError, match="No space left"):
            open_log(left)
        assert left.opened == []
        assert len(open_log(left).found) == 3


def test_a_file_that_cannot_be_read_is_an_error_and_is_closed() -> None:
    files, _ = filled(3)
    for number in range(30):
        left = files.after_kill()
        left.fail(at=number, kinds={"read", "open", "list"})
        try:
            open_log(left)
        except OSError:
            assert left.opened == []
        else:
            assert number > 5
            return
    raise AssertionError
