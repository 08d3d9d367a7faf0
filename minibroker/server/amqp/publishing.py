"""The way in of messages that come as they nearly always do: three whole frames in one piece.

Anything else is left to the general way, which knows every error. Here the broker spends the
largest part of its time, so it is one loop without a call that is not needed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...wire.amqp import decode_method
from ...wire.amqp.spec import BasicPublish

if TYPE_CHECKING:
    from ...properties import Properties
    from .channel import FramedChannel

__all__ = ["PUBLISH", "Publisher"]

PUBLISH = 60 << 16 | 40
REMEMBERED = 1000
"""Methods, and properties, that are remembered at one time."""
SHORT = 128
"""Bytes of encoded properties up to which they are worth remembering."""
BASIC = 60 << 16
END = 0xCE
_read_method = struct.Struct(">II").unpack_from
_read_header = struct.Struct(">IIQ").unpack_from
_read_size = struct.Struct(">I").unpack_from
SHORTEST = 39
"""Bytes of the shortest publish that there is."""
HEADER_SIZE = 24
"""Bytes that are read from the end of the method on."""
_pack_number = struct.Struct(">H").pack


class Publisher:
    """Reads publishes for one connection, and remembers what repeats. Not thread-safe."""

    __slots__ = ("_methods", "_properties", "decode")

    def __init__(self, decode: Callable[[bytes], Properties]) -> None:
        self.decode = decode
        self._methods: dict[bytes, tuple[str, str, bool]] = {}
        self._properties: dict[bytes, Properties] = {}

    def properties(self, encoded: bytes) -> Properties:
        """Decoded properties; those that are short are shared between messages."""
        properties = self._properties.get(encoded)
        if properties is None:
            properties = self.decode(encoded)
            if len(encoded) <= SHORT:
                if len(self._properties) >= REMEMBERED:
                    self._properties.clear()
                self._properties[encoded] = properties
        return properties

    def _method(self, payload: bytes) -> tuple[str, str, bool] | None:
        """Exchange, routing key and mandatory; None for what the general way has to look at."""
        method = decode_method(b"\x00\x3c\x00\x28" + payload)
        assert isinstance(method, BasicPublish)
        if method.immediate:
            return None
        if len(self._methods) >= REMEMBERED:
            self._methods.clear()
        known = self._methods[payload] = (method.exchange, method.routing_key, method.mandatory)
        return known

    def run(self, channel: FramedChannel, data: bytes, at: int, most: int) -> int:
        """Publish what begins at `at`, one message after the other, and return where that ends.

        `most` is how long a body may be. Raises AMQPError for a message that is refused, which
        has been read to its end by then: `channel.connection.at` says where.
        """
        connection, publish = channel.connection, channel.model.publish
        gate, end = connection.gate, len(data)
        methods, known_properties = self._methods, self._properties
        number = _pack_number(channel.number)
        # The end of one frame and the beginning of the next one, compared at once.
        method_mark, header_mark, body_mark = (
            b"\x01" + number,
            b"\xce\x02" + number,
            b"\xce\x03" + number,
        )
        while end - at >= SHORTEST and data[at : at + 3] == method_mark and not gate.on:
            size, code = _read_method(data, at + 3)
            stop = at + 7 + size
            if code != PUBLISH or end - stop < HEADER_SIZE or data[stop : stop + 4] != header_mark:
                break
            size, code, length = _read_header(data, stop + 4)
            last = header_stop = stop + 8 + size
            if length:
                last += 8 + length
            if last >= end or data[last] != END or code != BASIC:
                break
            if size < 14 or size - 8 > most or length > most:
                break
            if length and (
                data[header_stop : header_stop + 4] != body_mark
                or _read_size(data, header_stop + 4)[0] != length
            ):
                break
            connection.at = last + 1  # also where one of these cannot be read
            key = data[at + 11 : stop]
            target = methods.get(key) or self._method(key)
            if target is None:
                break
            encoded = data[stop + 20 : header_stop]
            properties = known_properties.get(encoded) or self.properties(encoded)
            body = data[header_stop + 8 : last] if length else b""
            at = last + 1
            publish(target[0], target[1], body, properties, target[2])
        return at
