"""A segment's file says which one it is, and an index where in it a record is."""

from __future__ import annotations

import sys
from array import array
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.errors import LogDamaged, LogVersionUnknown
from minibroker.store import segment
from minibroker.store.segment import HEADER_SIZE, Index, Segment
from small_logs import IDENTITY

NUMBERS = st.integers(0, 2**64 - 1)


def index(**offsets: int) -> Index:
    """An index of positions p1=offset, p2=offset and so on."""
    positions = [int(name[1:]) for name in offsets]
    return Index(array("Q", positions), array("I", offsets.values()))


@given(st.integers(0, 2**63), st.integers(0, 2**20), NUMBERS)
def test_the_header_of_a_dense_segment_is_read_back_with_its_end_from_the_file_s_size(
    base: int, length: int, basis: int
) -> None:
    made = Segment(base, base, HEADER_SIZE, basis=basis)
    head = segment.encode_header(made, IDENTITY)
    assert len(head) == HEADER_SIZE
    found, identity = segment.parse_header(head, made.name, HEADER_SIZE + length)
    assert (found.base, found.end, found.basis) == (base, base + length, basis)
    assert found.size == HEADER_SIZE + length
    assert found.index is None
    assert identity == IDENTITY


def test_the_header_of_a_sparse_segment_says_where_it_ends() -> None:
    made = Segment(100, 900, 300, index(p100=60), basis=40)
    head = segment.encode_header(made, IDENTITY)
    found, _ = segment.parse_header(head, made.name, 300)
    assert (found.base, found.end, found.size, found.basis) == (100, 900, 300, 40)
    assert found.index is not None
    assert len(found.index.positions) == 0


@pytest.mark.parametrize("bit", range(0, 8 * HEADER_SIZE, 3))
def test_a_header_with_a_changed_bit_is_damaged_and_was_written_once(bit: int) -> None:
    made = Segment(100, 100, HEADER_SIZE)
    head = bytearray(segment.encode_header(made, IDENTITY))
    head[bit // 8] ^= 1 << bit % 8
    with pytest.raises(LogDamaged, match="offset 0: the header of the segment") as caught:
        segment.parse_header(bytes(head), made.name, 500)
    assert caught.value.file == made.name
    assert segment.was_written(bytes(head), made.name)


def test_a_header_under_another_name_is_damaged() -> None:
    head = segment.encode_header(Segment(100, 100, HEADER_SIZE), IDENTITY)
    with pytest.raises(LogDamaged):
        segment.parse_header(head, segment.segment_name(101), 500)


def test_a_header_that_is_not_all_there_was_never_written() -> None:
    made = Segment(100, 100, HEADER_SIZE)
    head = segment.encode_header(made, IDENTITY)
    for part in (b"", head[:-1], head[:-4] + bytes(4), bytes(HEADER_SIZE)):
        assert not segment.was_written(part, made.name)
        with pytest.raises(LogDamaged):
            segment.parse_header(part, made.name, len(part))
    assert not segment.was_written(b"?" * HEADER_SIZE, made.name)


def test_a_newer_format_is_named() -> None:
    made = Segment(100, 100, HEADER_SIZE)
    fields = bytearray(segment.encode_header(made, IDENTITY)[:-4])
    fields[8] = segment.VERSION + 1
    head = bytes(fields) + crc32(fields).to_bytes(4, "little")
    with pytest.raises(LogVersionUnknown, match=f"{made.name} has format 3, known is up to 2"):
        segment.parse_header(head, made.name, 500)


def test_names_are_in_the_order_of_positions() -> None:
    bases = [0, 9, 10, 99, 2**63, 2**64 - 1]
    names = [segment.segment_name(base) for base in bases]
    assert names == sorted(names)
    assert names[0] == "00000000000000000000.segment"
    assert all(map(segment.is_segment, names))


@pytest.mark.parametrize(
    "name", ["lock", "segment", ".segment", "x.segment", "1.segment.tmp", "٣.segment"]
)
def test_other_names_are_not_those_of_segments(name: str) -> None:
    assert not segment.is_segment(name)


def test_in_a_dense_segment_a_position_is_a_place_in_the_file() -> None:
    made = Segment(100, 200, HEADER_SIZE + 100)
    assert made.offset(100) == HEADER_SIZE
    assert made.offset(150) == HEADER_SIZE + 50


def test_in_a_sparse_segment_a_position_is_looked_up() -> None:
    made = Segment(100, 200, 500, index(p100=60, p150=70, p199=90))
    assert [made.offset(position) for position in (100, 150, 199)] == [60, 70, 90]
    assert [made.offset(position) for position in (99, 101, 151, 200)] == [None] * 4


@given(st.lists(st.tuples(NUMBERS, st.integers(0, 2**32 - 1)), max_size=20))
def test_an_index_is_read_back(rows: list[tuple[int, int]]) -> None:
    made = Index(array("Q", [row[0] for row in rows]), array("I", [row[1] for row in rows]))
    found = Index.parse(made.encode(), "a file", 7)
    assert (found.positions, found.offsets) == (made.positions, made.offsets)


def test_an_index_is_the_same_bytes_on_a_machine_of_the_other_endianness(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoded = index(p1=2, p3=4).encode()
    other = "little" if sys.byteorder == "big" else "big"
    swapped = Index(array("Q", [1, 3]), array("I", [2, 4]))
    swapped.positions.byteswap()
    swapped.offsets.byteswap()
    monkeypatch.setattr(segment, "byteorder", other)
    assert swapped.encode() == encoded
    found = Index.parse(encoded, "a file", 0)
    assert (found.positions, found.offsets) == (swapped.positions, swapped.offsets)


def test_an_index_with_a_changed_bit_is_damaged() -> None:
    encoded = index(p1=2, p3=4).encode()
    for bit in range(8 * len(encoded)):
        changed = bytearray(encoded)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(LogDamaged, match="a file, offset 7: the index is damaged"):
            Index.parse(bytes(changed), "a file", 7)


def test_an_index_that_is_cut_is_damaged() -> None:
    encoded = index(p1=2).encode()
    for size in range(len(encoded)):
        with pytest.raises(LogDamaged):
            Index.parse(encoded[:size], "a file", 0)


def test_a_segment_checks_itself() -> None:
    Segment(0, 0, 60)._check()
    Segment(0, 9, 69, entries=1, weight=9)._check()
    Segment(0, 9, 69, entries=1)._check()
    for wrong in (
        Segment(9, 0, 60),
        Segment(0, 9, 69, weight=9),
        Segment(0, 9, 69, entries=-1),
        Segment(0, 9, 69, entries=1, weight=-1),
    ):
        with pytest.raises(AssertionError):
            wrong._check()
