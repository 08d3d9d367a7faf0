"""Frames: four bytes of size, and a payload that is one msgpack array."""

from __future__ import annotations

import struct
from typing import Any

from ...errors import AMQPError, FrameInvalid, SyntaxInvalid
from ..amqp.table import short
from .constants import HEARTBEAT
from .values import pack, unpack

__all__ = ["HEARTBEAT_FRAME", "Reader", "frame"]

SIZE = 4
_pack_size = struct.Struct(">I").pack
_read_size = struct.Struct(">I").unpack_from


def frame(payload: list[Any]) -> bytes:
    """A frame. Raises as `pack`."""
    data = pack(payload)
    return _pack_size(len(data)) + data


HEARTBEAT_FRAME = frame([HEARTBEAT, 0])


class Reader:
    """Cuts bytes into payloads. What is missing of one is counted, so that it is joined once."""

    __slots__ = ("_missing", "_parts", "failure", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """Bytes of a payload that are taken."""
        self._parts: list[bytes] = []
        self._missing = 0
        self.failure: AMQPError | None = None
        """What is wrong behind the payloads that `feed` returned last; nothing more is read."""

    def feed(self, data: bytes) -> list[list[Any]]:
        """The payloads that are whole now, each a list of at least two, a kind and a channel.

        Raises FrameInvalid for a size over the limit, SyntaxInvalid for what is no payload; where
        payloads come before that, these are returned, and `failure` is what comes next.
        """
        if self.failure is not None:
            raise self.failure
        if self._parts:
            self._parts.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return []
            data = b"".join(self._parts)
            self._parts = []
        payloads: list[list[Any]] = []
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

    def _whole(self, data: bytes, payloads: list[list[Any]]) -> int:
        at, end = 0, len(data)
        view = memoryview(data)
        while end - at >= SIZE:
            (size,) = _read_size(data, at)
            if size > self.limit:
                raise FrameInvalid(f"frame of {size} bytes is over the limit of {self.limit}")
            stop = at + SIZE + size
            if stop > end:
                self._missing = stop - end
                return at
            payload = unpack(view[at + SIZE : stop])
            if type(payload) is not list or len(payload) < 2:
                raise SyntaxInvalid(f"no array of kind and channel: {short.repr(payload)}")
            payloads.append(payload)
            at = stop
        self._missing = SIZE - (end - at)
        return at
