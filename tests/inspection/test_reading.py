"""Reading on behind damage: what is skipped, and that nothing is searched for inside bodies."""

from __future__ import annotations

import pytest

from faulty import FaultyFiles
from minibroker.inspection.reading import Dense, Hole, Record, records_of
from minibroker.journal.kinds import MESSAGE, USER_ADDED
from minibroker.store import Segment, frame, record
from minibroker.store.segment import HEADER_SIZE, segment_name

RECORDS = [record.encode(MESSAGE, bytes([65 + number]) * 40) for number in range(4)]
SIZE = len(RECORDS[0])


def read(data: bytes, search: bool = False) -> list[Record | Hole]:
    """The records of some bytes."""
    return list(records_of(data, "file", 0, 32, search))


def letters(items: list[Record | Hole]) -> str:
    """The first letter of each record, and a dot for each hole."""
    return "".join("." if isinstance(item, Hole) else chr(item.payload[0]) for item in items)


def flipped(data: bytes, *offsets: int) -> bytes:
    """The same bytes with one bit of some of them changed."""
    changed = bytearray(data)
    for offset in offsets:
        changed[offset] ^= 4
    return bytes(changed)


def test_whole_records_are_given_with_offset_and_position() -> None:
    items = read(b"".join(RECORDS))
    assert letters(items) == "ABCD"
    assert items[2] == Record("file", 2 * SIZE, 32 + 2 * SIZE, MESSAGE, b"C" * 40)


@pytest.mark.parametrize("offset", range(4, SIZE))
def test_a_damaged_record_is_skipped_by_its_length(offset: int) -> None:
    items = read(flipped(b"".join(RECORDS), SIZE + offset))
    assert letters(items) == "A.CD"
    hole = items[1]
    assert isinstance(hole, Hole)
    assert (hole.start, hole.end) == (SIZE, 2 * SIZE)


@pytest.mark.parametrize("offset", range(4))
def test_a_damaged_length_is_found_by_the_checksum(offset: int) -> None:
    assert letters(read(flipped(b"".join(RECORDS), SIZE + offset))) == "A.BCD"


def test_behind_a_damaged_length_and_checksum_the_rest_is_skipped() -> None:
    assert letters(read(flipped(b"".join(RECORDS), SIZE, SIZE + 20))) == "A."


def test_with_a_search_it_goes_on_where_records_lead_to_the_end() -> None:
    assert letters(read(flipped(b"".join(RECORDS), SIZE, SIZE + 20), search=True)) == "A.CD"


def test_a_record_inside_a_body_is_not_taken_for_one() -> None:
    forged = record.encode(MESSAGE, b"X" + record.encode(USER_ADDED, b"forged"))
    items = read(flipped(b"".join([RECORDS[0], forged, RECORDS[1]]), SIZE, SIZE + 10))
    assert letters(items) == "A."


def test_zeros_are_no_records() -> None:
    assert letters(read(bytes(90))) == "."


class Frames:
    """A dense segment with a frame for each record."""

    def __init__(self) -> None:
        self.segment = Segment(0, 0, HEADER_SIZE)
        self.data = bytes(HEADER_SIZE)
        self.starts: list[int] = []
        for number, each in enumerate(RECORDS):
            self.starts.append(len(self.data))
            position = len(self.data) - HEADER_SIZE
            self.data += frame.encode(position, position if number else 0, each)

    def read(self, data: bytes, limit: int | None = None) -> tuple[str, Dense]:
        """What is in the segment with these bytes."""
        files = FaultyFiles({segment_name(0): data})
        dense = Dense(files.open(segment_name(0)), self.segment, len(data), limit)
        return letters(list(dense)), dense


def test_each_damaged_byte_of_a_frame_costs_one_record_at_the_most() -> None:
    frames = Frames()
    start, end = frames.starts[1], frames.starts[2]
    for offset in range(start, end - 4):
        found, dense = frames.read(flipped(frames.data, offset))
        assert found in {"A.BCD", "A.CD"}, f"offset {offset - start}"
        assert dense.end == len(frames.data) - HEADER_SIZE
        assert not dense.torn


def test_room_behind_the_last_frame_is_no_damage() -> None:
    frames = Frames()
    found, dense = frames.read(frames.data + bytes(1000))
    assert found == "ABCD"
    assert not dense.torn


def test_a_write_that_was_cut_short_is_torn() -> None:
    frames = Frames()
    found, dense = frames.read(frames.data[:-30] + bytes(1000))
    assert found == "ABC"
    assert dense.torn
    assert dense.end == frames.starts[3] - HEADER_SIZE


def test_a_segment_that_another_one_follows_has_no_torn_end() -> None:
    frames = Frames()
    found, dense = frames.read(frames.data[:-30], limit=len(frames.data) - HEADER_SIZE)
    assert found == "ABC."
    assert not dense.torn
