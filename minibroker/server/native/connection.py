"""One client's connection in the native protocol: frames in, frames out.

Methods, channels and errors are those of `server.amqp.shared`; here is what differs: the bytes,
the handshake, batches, and credit. Source: docs/native-protocol.md.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import AMQPError, CommandInvalid, SyntaxInvalid
from ...wire.native import (
    FRAME_MAX,
    HEARTBEAT_FRAME,
    MAGIC,
    PART,
    PUBLISH,
    Reader,
    grouped,
    method_frame,
)
from ...wire.native.constants import FRAME_MIN
from ..amqp.outgoing import undeliverable
from ..amqp.shared import WINDOW, SharedConnection
from ..amqp.states import CLOSED, GREETING, OPEN
from .channel import NativeChannel
from .deliveries import NativeDeliveries
from .handshake import CAPABILITIES, greet
from .incoming import HANDLERS
from .remembered import Remembered
from .shown import shown

if TYPE_CHECKING:
    from ...channel import Channel
    from ...message import Message
    from ...serving import Serves
    from ...wire.amqp.frames import Piece
    from ...wire.amqp.spec import MethodRecord
    from ..amqp.base import Encodes, Outlet
    from ..sasl import Peer
    from ..settings import ServerSettings

__all__ = ["NativeConnection"]


class NativeConnection(SharedConnection):
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
            handle = HANDLERS.get(kind) if type(kind) is int else None
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
        if self.reader.failure is not None and self.state is not CLOSED:
            raise self.reader.failure

    def _publishes(self, number: int) -> bool:
        channel = self.channels.get(number)
        return channel is not None and not channel.closing

    def publish_later(self, payload: list[Any]) -> None:
        """The gate was shut within a batch: this is its rest."""
        self._payloads.appendleft(payload)

    def clear(self) -> None:
        """See the base."""
        self._payloads.clear()

    # -- what the shared part asks

    def handshake_method(self, method: MethodRecord) -> bool:
        """There is none: the handshake has frames of its own."""
        return False

    def new_channel(self, number: int, model: Channel) -> NativeChannel:
        """See the base."""
        return NativeChannel(self, number, model)

    @property
    def coming(self) -> int:
        """See the base."""
        return self.reader.coming

    def room(self) -> int:
        """See the base."""
        return min(WINDOW, self.batches.credit)

    # -- out

    def take(self) -> list[Piece]:
        """See the base; large bodies are not copied."""
        pieces = super().take()
        if self.batches.bulky:
            self.batches.bulky = False
            self.bulky = True
            return list(grouped(pieces))
        return pieces

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
assert FRAME_MIN <= FRAME_MAX
