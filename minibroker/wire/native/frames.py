"""Frames: four bytes of size, and a payload that is one msgpack array."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from ...errors import AMQPError, FrameInvalid, SyntaxInvalid
from ..amqp.table import short
from .constants import HEARTBEAT, PART
from .values import pack, unpack

__all__ = ["BULK", "HEARTBEAT_FRAME", "Reader", "frame", "grouped", "part_frames"]

BULK = 64 << 10
"""Bytes of a body from which on it is sent in parts, which nobody has to copy."""

SIZE = 4
_pack_size = struct.Struct(">I").pack
_read_size = struct.Struct(">I").unpack_from


def frame(payload: list[Any]) -> bytes:
    """A frame. Raises as `pack`."""
    data = pack(payload)
    return _pack_size(len(data)) + data


HEARTBEAT_FRAME = frame([HEARTBEAT, 0])


def part_frames(channel: int, body: bytes, most: int) -> Iterator[bytes | memoryview]:
    """The frames of a body in parts of at most `most` bytes: heads, and pieces of the body."""
    view = memoryview(body)
    head = b"\x93" + bytes((PART,)) + pack(channel) + b"\xc6"
    for at in range(0, len(body), most):
        piece = view[at : at + most]
        yield _pack_size(len(head) + SIZE + len(piece)) + head + _pack_size(len(piece))
        yield piece


def grouped(pieces: list[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """The same bytes in few pieces: small ones are joined, large ones stay as they are."""
    small: list[bytes | memoryview] = []
    for piece in pieces:
        if len(piece) < BULK:
            small.append(piece)
            continue
        if small:
            yield b"".join(small)
            small = []
        yield piece
    if small:
        yield b"".join(small)


def _part_head(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Channel, size and start of the bytes of a PART whose payload begins at `at`, if it is one."""
    head = data[at : at + 10]
    if len(head) < 10 or head[:2] != b"\x93\x0a":
        return None
    if head[2] < 0x80:
        channel, behind = head[2], 3
    elif head[2] == 0xCC:
        channel, behind = head[3], 4
    elif head[2] == 0xCD:
        channel, behind = head[3] << 8 | head[4], 5
    else:
        return None
    if head[behind] != 0xC6:
        return None
    return channel, _read_size(head, behind + 1)[0] if behind < 6 else 0, at + behind + 5


class Reader:
    """Cuts bytes into payloads. What is missing of one is counted, so that it is joined once.

    A long PART is given on as it comes, in as many parts as its bytes come in.
    """

    __slots__ = ("_missing", "_part", "_parts", "failure", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """Bytes of a payload that are taken."""
        self._parts: list[bytes] = []
        self._missing = 0
        self._part = (0, 0)
        """The channel of a PART of which so many bytes are still to come."""
        self.failure: AMQPError | None = None
        """What is wrong behind the payloads that `feed` returned last; nothing more is read."""

    @property
    def coming(self) -> int:
        """Bytes of a PART that are still to come."""
        return self._part[1]

    def feed(self, data: bytes) -> list[list[Any]]:
        """The payloads that are whole now, each a list of at least two, a kind and a channel.

        Raises FrameInvalid for a size over the limit, SyntaxInvalid for what is no payload; where
        payloads come before that, these are returned, and `failure` is what comes next.
        """
        if self.failure is not None:
            raise self.failure
        payloads: list[list[Any]] = []
        if self._part[1]:
            data = self._go_on(data, payloads)
            if not data:
                return payloads
        if self._parts:
            self._parts.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return payloads
            data = b"".join(self._parts)
            self._parts = []
        try:
            at = self._whole(data, payloads)
        except AMQPError as error:
            if not payloads:
                raise
            self.failure = error
            return payloads
        if at < len(data):
            self._parts = [data[at:] if at else data]
        return payloads

    def _go_on(self, data: bytes, payloads: list[list[Any]]) -> bytes:
        """The next bytes of a PART; what comes behind it."""
        channel, left = self._part
        piece = data if len(data) <= left else data[:left]
        self._part = (channel, left - len(piece))
        payloads.append([PART, channel, piece])
        return data[left:] if len(data) > left else b""

    def _whole(self, data: bytes, payloads: list[list[Any]]) -> int:
        at, end = 0, len(data)
        view = memoryview(data)
        while end - at >= SIZE:
            (size,) = _read_size(data, at)
            if size > self.limit:
                raise FrameInvalid(f"frame of {size} bytes is over the limit of {self.limit}")
            stop = at + SIZE + size
            if stop > end:
                found = _part_head(data, at + SIZE) if size >= BULK else None
                if found is not None and found[2] + found[1] == stop and found[2] < end:
                    self._part = (found[0], stop - end)
                    payloads.append([PART, found[0], data[found[2] :]])
                    return end
                self._missing = stop - end
                return at
            payload = unpack(view[at + SIZE : stop])
            if type(payload) is not list or len(payload) < 2:
                raise SyntaxInvalid(f"no array of kind and channel: {short.repr(payload)}")
            payloads.append(payload)
            at = stop
        self._missing = SIZE - (end - at)
        return at
