"""One client's connection in AMQP 0-9-1: frames in, frames out. No socket, no clock, no thread."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from ...errors import AMQPError, UnexpectedFrame
from ...wire.amqp import decode_method
from ...wire.amqp.constants import HEADER
from .base import Outlet
from .channel import FramedChannel, decoded
from .deliveries import Deliveries
from .handshake import STEPS, greet
from .publishing import Publisher
from .reader import Reader, shown
from .shared import SharedConnection
from .states import CLOSING, GREETING

if TYPE_CHECKING:
    from ...channel import Channel
    from ...serving import Serves
    from ...wire.amqp.spec import MethodRecord
    from ..sasl import Peer
    from ..settings import ServerSettings

__all__ = ["AMQPConnection", "Outlet"]

GREETING_SIZE = 8
_read_ids = struct.Struct(">HH").unpack_from


class AMQPConnection(SharedConnection):
    """See the module. Thread-safe as far as the broker's lock goes."""

    def __init__(
        self, broker: Serves, settings: ServerSettings, peer: Peer, outlet: Outlet
    ) -> None:
        super().__init__(broker, settings, peer, outlet)
        self.publisher = Publisher(decoded)
        self.properties = self.publisher.properties
        self.at = 0
        """Where the message ends that is published just now; see `Publisher.run`."""
        self.reader = Reader(self, broker.profile.frame_min)
        self.most = 0
        """Bytes of a body that fit one frame."""
        self._greeting = b""

    # -- in

    def consume(self, data: bytes) -> None:
        """Handle bytes, from where the last ones ended."""
        whole = self.reader.put(data)
        if whole is None:
            return
        data = whole
        if self.state is GREETING:
            self._greeting += data
            if len(self._greeting) < GREETING_SIZE:
                return
            data = self._greeting[GREETING_SIZE:]
            greet(self, self._greeting[:GREETING_SIZE])
        try:
            self.reader.read(data)
        except AMQPError as error:
            self.fail(error)

    def method(self, number: int, payload: bytes) -> None:
        """A method came."""
        self.dispatch(number, _read_ids(payload), lambda: decode_method(payload))

    def content(self, kind: int, number: int, payload: bytes) -> None:
        """A header, or a piece of a body, came. Raises UnexpectedFrame where no channel is."""
        channel = self.channels.get(number)
        if self.state is CLOSING or (channel is not None and channel.closing):
            return
        if channel is None:
            raise UnexpectedFrame(
                shown(kind, payload)
                if number == 0
                else "expected method frame, got non method frame instead"
            )
        ids = (60, 40) if channel.content is not None else (0, 0)
        try:
            (channel.header if kind == HEADER else channel.body)(payload)
        except AMQPError as error:
            self.refused(channel, error, *ids)

    def new_channel(self, number: int, model: Channel) -> FramedChannel:
        """See the base."""
        return FramedChannel(self, number, model)

    def clear(self) -> None:
        """Nothing that came is wanted any more."""
        self.reader.clear()

    # -- the handshake; see `handshake`

    def handshake_method(self, method: MethodRecord) -> bool:
        """See the base."""
        step = STEPS.get((self.state, type(method)))
        if step is not None:
            step(self, method)
        return step is not None

    def tuned(self, channel_max: int, frame_max: int, heartbeat: int) -> None:
        """The client has chosen."""
        self.channel_max = channel_max
        self.reader.limit = frame_max or 1 << 31
        self.deliveries = Deliveries(frame_max)
        self.most = self.deliveries.most
        self.heartbeats.start(self.now(), heartbeat)
