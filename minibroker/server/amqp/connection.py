"""One client's connection: frames in, frames out. No socket, no clock, no thread.

Whoever owns the socket calls `receive` with what came, `take` at the end of its turn for what is to
be written, and `lost` when the socket is gone. Every call takes the broker's lock.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from ...errors import AMQPError, ChannelException, ChannelInvalid, NotAllowed, UnexpectedFrame
from ...wire.amqp import decode_method, spec
from ...wire.amqp.constants import HEADER
from .base import ConnectionBase, Outlet
from .channel import ServerChannel, decoded
from .deliveries import Deliveries
from .handshake import STEPS, greet
from .outgoing import drain
from .publishing import Publisher
from .reader import Reader, shown
from .states import CLOSING, GREETING, OPEN

if TYPE_CHECKING:
    from ...serving import Serves
    from ...wire.amqp.frames import Piece
    from ...wire.amqp.spec import MethodRecord
    from ..sasl import LoginRefused, Peer
    from ..settings import ServerSettings

__all__ = ["AMQPConnection", "Outlet"]

GREETING_SIZE = 8
WINDOW = 1 << 20
"""Bytes of deliveries that are taken out of the queues before they are written."""
OPEN_CHANNEL, CLOSE, CLOSE_OK = (20, 10), (20, 40), (20, 41)
EVENTS = 1000
"""What lies in the outbox before it is made into frames, though they cannot be written yet."""
CLOSING_IDS = {(10, 50), (10, 51)}
_read_ids = struct.Struct(">HH").unpack_from


class AMQPConnection(ConnectionBase):
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
        self.told_blocked = False
        self.held: bytes | None = None
        """What came from a publish on that has to wait at the gate, or is not read for now."""
        self._gated = False
        """Whether it waits at the gate."""
        self._greeting = b""
        self.wait_for(settings.handshake_timeout, "the handshake took too long")

    # -- in

    @property
    def reading(self) -> bool:
        """Whether more bytes are wanted now."""
        return self.held is None and not self.full

    def receive(self, data: bytes) -> None:
        """Bytes came from the client."""
        self.heartbeats.heard = True
        with self.guard:
            self.notice()
            if self.held is not None:
                self.held += data
                return
            whole = self.reader.put(data)
            if whole is not None:
                self._consume(whole)
            if self.model is not None and len(self.model.outbox) > EVENTS:
                self.drain()  # what a client does not take is counted only as frames

    def _consume(self, data: bytes) -> None:
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
        ids = _read_ids(payload)
        if self.state is CLOSING and ids not in CLOSING_IDS:
            return
        channel = self.channels.get(number)
        if channel is not None and channel.model.closed:
            self.drain()  # the broker may have closed it just now
        if channel is not None and channel.closing:
            self._close_method(channel, ids)
            return
        try:
            if channel is not None and channel.content is not None:
                ids = (60, 40)
                raise channel.content.unexpected_method()
            method = decode_method(payload)
            if channel is not None:
                channel.method(method, *ids)
            elif number == 0:
                self._connection_method(method)
            else:
                self._open_channel(number, method)
        except AMQPError as error:
            self.refused(channel, error, *ids)

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

    def refused(
        self, channel: ServerChannel | None, error: AMQPError, class_id: int, method_id: int
    ) -> None:
        """A method was refused: its channel ends, or the connection."""
        if channel is not None and channel.model.closed:
            self.drain()
            if channel.closing:
                return  # the broker closed it just now: what comes for it is ignored (22)
        if channel is not None and isinstance(error, ChannelException):
            self.outlet.told(
                "channel closed", channel=channel.number, reason=error.reply_text, user=self.user
            )
            channel.close(error, class_id, method_id)
        else:
            self.fail(error, class_id, method_id)

    # -- methods of the connection, and of channels that are not open

    def _connection_method(self, method: MethodRecord) -> None:
        if isinstance(method, spec.ConnectionClose):
            self.close_model()
            self.send(0, spec.ConnectionCloseOk())
            self.hang_up("closed by the client")
        elif self.state is CLOSING:
            self.hang_up("")  # connection.close-ok
        elif self.state is OPEN and isinstance(method, spec.ConnectionUpdateSecret):
            assert self.model is not None
            self.broker.refresh(self.model)
            self.send(0, spec.ConnectionUpdateSecretOk())
        elif (step := STEPS.get((self.state, type(method)))) is not None:
            step(self, method)
        else:
            raise ChannelInvalid(f"unexpected method in connection state {self.state.value}")

    def _open_channel(self, number: int, method: MethodRecord) -> None:
        if self.model is None or self.state is not OPEN:
            raise ChannelInvalid(f"unexpected method in connection state {self.state.value}")
        if not isinstance(method, spec.ChannelOpen):
            raise ChannelInvalid("expected 'channel.open'")
        if len(self.channels) >= self.channel_max:
            self.fail(
                NotAllowed(
                    f"number of channels opened ({len(self.channels)}) has reached the negotiated "
                    f"channel_max ({self.channel_max})"
                )
            )
            return
        self.channels[number] = ServerChannel(self, number, self.model.channel(number))
        self.send(number, spec.ChannelOpenOk())

    def _close_method(self, channel: ServerChannel, ids: tuple[int, int]) -> None:
        if ids == CLOSE_OK:
            del self.channels[channel.number]
        elif ids == CLOSE:  # both close: the answer to ours is still to come
            self.send(channel.number, spec.ChannelCloseOk())
        elif ids == OPEN_CHANNEL:
            self.fail(ChannelInvalid("second 'channel.open' seen"), *ids)

    def drop_channel(self, channel: ServerChannel) -> None:
        """The client closes a channel."""
        del self.channels[channel.number]
        channel.model.close()
        self.deliveries.forget()

    # -- the handshake; see `handshake`

    def tuned(self, channel_max: int, frame_max: int, heartbeat: int) -> None:
        """The client has chosen."""
        self.channel_max = channel_max
        self.reader.limit = frame_max or 1 << 31
        self.deliveries = Deliveries(frame_max)
        self.heartbeats.start(self.now(), heartbeat)

    def attach(self, vhost: str) -> None:
        """Connect to a virtual host. Raises NotAllowed."""
        self.model = model = self.broker.attach(vhost, self.user)
        model.room = WINDOW
        model.wake = self._wake
        self.in_time()
        self.outlet.told("connected", user=self.user, vhost=vhost)

    def refuse_login(self, error: LoginRefused) -> None:
        """The login is refused: said to those who understand it, silence for the others (10)."""
        self.outlet.told("login refused", user=error.user, reason=error.reason)
        if "authentication_failure_close" in self.capabilities:
            self.fail(error)
        else:
            self.state = CLOSING
            self.wait_for(self.settings.refusal_delay, "")

    # -- out

    def take(self) -> list[Piece]:
        """What is to be written now. A client that had to wait is served again if it can be."""
        with self.guard:
            self.notice()
            if self.held is not None and not (self._gated and self.gate.on):
                self.go_on()
            model = self.model
            if model is not None and self.state is OPEN:
                drain(self, model)
                model.wake = self._wake
                model.relieve(WINDOW)
            out, self.out = self.out, []
            if self.full:
                self.outlet.woken()  # there is more to read
            self.weight = 0
            if out:
                self.heartbeats.sent = True
            return out

    def _wake(self) -> None:
        if self.model is not None:
            self.model.wake = None  # once until it is taken
        self.outlet.woken()

    # -- the gate

    def hold(self, data: bytes, at_gate: bool = False) -> None:
        """What comes from here on has to wait."""
        self.held = data
        self._gated = at_gate
        self.heartbeats.excused = True
        if at_gate:
            self.gate.when_open(self.outlet.woken)
            self.tell_blocked()

    def tell_blocked(self) -> None:
        """Tell a client that wants to publish why it has to wait (16)."""
        words = self.gate.words
        if not self._gated or words is None or self.told_blocked:
            return
        self.outlet.told("blocked", reason=words, user=self.user)
        if "connection.blocked" in self.capabilities:
            self.told_blocked = True
            self.send(0, spec.ConnectionBlocked(words))

    def go_on(self) -> None:
        """Read what was held back: it does not have to wait any more."""
        data, self.held, self._gated = self.held, None, False
        if data is None:
            return
        self.heartbeats.excused = False
        self.gate.forget(self.outlet.woken)
        if self.told_blocked and self.state is OPEN:
            self.send(0, spec.ConnectionUnblocked())
        self.told_blocked = False
        self._consume(data)

    # -- the end

    def end(self, reason: str) -> None:
        """Nothing that comes counts any more, nor what came and was not handled."""
        super().end(reason)
        self.held, self._gated = None, False
        self.reader.clear()
