"""Bytes into deliveries and methods. Deliveries that have come whole are read in one go.

Source: AMQP 0-9-1 section 4.2.3 and section 4.2.6.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from minibroker.errors import AMQPError as WireError
from minibroker.properties import PLAIN, Properties
from minibroker.wire.amqp import decode_method, decode_properties, spec
from minibroker.wire.amqp.constants import (
    BODY,
    FRAME_END,
    FRAME_OVERHEAD,
    HEADER,
    HEARTBEAT,
    METHOD,
    PROTOCOL_HEADER,
)

from ... import exceptions
from ...transport.base import Returned
from ..deliveries import Delivered, Route, Subscription
from .channel import AMQPChannel, Content

if TYPE_CHECKING:
    from .connection import AMQPConnection

__all__ = ["Reader", "decoded"]

DELIVER = 60 << 16 | 60
REMEMBERED = 1000
"""Routes that are remembered at one time."""
SHORT = 128
"""Bytes of encoded properties up to which they are worth remembering."""
CONTENT = spec.BasicDeliver, spec.BasicReturn, spec.BasicGetOk
_read_frame = struct.Struct(">BHI").unpack_from
_read_code = struct.Struct(">I").unpack_from
_read_tag = struct.Struct(">QB").unpack_from
_read_size = struct.Struct(">Q").unpack_from


def decoded(payload: bytes) -> Properties:
    """The properties of a content header. Raises SyntaxInvalid."""
    if not payload:
        return PLAIN
    try:
        properties, _ = decode_properties(payload)
    except WireError as error:
        raise exceptions.SyntaxInvalid(error.reply_text) from error
    return properties


class Reader:
    """Reads for one connection."""

    def __init__(self, connection: AMQPConnection) -> None:
        self._connection = connection
        self._parts: list[bytes] = []
        self._missing = 0
        """Bytes without which nothing of the next frame can be read."""
        self.limit = 1 << 17
        """Bytes of a frame that are taken."""
        self._routes: dict[tuple[bytes, bytes], Route] = {}

    def read(self, data: bytes) -> None:
        """Handle all whole frames. Raises AMQPError for what is none."""
        if self._parts:
            self._parts.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            data = b"".join(self._parts)
            self._parts = []
        at = self._frames(data)
        rest = data[at:]
        if rest:
            self._parts = [rest]
            needed = FRAME_OVERHEAD
            if len(rest) >= FRAME_OVERHEAD:
                needed += _read_code(rest, 3)[0]
            self._missing = needed - len(rest)

    def _frames(self, data: bytes) -> int:
        connection, at, end = self._connection, 0, len(data)
        channels = connection.channels
        while end - at >= FRAME_OVERHEAD and not connection.closed:
            kind, number, size = _read_frame(data, at)
            stop = at + 7 + size
            if stop >= end:
                self._check_size(kind, size, data)
                break
            if data[stop] != FRAME_END:
                raise exceptions.FrameInvalid(_wrong(data, at))
            if kind == METHOD and size >= 16 and _read_code(data, at + 7)[0] == DELIVER:
                channel: Any = channels.get(number)
                if channel is not None and channel.content is None:
                    after = self._deliver(channel, data, at, stop)
                    if after:
                        at = after
                        continue
            self._frame(kind, number, data[at + 7 : stop])
            at = stop + 1
        return end if connection.closed else at

    def _check_size(self, kind: int, size: int, data: bytes) -> None:
        if data[:4] == PROTOCOL_HEADER[:4]:
            raise exceptions.FrameInvalid(f"the broker speaks another protocol: {data[:8]!r}")
        if size > self.limit or kind not in (METHOD, HEADER, BODY, HEARTBEAT):
            raise exceptions.FrameInvalid(
                f"this is not AMQP 0-9-1: it begins with {data[:8]!r}"
                if not self._connection.opened.done
                else f"frame of {size} bytes, over the limit of {self.limit}"
            )

    def _deliver(self, channel: AMQPChannel, data: bytes, at: int, stop: int) -> int:
        """Take a delivery whose method is at `at`; where it ends, 0 if it has not come whole."""
        begin_tag = at + 12
        end_tag = begin_tag + data[at + 11]
        header = stop + 1
        end = len(data)
        if header + 22 > end:
            return 0
        kind, _, size = _read_frame(data, header)
        header_end = header + 7 + size
        if kind != HEADER or header_end >= end:
            return 0
        body_size: int = _read_size(data, header + 11)[0]
        after: int = header_end + 1
        body = b""
        if body_size:
            begin_body = after + 7
            after = begin_body + body_size + 1
            if after > end:
                return 0
            kind, _, size = _read_frame(data, begin_body - 7)
            if kind != BODY or size != body_size:
                return 0
            body = data[begin_body : after - 1]
        tag, redelivered = _read_tag(data, end_tag)
        key = data[end_tag + 9 : stop], data[header + 19 : header_end]
        route = self._routes.get(key) or self._new_route(key)
        consumer = channel.by_key.get(data[begin_tag:end_tag])
        if consumer is not None:
            channel.last_tag = tag
            self._connection.inbox.append(
                Delivered(tag + channel.base, bool(redelivered & 1), route, body, consumer)
            )
        return after

    def _new_route(self, key: tuple[bytes, bytes]) -> Route:
        names, properties = key
        size = names[0]
        route = Route(
            names[1 : size + 1].decode(errors="replace"),
            names[size + 2 :].decode(errors="replace"),
            properties,
            decoded,
        )
        if len(properties) <= SHORT:
            if len(self._routes) >= REMEMBERED:
                self._routes.clear()
            self._routes[key] = route
        return route

    # -- frame by frame

    def _frame(self, kind: int, number: int, payload: bytes) -> None:
        connection = self._connection
        if kind == METHOD:
            try:
                method = decode_method(payload)
            except WireError as error:
                raise exceptions.error_for_code(error.reply_code, error.reply_text) from error
            channel: Any = connection.channels.get(number)
            if not connection.opened.done:
                connection.handshake(method)
            elif isinstance(method, CONTENT):
                if channel is not None:
                    channel.content = Content(method)
            else:
                connection.method(number, method)
        elif kind in (HEADER, BODY):
            channel = connection.channels.get(number)
            if channel is not None and channel.content is not None:
                self._content(channel, channel.content, kind, payload)
        elif kind != HEARTBEAT:
            raise exceptions.FrameInvalid(f"frame of unknown type {kind}")

    def _content(self, channel: AMQPChannel, content: Content, kind: int, payload: bytes) -> None:
        if kind == HEADER:
            if len(payload) < 14:
                raise exceptions.FrameInvalid("a content header that is too short")
            (content.waiting,) = _read_size(payload, 4)
            content.header = payload[12:]
        elif content.header is None:
            raise exceptions.UnexpectedFrame("a body before its header")
        else:
            content.parts.append(payload)
            content.waiting -= len(payload)
        if content.waiting <= 0:
            channel.content = None
            self._complete(channel, content)

    def _complete(self, channel: AMQPChannel, content: Content) -> None:
        method: Any = content.method
        header = content.header or b""
        route = Route(method.exchange, method.routing_key, header, decoded)
        body = b"".join(content.parts)
        if isinstance(method, spec.BasicReturn):
            returned = Returned(Delivered(0, False, route, body), method.reply_code,
                                method.reply_text)  # fmt: skip
            self._connection.returned(channel.number, returned)
            return
        channel.last_tag = method.delivery_tag
        consumer: Subscription | None = None
        if isinstance(method, spec.BasicDeliver):
            consumer = channel.consumers.get(method.consumer_tag)
        tag = method.delivery_tag + channel.base
        delivered = Delivered(tag, method.redelivered, route, body, consumer)
        if isinstance(method, spec.BasicGetOk):
            if channel.waiting:
                channel.waiting.popleft().succeed((delivered, method.message_count))
        elif consumer is not None:
            self._connection.inbox.append(delivered)


def _wrong(data: bytes, at: int) -> str:
    return f"a frame that does not end as one: it begins with {data[at : at + 8]!r}"
