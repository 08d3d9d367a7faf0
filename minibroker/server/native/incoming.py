"""What a client sends, one function per kind of frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...errors import AMQPError, ChannelInvalid, CommandInvalid, SyntaxInvalid, UnexpectedFrame
from ...wire.amqp import spec
from ...wire.native import ACK, CREDIT, HEARTBEAT, LOGIN, METHOD, PART, PUBLISH, method_of
from ..amqp.states import CLOSING
from .handshake import login
from .shown import shown

if TYPE_CHECKING:
    from ...wire.amqp.spec import MethodRecord
    from .channel import NativeChannel
    from .connection import NativeConnection

__all__ = ["HANDLERS"]

BY_FRAMES = (
    spec.BasicPublish, spec.BasicDeliver, spec.BasicReturn, spec.BasicGetOk, spec.ConnectionStartOk,
    spec.ConnectionTuneOk, spec.ConnectionOpen, spec.ConnectionSecureOk,
)  # fmt: skip
"""Methods that this protocol has frames of its own for."""


def _method(connection: NativeConnection, number: int, payload: list[Any]) -> None:
    if len(payload) < 3:
        raise SyntaxInvalid("a method without its number")
    code = payload[2]
    known = type(code) is int and 0 <= code < 1 << 32
    ids = (code >> 16, code & 0xFFFF) if known else (0, 0)

    def decode() -> MethodRecord:
        method = method_of(code, payload[3:])
        if isinstance(method, BY_FRAMES):
            raise CommandInvalid("unimplemented method")
        return method

    connection.dispatch(number, ids, decode)


def _channel_for(connection: NativeConnection, number: int) -> NativeChannel | None:
    """The channel that content is for; None where it is to be ignored. Raises AMQPError."""
    if connection.state is CLOSING:
        return None
    channel: NativeChannel | None = connection.channels.get(number)
    if channel is None:
        raise ChannelInvalid("expected 'channel.open'")
    if channel.model.closed:
        connection.drain()  # the broker may have closed it just now
    return None if channel.closing else channel


def _publish(connection: NativeConnection, number: int, payload: list[Any]) -> None:
    channel = _channel_for(connection, number)
    if channel is None:
        return
    try:
        channel.publish(payload)
    except AMQPError as error:
        connection.refused(channel, error, 60, 40)


def _part(connection: NativeConnection, number: int, payload: list[Any]) -> None:
    channel = _channel_for(connection, number)
    if channel is None:
        return
    try:
        channel.part(payload)
    except AMQPError as error:
        connection.refused(channel, error, 60, 40)


def _ack(connection: NativeConnection, number: int, payload: list[Any]) -> None:
    channel = _channel_for(connection, number)
    if channel is None:
        return
    try:
        channel.ack(payload)
    except AMQPError as error:
        connection.refused(channel, error, 60, 80)


def _heartbeat(_: NativeConnection, number: int, payload: list[Any]) -> None:
    if number or len(payload) != 2:
        raise UnexpectedFrame("a heartbeat is on channel 0 and has nothing else")


def _login(connection: NativeConnection, _: int, payload: list[Any]) -> None:
    login(connection, payload)


def _credit(connection: NativeConnection, _: int, payload: list[Any]) -> None:
    if len(payload) != 3 or type(payload[2]) is not int or payload[2] < 0:
        raise SyntaxInvalid(f"credit is a number of bytes, not {shown(payload[2:])}")
    connection.batches.grant(payload[2])
    connection.outlet.woken()


HANDLERS: dict[int, Callable[[NativeConnection, int, list[Any]], None]] = {
    ACK: _ack,
    CREDIT: _credit,
    HEARTBEAT: _heartbeat,
    LOGIN: _login,
    METHOD: _method,
    PART: _part,
    PUBLISH: _publish,
}
"""What a client may send."""
