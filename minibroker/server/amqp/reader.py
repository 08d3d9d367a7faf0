"""Bytes into frames, and the frames to where they belong. Knows no method but the two hot ones.

Publishes and acks, of which there are most, are handled here without being made into records first.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from ...errors import AMQPError, FrameInvalid, UnexpectedFrame
from ...wire.amqp.constants import BODY, FRAME_END, HEADER, HEARTBEAT, METHOD
from .buffer import Buffer
from .channel import HEADER_SIZE
from .publishing import PUBLISH
from .states import CLOSED

if TYPE_CHECKING:
    from .channel import FramedChannel
    from .connection import AMQPConnection

__all__ = ["CONTENT", "Reader", "shown"]

CONTENT = (HEADER, BODY)
ACK = 60 << 16 | 80
ACK_SIZE = 13
PUBLISH_IDS = b"\x00\x3c\x00\x28"
SHOWN = 16
"""Octets of a frame that an error shows."""
_read_frame = struct.Struct(">BHI").unpack_from
_read_ack = struct.Struct(">QB").unpack_from
_read_code = struct.Struct(">I").unpack_from


class Reader:
    """Reads for one connection."""

    __slots__ = ("_buffer", "_connection", "limit")

    def __init__(self, connection: AMQPConnection, limit: int) -> None:
        self._connection = connection
        self._buffer = Buffer()
        self.limit = limit
        """Bytes of a frame's payload that are taken."""

    def put(self, data: bytes) -> bytes | None:
        """What there is to read now; None while that is no whole frame."""
        return self._buffer.put(data)

    def clear(self) -> None:
        """Nothing of what came is wanted any more."""
        self._buffer.clear()

    def read(self, data: bytes) -> None:
        """Handle all whole frames, and keep what is left.

        Raises AMQPError for what is no frame, or may not come now.
        """
        at = self._frames(data)
        if self._connection.state is not CLOSED:
            self._buffer.keep(data[at:])

    def _frames(self, data: bytes) -> int:
        connection, at, end = self._connection, 0, len(data)
        while end - at >= 8 and connection.state is not CLOSED:
            kind, number, size = _read_frame(data, at)
            if kind == METHOD and end - at > 20:  # no message and no ack is shorter
                channel = connection.channels.get(number)
                if channel is not None and channel.content is None and not channel.closing:
                    after = self._hot(channel, data, at, size)
                    if after > at:
                        at = after
                        continue
            if size > self.limit:
                limit = self.limit - 8
                raise FrameInvalid(shown(kind, b"", f"{{frame_too_large,{size},{limit}}}"))
            stop = at + 7 + size
            if stop >= end:
                break
            payload = data[at + 7 : stop]
            if data[stop] != FRAME_END:
                wrong = f"{{invalid_frame_end_marker,{data[stop]}}}"
                raise FrameInvalid(shown(kind, payload, wrong))
            if connection.gate.on and self._has_to_wait(kind, number, payload):
                connection.hold(data[at:], at_gate=True)
                return end
            self._frame(kind, number, payload)
            at = stop + 1
            if connection.full and at < end:
                connection.hold(data[at:])
                return end
        return at

    def _hot(self, channel: FramedChannel, data: bytes, at: int, size: int) -> int:
        """Handle publishes, or an ack, that begin at `at`; where they end, or `at` for none."""
        connection = self._connection
        code = _read_code(data, at + 7)[0]
        if code == PUBLISH:
            try:
                return connection.publisher.run(channel, data, at, connection.most)
            except AMQPError as error:
                connection.refused(channel, error, 60, 40)
                return connection.at
        if code == ACK and size == ACK_SIZE and data[at + 20] == FRAME_END:
            tag, bits = _read_ack(data, at + 11)
            try:
                channel.model.ack(tag, bool(bits & 1))
            except AMQPError as error:
                connection.refused(channel, error, 60, 80)
            return at + 21
        return at

    def _has_to_wait(self, kind: int, number: int, payload: bytes) -> bool:
        """Whether a frame belongs to a publish, at the gate that is shut."""
        channel = self._connection.channels.get(number)
        if channel is None or channel.closing:
            return False
        return kind in CONTENT or (kind == METHOD and payload[:4] == PUBLISH_IDS)

    def _frame(self, kind: int, number: int, payload: bytes) -> None:
        if kind == METHOD:
            if len(payload) < 4:
                raise FrameInvalid(shown(kind, payload, "unknown_frame"))
            self._connection.method(number, payload)
        elif kind in CONTENT:
            if kind == HEADER and len(payload) < HEADER_SIZE:
                raise FrameInvalid(shown(kind, payload, "unknown_frame"))
            self._connection.content(kind, number, payload)
        elif kind != HEARTBEAT or payload:
            raise FrameInvalid(shown(kind, payload, "unknown_frame"))
        elif number:
            raise UnexpectedFrame(shown(kind, payload))


def shown(kind: int, payload: bytes, what: str = "") -> str:
    """A frame as RabbitMQ shows it in an error."""
    begin = "all octets" if len(payload) <= SHOWN else f"first {SHOWN} octets"
    octets = payload[:SHOWN]
    if octets and octets.isascii() and octets.decode().isprintable():
        text = '"' + octets.decode().replace("\\", "\\\\").replace('"', '\\"') + '"'
    else:
        text = ",".join(map(str, octets))
    return f"type {kind}, {begin} = <<{text}>>" + (f": {what}" if what else "")
