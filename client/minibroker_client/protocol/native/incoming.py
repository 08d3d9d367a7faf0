"""What a broker sends, one function per kind of frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from minibroker.wire.native import (
    DELIVER,
    GOT,
    HEARTBEAT,
    HELLO,
    METHOD,
    OPEN,
    PART,
    RETURN,
    method_of,
)

from ... import exceptions
from ...transport.base import Returned
from ..deliveries import Delivered

if TYPE_CHECKING:
    from .channel import NativeChannel
    from .connection import NativeConnection

__all__ = ["HANDLERS", "Large"]


class Large:
    """A message whose body comes in parts."""

    __slots__ = ("complete", "parts", "waiting")

    def __init__(self, size: int, complete: Callable[[bytes], None]) -> None:
        self.waiting = size
        self.complete = complete
        self.parts: list[bytes] = []


def _hello(connection: NativeConnection, payload: list[Any]) -> None:
    connection.hello(payload[2])


def _open(connection: NativeConnection, payload: list[Any]) -> None:
    connection.open(payload[2])


def _heartbeat(connection: NativeConnection, payload: list[Any]) -> None:
    """Whatever comes shows that the broker is there."""


def _method(connection: NativeConnection, payload: list[Any]) -> None:
    connection.method(payload[1], method_of(payload[2], payload[3:]))


def _channel(connection: NativeConnection, payload: list[Any]) -> NativeChannel | None:
    channel: Any = connection.channels.get(payload[1])
    return channel  # type: ignore[no-any-return]  # of the kind that this protocol makes


def _deliver(connection: NativeConnection, payload: list[Any]) -> None:
    channel = _channel(connection, payload)
    if channel is None:
        return
    consumer = channel.consumers.get(payload[2])
    tag: int = payload[3] + channel.base
    append = connection.inbox.append
    redelivered, route = False, None
    for item in payload[4]:
        if item.__class__ is bytes and route is not None:
            if consumer is not None:
                append(Delivered(tag, redelivered, route, item, consumer))
            tag += 1
        elif item.__class__ is list:
            route = connection.routes.of(item)
            redelivered = item[3]
        elif route is None:
            raise ValueError("a body before its route")
        else:
            first = Delivered(tag, redelivered, route, b"", consumer)
            channel.large = Large(item, _completing(connection, first))
            tag += 1
    channel.last_tag = tag - 1 - channel.base
    if consumer is None:  # it ended here, before the broker knew
        connection.handed_out(sum(len(item) for item in payload[4] if type(item) is bytes))


def _completing(connection: NativeConnection, delivered: Delivered) -> Callable[[bytes], None]:
    def complete(body: bytes) -> None:
        delivered.body = body
        if delivered.consumer is not None:
            connection.inbox.append(delivered)

    return complete


def _return(connection: NativeConnection, payload: list[Any]) -> None:
    _, number, code, text, item, body = payload
    route = connection.routes.of(item)

    def complete(body: bytes) -> None:
        returned = Returned(Delivered(0, False, route, body), code, text)
        connection.returned(number, returned)

    _whole(connection, payload, body, complete)


def _got(connection: NativeConnection, payload: list[Any]) -> None:
    channel = _channel(connection, payload)
    if channel is None:
        return
    _, _, tag, left, item, body = payload
    channel.last_tag = tag
    delivered = Delivered(tag + channel.base, item[3], connection.routes.of(item), b"")

    def complete(body: bytes) -> None:
        delivered.body = body
        channel.waiting.popleft().succeed((delivered, left))

    _whole(connection, payload, body, complete)


def _whole(
    connection: NativeConnection,
    payload: list[Any],
    body: bytes | int,
    complete: Callable[[bytes], None],
) -> None:
    if isinstance(body, bytes):
        complete(body)
    elif (channel := _channel(connection, payload)) is not None:
        channel.large = Large(body, complete)


def _part(connection: NativeConnection, payload: list[Any]) -> None:
    channel = _channel(connection, payload)
    if channel is None:
        return
    large = channel.large
    if large is None:
        raise exceptions.UnexpectedFrame("a part of a body that was not announced")
    large.parts.append(payload[2])
    large.waiting -= len(payload[2])
    if large.waiting <= 0:
        channel.large = None
        large.complete(b"".join(large.parts))


HANDLERS: dict[int, Callable[[NativeConnection, list[Any]], None]] = {
    DELIVER: _deliver,
    GOT: _got,
    HEARTBEAT: _heartbeat,
    HELLO: _hello,
    METHOD: _method,
    OPEN: _open,
    PART: _part,
    RETURN: _return,
}
"""What may come."""
