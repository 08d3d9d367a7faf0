"""Records are read by their positions, few files stay open, and what lies close is read at once."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import pytest

from faulty import FaultyFiles
from minibroker.errors import LogDamaged
from minibroker.store import readers, record
from minibroker.store.segment import HEADER_SIZE, Index, Segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minibroker.store import File


class Watched:
    """A file that tells what was read of it."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.reads: list[tuple[int, int]] = []

    def read(self, offset: int, size: int) -> bytes:
        self.reads.append((offset, size))
        return self.file.read(offset, size)

    def write(self, offset: int, data: bytes) -> None:
        raise NotImplementedError

    def sync(self) -> None:
        raise NotImplementedError

    def resize(self, size: int) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.file.close()


def made(*sizes: int) -> tuple[Watched, Segment, list[int], list[tuple[int, bytes]]]:
    """A dense segment of records of these sizes, and what has to be read at which positions."""
    content = bytearray(HEADER_SIZE)
    positions: list[int] = []
    records: list[tuple[int, bytes]] = []
    for number, size in enumerate(sizes):
        positions.append(1000 + len(content) - HEADER_SIZE)
        records.append((number % 200 + 1, bytes([number % 256]) * size))
        content += record.encode(*records[-1])
    segment = Segment(1000, 1000 + len(content) - HEADER_SIZE, len(content))
    files = FaultyFiles({segment.name: bytes(content)})
    return Watched(files.open(segment.name)), segment, positions, records


def test_records_that_lie_close_together_are_read_together() -> None:
    file, segment, positions, records = made(*[100] * 50)
    assert readers.read_records(file, segment, positions) == records
    assert len(file.reads) == 1


def test_one_record_is_read_with_little_else() -> None:
    file, segment, positions, records = made(*[100] * 5000)
    assert readers.read_records(file, segment, positions[70:71]) == records[70:71]
    assert [size for _, size in file.reads] == [readers.LEAST]


def test_records_that_lie_far_apart_are_read_each_for_itself() -> None:
    file, segment, positions, records = made(*[100] * 2000)
    assert readers.read_records(file, segment, positions[::500]) == records[::500]
    assert [size for _, size in file.reads] == [readers.LEAST] * 4


def test_many_records_are_read_in_pieces() -> None:
    file, segment, positions, records = made(*[1000] * 2000)
    assert readers.read_records(file, segment, positions) == records
    assert 5 < len(file.reads) < 20
    assert max(size for _, size in file.reads) == readers.MOST


@pytest.mark.parametrize("size", [0, 1, 4086, 4087, 4088, 20_000, 300_000, 2_000_000])
def test_a_record_of_any_size_is_read_whole(size: int) -> None:
    file, segment, positions, records = made(10, size, 20, size, 0)
    for some in (slice(None), slice(1, 2), slice(3, None), slice(None, None, 2)):
        assert readers.read_records(file, segment, positions[some]) == records[some]


def test_positions_in_any_order_are_read_all_the_same() -> None:
    file, segment, positions, records = made(*[100] * 3)
    found = readers.read_records(file, segment, positions[::-1])
    assert found == records[::-1]


def test_a_position_that_a_sparse_segment_does_not_have_is_damage() -> None:
    file, segment, positions, records = made(5, 6)
    segment.index = Index(
        array("Q", [7, positions[0]]), array("I", [HEADER_SIZE + 14, HEADER_SIZE])
    )
    assert readers.read_records(file, segment, [7, positions[0]]) == records[::-1]
    with pytest.raises(LogDamaged, match=f"no record of position {positions[1]}"):
        readers.read_records(file, segment, [positions[1]])


def check_damaged(file: Watched, segment: Segment, positions: Sequence[int]) -> None:
    with pytest.raises(LogDamaged, match="the record is damaged") as caught:
        readers.read_records(file, segment, positions)
    assert caught.value.file == segment.name
    assert caught.value.offset == segment.offset(positions[-1])


def test_what_is_no_record_is_damage_and_nothing_large_is_read_because_of_it() -> None:
    file, segment, positions, _ = made(50, 50, 50)
    check_damaged(file, segment, [positions[0], positions[1] + 1])
    check_damaged(file, segment, [segment.end - 5])
    check_damaged(file, segment, [segment.end + 100])
    assert max(size for _, size in file.reads) < 2 * readers.LEAST
    zeros = FaultyFiles({segment.name: bytes(500)})
    check_damaged(Watched(zeros.open(segment.name)), segment, positions[:1])


def some_segments(count: int) -> tuple[FaultyFiles, list[Segment]]:
    segments = [Segment(base, base + 1, 60) for base in range(count)]
    return FaultyFiles({segment.name: b"%d" % segment.base for segment in segments}), segments


def test_the_files_used_last_stay_open_and_no_more_of_them() -> None:
    files, segments = some_segments(readers.MOST_FILES + 3)
    opened = readers.Readers(files)
    first = opened.file(segments[0])
    for segment in segments[1 : readers.MOST_FILES]:
        opened.file(segment)
    assert opened.file(segments[0]) is first
    for segment in segments:
        assert opened.file(segment).read(0, 9) == b"%d" % segment.base
    assert opened.file(segments[-1]) is opened.file(segments[-1])
    assert len(files.opened) == readers.MOST_FILES
    opened.close()
    assert files.opened == []


def test_a_file_that_was_used_again_outlives_those_opened_after_it() -> None:
    files, segments = some_segments(readers.MOST_FILES + 1)
    opened = readers.Readers(files)
    first, second = opened.file(segments[0]), opened.file(segments[1])
    for segment in segments[2:-1]:
        opened.file(segment)
    opened.file(segments[0])
    opened.file(segments[-1])
    assert opened.file(segments[0]) is first
    assert opened.file(segments[1]) is not second
    opened.close()


def test_a_file_that_was_forgotten_is_opened_anew() -> None:
    files, segments = some_segments(2)
    opened = readers.Readers(files)
    opened.file(segments[0])
    files.create(segments[0].name).write(0, b"new")
    opened.forget(segments[0])
    opened.forget(segments[1])
    assert opened.file(segments[0]).read(0, 9) == b"new"
