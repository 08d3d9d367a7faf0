"""Frames as bytes, and bodies that are cut at the size that was negotiated."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.wire.amqp import spec
from minibroker.wire.amqp.frames import body_frames, content_frames, header_frame, method_frame


def sizes(data: bytes) -> list[int]:
    """The bytes of each body in frames of channel 5."""
    found, at = [], 0
    while at < len(data):
        kind, channel, size = struct.unpack_from(">BHI", data, at)
        assert (kind, channel, data[at + 7 + size]) == (3, 5, 0xCE)
        found.append(size)
        at += 8 + size
    return found


def test_a_method_frame_is_type_channel_size_payload_and_end() -> None:
    assert method_frame(258, spec.ChannelClose(404, "no", 50, 10)) == (
        b"\x01\x01\x02\x00\x00\x00\x0d\x00\x14\x00\x28\x01\x94\x02no\x00\x32\x00\x0a\xce"
    )


def test_a_content_header_says_class_basic_weight_0_and_the_size_of_the_body() -> None:
    assert header_frame(1, 2**40, b"\x10\x00\x02") == (
        b"\x02\x00\x01\x00\x00\x00\x0f\x00\x3c\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x10\x00\x02"
        b"\xce"
    )


@pytest.mark.parametrize("frame_max", [0, 9, 4096])
def test_an_empty_body_has_no_frame(frame_max: int) -> None:
    assert body_frames(5, b"", frame_max) == []


@pytest.mark.parametrize(
    ("length", "frame_max", "expected"),
    [
        (91, 100, [91]),
        (92, 100, [92]),
        (93, 100, [92, 1]),
        (184, 100, [92, 92]),
        (185, 100, [92, 92, 1]),
        (1, 9, [1]),
        (3, 9, [1, 1, 1]),
        (1_000_000, 0, [1_000_000]),
    ],
)
def test_a_body_is_cut_where_a_frame_with_its_8_bytes_is_full(
    length: int, frame_max: int, expected: list[int]
) -> None:
    assert sizes(b"".join(body_frames(5, bytes(length), frame_max))) == expected


@given(st.binary(max_size=200), st.integers(9, 220))
def test_the_pieces_of_a_body_put_together_are_the_body(body: bytes, frame_max: int) -> None:
    pieces = body_frames(5, body, frame_max)
    joined = b"".join(pieces)
    parts, at = [], 0
    for size in sizes(joined):
        assert 0 < size <= frame_max - 8
        parts.append(joined[at + 7 : at + 7 + size])
        at += 8 + size
    assert b"".join(parts) == body


def test_a_body_that_is_cut_is_not_copied_for_that() -> None:
    body = bytes(1000)
    pieces = body_frames(5, body, 100)
    assert [piece.obj for piece in pieces if isinstance(piece, memoryview)] == [body] * 11
    assert body_frames(5, body, 0)[1] is body


def test_content_is_method_header_and_body_in_this_order() -> None:
    method = spec.BasicDeliver("tag", 1, False, "", "q")
    assert b"".join(content_frames(5, method, b"\x00\x00", b"ab", 100)) == b"".join(
        [method_frame(5, method), header_frame(5, 2, b"\x00\x00"), *body_frames(5, b"ab", 100)]
    )
