"""What lies in a connection's outbox, as frames. Knows no socket.

A delivery is four small packings and what is remembered of its consumer, exchange and routing key;
generic encoding takes four times as long.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from ...wire.amqp import encode_properties
from ...wire.amqp.constants import BODY, FRAME_OVERHEAD, HEADER, METHOD
from ...wire.amqp.frames import BASIC, Piece, body_frames, content_frames

if TYPE_CHECKING:
    from ...message import Message
    from ...properties import Properties
    from ...queues.consumers import Consumer
    from ...queues.entry import Entry
    from ...wire.amqp.spec import MethodRecord

__all__ = ["Deliveries", "encoded_header"]

DELIVER = b"\x00\x3c\x00\x3c"
REMEMBERED = 1000
"""Beginnings of deliveries that are remembered at one time."""
_pack_frame = struct.Struct(">BHI").pack
_pack_tag = struct.Struct(">Q").pack
_pack_header = struct.Struct(">IHHQ").pack
_pack_body = struct.Struct(">BBHI").pack
_END = b"\xce"


def encoded_header(properties: Properties) -> bytes:
    """The properties as AMQP carries them; encoded once for all who get them."""
    data = properties.encoded
    if data is None:
        data = properties.encoded = encode_properties(properties)
    return data


def _short(text: str) -> bytes:
    raw = text.encode()
    return bytes((len(raw),)) + raw


class Deliveries:
    """Encodes for one connection. Not thread-safe."""

    __slots__ = ("_begun", "frame_max", "most")

    def __init__(self, frame_max: int) -> None:
        self.frame_max = frame_max
        self.most = frame_max - FRAME_OVERHEAD if frame_max else 1 << 62
        """Bytes of a body that fit one frame."""
        self._begun: dict[tuple[Consumer, str, str], tuple[bytes, bytes, bytes]] = {}

    def forget(self) -> None:
        """Consumers have ended."""
        self._begun.clear()

    def deliver(self, entry: Entry, out: list[Piece]) -> None:
        """Append the frames of `basic.deliver`. Raises what `encode_properties` raises."""
        message = entry.message
        consumer = entry.consumer
        assert consumer is not None
        number = consumer.channel.number
        key = (consumer, message.exchange, message.routing_key)
        begun = self._begun.get(key)
        if begun is None:
            begun = self._begin(key, number)
        header = message.properties.encoded
        if header is None:
            header = encoded_header(message.properties)
        body = message.body
        size = len(body)
        out += (
            begun[0],
            _pack_tag(entry.tag),
            begun[2] if entry.redelivered else begun[1],
            _pack_header(12 + len(header), BASIC, 0, size),
            header,
        )
        if 0 < size <= self.most:
            out += (_pack_body(0xCE, BODY, number, size), body, _END)
        else:
            out.append(_END)
            out += body_frames(number, body, self.frame_max)

    def _begin(self, key: tuple[Consumer, str, str], number: int) -> tuple[bytes, bytes, bytes]:
        consumer, exchange, routing_key = key
        tag = _short(consumer.tag)
        route = _short(exchange) + _short(routing_key)
        size = len(DELIVER) + len(tag) + 9 + len(route)
        head = _pack_frame(METHOD, number, size) + DELIVER + tag
        tail = route + _END + bytes((HEADER, number >> 8, number & 0xFF))
        if len(self._begun) >= REMEMBERED:
            self._begun.clear()
        begun = self._begun[key] = (head, b"\x00" + tail, b"\x01" + tail)
        return begun

    def content(
        self, number: int, method: MethodRecord, message: Message, out: list[Piece]
    ) -> None:
        """Append the frames of a method that carries a message, `basic.return` or `get-ok`."""
        header = encoded_header(message.properties)
        out += content_frames(number, method, header, message.body, self.frame_max)
