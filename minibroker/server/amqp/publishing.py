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
    from .channel import ServerChannel

__all__ = ["PUBLISH", "Publisher"]

PUBLISH = 60 << 16 | 40
REMEMBERED = 1000
"""Methods, and properties, that are remembered at one time."""
SHORT = 128
"""Bytes of encoded properties up to which they are worth remembering."""
_read_method = struct.Struct(">BHII").unpack_from
_read_header = struct.Struct(">BHIHHQ").unpack_from
_read_body = struct.Struct(">BHI").unpack_from
HEADER_FIXED = 12
METHOD, HEADER, BODY, END = 1, 2, 3, 0xCE


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

    def run(self, channel: ServerChannel, data: bytes, at: int, most: int) -> int:
        """Publish what begins at `at`, one message after the other, and return where that ends.

        `most` is how long a body may be. Raises AMQPError for a message that is refused, which
        has been read to its end by then: `channel.connection.at` says where.
        """
        end = len(data)
        connection = channel.connection
        publish, number, gate = channel.model.publish, channel.number, connection.gate
        methods, known_properties = self._methods, self._properties
        while end - at >= 40 and not gate.on:  # no publish is shorter
            kind, channel_number, size, code = _read_method(data, at)
            if code != PUBLISH or channel_number != number or kind != METHOD:
                break
            stop = at + 7 + size
            header = stop + 1
            if end - header < 22:
                break
            key = data[at + 11 : stop]
            kind, channel_number, size, code, _, length = _read_header(data, header)
            header_stop = header + 7 + size
            body = header_stop + 8
            after = body + length + 1 if length else header_stop + 1
            if (
                kind != HEADER
                or channel_number != number
                or code != 60
                or after > end
                or size < 14
                or length > most
                or data[stop] != END
                or data[header_stop] != END
            ):
                break
            if length:
                kind, channel_number, size = _read_body(data, header_stop + 1)
                if kind != BODY or channel_number != number or size != length:
                    break
                if data[after - 1] != END:
                    break
            connection.at = after  # also where one of these cannot be read
            target = methods.get(key) or self._method(key)
            if target is None:
                break
            encoded = data[header + 19 : header_stop]
            properties = known_properties.get(encoded) or self.properties(encoded)
            at = after
            publish(
                target[0],
                target[1],
                data[body : after - 1] if length else b"",
                properties,
                target[2],
            )
        return at
