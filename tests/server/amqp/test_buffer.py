"""Half frames: put together once, and never more kept than a frame may be long."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from minibroker.server.amqp.buffer import Buffer

from ..pair import frame

WHOLE = frame(1, 1, b"a method with some fields")


def test_what_comes_to_an_empty_buffer_is_read_at_once() -> None:
    buffer = Buffer()
    assert buffer.put(b"anything") == b"anything"
    assert not buffer


def test_nothing_is_kept_of_nothing() -> None:
    buffer = Buffer()
    buffer.keep(b"")
    assert not buffer
    assert buffer.put(b"x") == b"x"


def test_a_frame_that_comes_byte_by_byte_is_handed_out_once_and_whole() -> None:
    buffer = Buffer()
    handed = []
    for at in range(len(WHOLE)):
        got = buffer.put(WHOLE[at : at + 1])
        if got is not None:
            handed.append(got)
            if got != WHOLE:
                buffer.keep(got)
    assert handed[-1] == WHOLE
    # The first byte, the 8 that say how long it is, the whole: not once for each byte.
    assert [len(each) for each in handed] == [1, 8, len(WHOLE)]
    assert not buffer


@given(st.lists(st.integers(1, len(WHOLE) * 2 - 1), max_size=6))
def test_whatever_the_pieces_all_bytes_come_out_in_order(cuts: list[int]) -> None:
    data = WHOLE * 2
    places = [0, *sorted(set(cuts)), len(data)]
    buffer = Buffer()
    frames: list[bytes] = []
    for begin, end in itertools.pairwise(places):
        got = buffer.put(data[begin:end])
        while got is not None and len(got) >= len(WHOLE):
            frames.append(got[: len(WHOLE)])
            got = got[len(WHOLE) :]
        if got is not None:
            buffer.keep(got)
    assert frames == [WHOLE, WHOLE]
    assert not buffer


def test_a_size_that_nobody_has_looked_at_yet_is_not_believed() -> None:
    huge = b"\x01\x00\x00\xff\xff\xff\xff"
    buffer = Buffer()
    buffer.keep(huge)
    assert buffer.put(b"x") == huge + b"x"


def test_a_cleared_buffer_has_forgotten_what_came() -> None:
    buffer = Buffer()
    buffer.keep(WHOLE[:9])
    assert buffer
    buffer.clear()
    assert not buffer
    assert buffer.put(b"x") == b"x"
