from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.errors import FrameInvalid, SyntaxInvalid
from minibroker.wire.native import (
    BULK,
    HEARTBEAT_FRAME,
    PUBLISH,
    Reader,
    frame,
    grouped,
    part_frames,
)

PAYLOADS: list[list[Any]] = [
    [3, 0],
    [5, 1, [["", "q", b"", False], b"body"]],
    [6, 2, "tag", 7, [b"x" * 300]],
]
DATA = b"".join(frame(payload) for payload in PAYLOADS)


@given(st.lists(st.integers(0, len(DATA)), max_size=8))
def test_frames_are_read_however_they_are_cut(cuts: list[int]) -> None:
    reader = Reader(1 << 20)
    read: list[object] = []
    edges = [0, *sorted(cuts), len(DATA)]
    for begin, end in pairwise(edges):
        read += reader.feed(DATA[begin:end])
    assert read == PAYLOADS


def test_a_frame_that_comes_byte_by_byte_is_joined_once() -> None:
    reader = Reader(1 << 20)
    for byte in DATA[:-1]:
        reader.feed(bytes((byte,)))
    assert reader.feed(DATA[-1:]) == [PAYLOADS[-1]]


def test_a_size_over_the_limit_is_refused_before_its_payload_comes() -> None:
    reader = Reader(100)
    assert reader.feed(b"\x00\x00\x00") == []
    with pytest.raises(FrameInvalid, match="frame of 101 bytes is over the limit of 100"):
        reader.feed(b"\x65")


@pytest.mark.parametrize("payload", [b"\x90", b"\x91\x01", b"\x01", b"\x82\x01\x02\x03\x04"])
def test_what_is_no_array_of_kind_and_channel_is_refused(payload: bytes) -> None:
    with pytest.raises(SyntaxInvalid):
        Reader(100).feed(len(payload).to_bytes(4, "big") + payload)


def test_a_heartbeat_is_seven_bytes() -> None:
    assert HEARTBEAT_FRAME == b"\x00\x00\x00\x03\x92\x03\x00"


def test_the_bytes_of_a_batch_are_those_of_the_document() -> None:
    assert frame([PUBLISH, 1, [["", "q", b"", False], b"hi"]]) == bytes.fromhex(
        "0000000f 93 05 01 92 94 a0 a171 c400 c2 c4026869"
    )


def test_what_comes_before_something_wrong_is_read() -> None:
    reader = Reader(100)
    assert reader.feed(frame([3, 0]) + b"\xff" * 4 + b"more") == [[3, 0]]
    assert reader.failure is not None
    with pytest.raises(FrameInvalid):
        reader.feed(b"anything")


@given(st.integers(0, 70_000), st.lists(st.integers(0, 300_000), max_size=6))
def test_a_long_part_is_given_on_as_it_comes(channel: int, cuts: list[int]) -> None:
    channel %= 65_536
    body = bytes(range(256)) * 1000
    data = frame([3, 0]) + b"".join(part_frames(channel, body, 100_000)) + frame([3, 0])
    reader = Reader(1 << 20)
    payloads: list[list[Any]] = []
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for begin, end in pairwise(edges):
        payloads += reader.feed(data[begin:end])
    assert payloads[0] == payloads[-1] == [3, 0]
    assert b"".join(payload[2] for payload in payloads[1:-1]) == body
    assert {payload[1] for payload in payloads[1:-1]} == {channel}
    assert reader.coming == 0


def test_what_only_begins_like_a_part_is_read_whole() -> None:
    payload = [10, 1, {"k": b"x" * 100_000}]
    data = frame(payload)
    reader = Reader(1 << 20)
    assert reader.feed(data[:200]) == []
    assert reader.feed(data[200:]) == [payload]
    odd = [10, 70_000, b"x" * 100_000]
    assert reader.feed(frame(odd)[:500]) + reader.feed(frame(odd)[500:]) == [odd]


def test_small_pieces_are_joined_and_large_ones_are_not() -> None:
    large = memoryview(bytes(BULK))
    assert list(grouped([b"a", b"b", large, b"c"])) == [b"ab", large, b"c"]
    assert list(grouped([large])) == [large]
