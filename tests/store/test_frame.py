"""A frame knows its place; what is wrong with one was torn, or else changed."""

from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.store import frame

POSITIONS = st.integers(0, 2**64 - 1)


@given(POSITIONS, POSITIONS, st.binary(max_size=100), st.binary(max_size=9))
def test_the_header_of_a_frame_is_read_back(
    position: int, synced: int, records: bytes, before: bytes
) -> None:
    encoded = frame.encode(position, synced, records)
    header = frame.parse(before + encoded, len(before))
    assert header is not None
    assert (header.position, header.synced, header.length) == (position, synced, len(records))
    assert header.end == position + len(encoded)
    assert encoded[frame.HEADER_SIZE :] == records + frame.END
    assert len(encoded) == frame.OVERHEAD + len(records)


@given(POSITIONS, POSITIONS, st.integers(0, 8 * frame.HEADER_SIZE - 1))
def test_a_changed_bit_makes_a_header_none_that_still_resembles_one(
    position: int, synced: int, bit: int
) -> None:
    encoded = bytearray(frame.encode(position, synced, b"records"))
    encoded[bit // 8] ^= 1 << bit % 8
    head = bytes(encoded[: frame.HEADER_SIZE])
    assert frame.parse(head) is None
    assert frame.resembles(head, position, 0)


def test_what_is_too_short_is_no_header() -> None:
    head = frame.encode(0, 0, b"")[: frame.HEADER_SIZE - 1]
    assert frame.parse(head) is None
    assert not frame.resembles(head, 0, 0)
    assert frame.parse(b"") is None


def test_a_good_checksum_without_the_magic_is_no_header() -> None:
    wrong = b"\xf1MBg" + bytes(24)
    crc = crc32(wrong).to_bytes(4, "little")
    assert frame.parse(wrong + crc) is None


def test_zeros_do_not_resemble_a_header_even_at_position_0() -> None:
    assert not frame.resembles(bytes(frame.HEADER_SIZE), 0, 0)


def test_a_header_without_its_checksum_was_never_written_to_its_end() -> None:
    head = frame.encode(7, 7, b"records")[: frame.HEADER_SIZE - 4] + bytes(4)
    assert not frame.resembles(head, 7, 0)


@pytest.mark.parametrize("split", range(1, frame.HEADER_SIZE))
def test_a_header_of_which_one_of_two_sectors_is_missing_was_torn(split: int) -> None:
    head = frame.encode(7, 7, b"records")[: frame.HEADER_SIZE]
    offset = 5 * frame.SECTOR - split
    assert not frame.resembles(head[:split] + bytes(len(head) - split), 7, offset)
    assert not frame.resembles(bytes(split) + head[split:], 7, offset)
    assert frame.resembles(head[:-1] + b"\xff", 7, offset)


def test_random_bytes_do_not_resemble_a_header() -> None:
    assert not frame.resembles(b"?" * frame.HEADER_SIZE, 7, 0)


def test_records_without_the_end_mark_were_torn() -> None:
    assert frame.is_torn(b"x" * 100, bytes(4), 0)
    assert frame.is_torn(b"x" * 100, b"", 0)
    assert not frame.is_torn(b"x" * 100, frame.END, 0)


@pytest.mark.parametrize("offset", [0, 1, 100, 511, 512, 513])
def test_records_with_a_sector_of_zeros_were_torn(offset: int) -> None:
    records = bytearray(b"x" * 2048)
    start = -offset % 512 + 512
    records[start : start + 512] = bytes(512)
    assert frame.is_torn(bytes(records), frame.END, offset)
    records[start] = 1
    assert not frame.is_torn(bytes(records), frame.END, offset)


@pytest.mark.parametrize("within", [1, 2, 3])
def test_records_were_torn_if_their_last_sector_is_missing_with_some_of_the_mark(
    within: int,
) -> None:
    records = b"x" * 512 + bytes(512 - within)
    mark = bytes(within) + frame.END[within:]
    assert frame.is_torn(records, mark, 4096)
    assert not frame.is_torn(b"x" * len(records), mark, 4096)
