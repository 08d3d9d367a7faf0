"""Bytes that have come of a frame that is not whole. Knows of frames only how long they are.

What is missing is counted, so that a frame that comes byte by byte is put together once.
"""

from __future__ import annotations

import struct

from ...wire.amqp.constants import FRAME_OVERHEAD

__all__ = ["Buffer"]

_read_size = struct.Struct(">I").unpack_from


class Buffer:
    """The beginning of the next frame."""

    __slots__ = ("_missing", "_parts")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._missing = 0
        """Bytes without which nothing can be read."""

    def __bool__(self) -> bool:
        return bool(self._parts)

    def put(self, data: bytes) -> bytes | None:
        """What there is now; None while that is no whole frame."""
        if not self._parts:
            return data
        self._parts.append(data)
        self._missing -= len(data)
        if self._missing > 0:
            return None
        whole = b"".join(self._parts)
        self._parts = []
        return whole

    def keep(self, rest: bytes) -> None:
        """The beginning of a frame: it comes first next time."""
        if rest:
            self._parts = [rest]
            needed = FRAME_OVERHEAD
            if len(rest) >= FRAME_OVERHEAD:  # else nobody has looked yet whether it may be so long
                needed += _read_size(rest, 3)[0]
            self._missing = needed - len(rest)

    def clear(self) -> None:
        """Nothing of it is wanted any more."""
        self._parts = []
