"""A record is read back as it was written, or not at all."""

from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.store import record

KINDS = st.integers(1, 255)
RECORDS = st.lists(st.tuples(KINDS, st.binary(max_size=50)), max_size=6)


@given(KINDS, st.binary(max_size=300), st.binary(max_size=20), st.binary(max_size=20))
def test_a_record_is_read_back_from_wherever_it_stands(
    kind: int, payload: bytes, before: bytes, behind: bytes
) -> None:
    data = before + record.encode(kind, payload) + behind
    assert record.parse(data, len(before)) == (kind, payload)


@given(RECORDS)
def test_records_are_read_one_behind_the_other(records: list[tuple[int, bytes]]) -> None:
    data = b"".join(record.encode(kind, payload) for kind, payload in records)
    found = list(record.scan(data))
    assert [(kind, payload) for _, kind, payload in found] == records
    assert all(record.parse(data, offset) == (kind, payload) for offset, kind, payload in found)


@given(KINDS, st.binary(max_size=60), st.data())
def test_a_record_is_nothing_if_a_bit_of_it_is_changed(
    kind: int, payload: bytes, data: st.DataObject
) -> None:
    encoded = bytearray(record.encode(kind, payload))
    bit = data.draw(st.integers(0, 8 * len(encoded) - 1))
    encoded[bit // 8] ^= 1 << bit % 8
    assert record.parse(bytes(encoded)) is None


@given(KINDS, st.binary(max_size=60), st.data())
def test_a_record_is_nothing_if_it_is_cut(kind: int, payload: bytes, data: st.DataObject) -> None:
    encoded = record.encode(kind, payload)
    assert record.parse(encoded[: data.draw(st.integers(0, len(encoded) - 1))]) is None


@pytest.mark.parametrize("size", [0, 8, 9, 10, 1000])
def test_zeros_are_no_record(size: int) -> None:
    assert record.parse(bytes(size)) is None
    assert list(record.scan(bytes(size))) == []


def test_scanning_ends_at_what_is_damaged() -> None:
    first, second = record.encode(1, b"first"), record.encode(2, b"second")
    assert list(record.scan(first + second[:-1])) == [(0, 1, b"first")]
    assert list(record.scan(first + bytes(40))) == [(0, 1, b"first")]


def test_the_bytes_are_the_length_the_checksum_the_kind_and_the_payload() -> None:
    crc = crc32(b"payload", 5)
    expected = b"\x07\0\0\0" + crc.to_bytes(4, "little") + b"\x05payload"
    assert record.encode(5, b"payload") == expected
    assert record.checksum(5, b"payload") == crc
    assert record.HEADER_SIZE == 9
