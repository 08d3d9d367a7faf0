"""One client's connection in the native protocol: frames in, frames out.

Methods, channels and errors are those of `server.amqp.session`; here is what differs: the bytes,
the handshake, batches, and credit. Source: docs/native-protocol.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import AMQPError, ChannelInvalid, CommandInvalid, SyntaxInvalid, UnexpectedFrame
from ...wire.amqp import spec
from ...wire.native import (
    ACK,
    CREDIT,
    FRAME_MAX,
    HEARTBEAT,
    HEARTBEAT_FRAME,
    LOGIN,
    MAGIC,
    METHOD,
    PART,
    PUBLISH,
    Reader,
    method_frame,
    method_of,
)
from ...wire.native.constants import FRAME_MIN
from ..amqp.outgoing import undeliverable
from ..amqp.session import WINDOW, Session
from ..amqp.states import CLOSED, CLOSING, GREETING, OPEN
from .channel import NativeChannel
from .deliveries import NativeDeliveries
from .handshake import CAPABILITIES, greet, login
from .remembered import Remembered
from .shown import shown

if TYPE_CHECKING:
    from ...channel import Channel
    from ...message import Message
    from ...serving import Serves
    from ...wire.amqp.spec import MethodRecord
    from ..amqp.base import Encodes, Outlet
    from ..sasl import Peer
    from ..settings import ServerSettings

__all__ = ["NativeConnection"]

BY_FRAMES = (
    spec.BasicPublish, spec.BasicDeliver, spec.BasicReturn, spec.BasicGetOk, spec.ConnectionStartOk,
    spec.ConnectionTuneOk, spec.ConnectionOpen, spec.ConnectionSecureOk,
)  # fmt: skip
"""Methods that this protocol has frames of its own for."""


class NativeConnection(Session):
    """See the module. Thread-safe as far as the broker's lock goes."""

    def __init__(
        self, broker: Serves, settings: ServerSettings, peer: Peer, outlet: Outlet
    ) -> None:
        super().__init__(broker, settings, peer, outlet)
        self.capabilities = CAPABILITIES
        self.frame_max = settings.native_frame_max
        self.reader = Reader(FRAME_MIN)
        self.batches = NativeDeliveries(FRAME_MIN)
        self.deliveries: Encodes = self.batches
        self.remembered = Remembered()
        self._payloads: deque[list[Any]] = deque()
        """What came and was not handled: it has to wait."""
        self._greeting = b""

    # -- in

    def consume(self, data: bytes) -> None:
        """See the base."""
        if self.state is GREETING:
            self._greeting += data
            if len(self._greeting) < len(MAGIC):
                return
            data = self._greeting[len(MAGIC) :]
            greet(self, self._greeting[: len(MAGIC)])
            if self.state is CLOSED:
                return
        try:
            self._payloads += self.reader.feed(data)
            self._handle()
        except AMQPError as error:
            self.fail(error)

    def _handle(self) -> None:
        payloads = self._payloads
        while payloads and self.state is not CLOSED:
            payload = payloads.popleft()
            kind, number = payload[0], payload[1]
            if type(number) is not int or not 0 <= number <= 0xFFFF:
                raise SyntaxInvalid(f"{shown(number)} is no number of a channel")
            handle = _KINDS.get(kind) if type(kind) is int else None
            if handle is None:
                raise CommandInvalid(f"frame of unknown kind {shown(kind)}")
            if self.gate.on and kind in _CONTENT and self._publishes(number):
                payloads.appendleft(payload)
                self.hold(b"", at_gate=True)
                return
            handle(self, number, payload)
            if self.full and payloads:
                self.hold(b"")
                return

    def _publishes(self, number: int) -> bool:
        channel = self.channels.get(number)
        return channel is not None and not channel.closing

    def publish_later(self, payload: list[Any]) -> None:
        """The gate was shut within a batch: this is its rest."""
        self._payloads.appendleft(payload)

    def clear(self) -> None:
        """See the base."""
        self._payloads.clear()

    def _method(self, number: int, payload: list[Any]) -> None:
        if len(payload) < 3:
            raise SyntaxInvalid("a method without its number")
        code = payload[2]
        ids = (code >> 16, code & 0xFFFF) if type(code) is int else (0, 0)

        def decode() -> MethodRecord:
            method = method_of(code, payload[3:])
            if isinstance(method, BY_FRAMES):
                raise CommandInvalid("unimplemented method")
            return method

        self.dispatch(number, ids, decode)

    def _channel_for(self, number: int) -> NativeChannel | None:
        """The channel that content is for; None where it is to be ignored. Raises AMQPError."""
        if self.state is CLOSING:
            return None
        channel: NativeChannel | None = self.channels.get(number)
        if channel is None:
            raise ChannelInvalid("expected 'channel.open'")
        if channel.model.closed:
            self.drain()  # the broker may have closed it just now
        return None if channel.closing else channel

    def _publish(self, number: int, payload: list[Any]) -> None:
        channel = self._channel_for(number)
        if channel is None:
            return
        try:
            channel.publish(payload)
        except AMQPError as error:
            self.refused(channel, error, 60, 40)

    def _part(self, number: int, payload: list[Any]) -> None:
        channel = self._channel_for(number)
        if channel is None:
            return
        try:
            channel.part(payload)
        except AMQPError as error:
            self.refused(channel, error, 60, 40)

    def _ack(self, number: int, payload: list[Any]) -> None:
        channel = self._channel_for(number)
        if channel is None:
            return
        try:
            channel.ack(payload)
        except AMQPError as error:
            self.refused(channel, error, 60, 80)

    def _heartbeat(self, number: int, payload: list[Any]) -> None:
        if number or len(payload) != 2:
            raise UnexpectedFrame("a heartbeat is on channel 0 and has nothing else")

    def _login(self, number: int, payload: list[Any]) -> None:
        login(self, payload)

    def _credit(self, number: int, payload: list[Any]) -> None:
        if len(payload) != 3 or type(payload[2]) is not int or payload[2] < 0:
            raise SyntaxInvalid(f"credit is a number of bytes, not {shown(payload[2:])}")
        self.batches.grant(payload[2])
        self.outlet.woken()

    # -- what the session asks

    def handshake_method(self, method: MethodRecord) -> bool:
        """There is none: the handshake has frames of its own."""
        return False

    def new_channel(self, number: int, model: Channel) -> NativeChannel:
        """See the base."""
        return NativeChannel(self, number, model)

    def room(self) -> int:
        """See the base."""
        return min(WINDOW, self.batches.credit)

    # -- out

    def send(self, number: int, method: MethodRecord) -> None:
        """See the base."""
        self.batches.finish(self.out)
        frame = method_frame(number, method)
        self.weight += len(frame)
        self.out.append(frame)

    def send_content(self, number: int, method: MethodRecord, message: Message) -> None:
        """See the base."""
        self.batches.finish(self.out)
        super().send_content(number, method, message)

    def drain(self) -> None:
        """See the base."""
        if self.batches.held:
            self.batches.release(self.out, partial(undeliverable, self))
        super().drain()
        self.batches.finish(self.out)

    def _beat(self) -> None:
        self.out.append(HEARTBEAT_FRAME)
        self.outlet.woken()

    def agreed(self, frame_max: int, heartbeat: int, credit: int | None) -> None:
        """The client has said what it takes."""
        self.frame_max = frame_max
        self.reader.limit = frame_max
        self.batches = NativeDeliveries(frame_max, credit)
        self.deliveries = self.batches
        self.channel_max = self.settings.channel_max or 0xFFFF
        self.heartbeats.start(self.now(), heartbeat)

    def open(self) -> None:
        """The handshake is done."""
        self.state = OPEN


_CONTENT = frozenset({PUBLISH, PART})
_KINDS: dict[int, Callable[[NativeConnection, int, list[Any]], None]] = {
    ACK: NativeConnection._ack,
    CREDIT: NativeConnection._credit,
    HEARTBEAT: NativeConnection._heartbeat,
    LOGIN: NativeConnection._login,
    METHOD: NativeConnection._method,
    PART: NativeConnection._part,
    PUBLISH: NativeConnection._publish,
}
"""What a client may send."""
assert FRAME_MIN <= FRAME_MAX
