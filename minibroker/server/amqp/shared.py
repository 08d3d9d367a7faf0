"""What a connection of either protocol does: methods, channels, when it is read and written.

Knows no bytes: `connection` is AMQP 0-9-1, `server.native` MiniBroker's own. Whoever owns the
socket calls `receive` with what came, `take` at the end of its turn for what is to be written, and
`lost` when the socket is gone. Every call takes the broker's lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import AMQPError, ChannelException, ChannelInvalid, NotAllowed
from ...wire.amqp import spec
from .gated import Gated
from .states import CLOSING, OPEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...channel import Channel
    from ...serving import Serves
    from ...wire.amqp.frames import Piece
    from ...wire.amqp.spec import MethodRecord
    from ..sasl import LoginRefused, Peer
    from ..settings import ServerSettings
    from .base import Outlet
    from .channel import ServerChannel

__all__ = ["SharedConnection"]

WINDOW = 1 << 20
"""Bytes of deliveries that are taken out of the queues before they are written."""
OPEN_CHANNEL, CLOSE, CLOSE_OK = (20, 10), (20, 40), (20, 41)
EVENTS = 1000
"""What lies in the outbox before it is made into frames, though they cannot be written yet."""
CLOSING_IDS = {(10, 50), (10, 51)}


class SharedConnection(Gated):
    """See the module. Thread-safe as far as the broker's lock goes."""

    def __init__(
        self, broker: Serves, settings: ServerSettings, peer: Peer, outlet: Outlet
    ) -> None:
        super().__init__(broker, settings, peer, outlet)
        self.wait_for(settings.handshake_timeout, "the handshake took too long")

    # -- what a protocol says

    def clear(self) -> None:
        """Nothing that came is wanted any more."""
        raise NotImplementedError

    def handshake_method(self, method: MethodRecord) -> bool:
        """A method for the connection, while it is not open; whether it may come."""
        raise NotImplementedError

    def new_channel(self, number: int, model: Channel) -> ServerChannel:
        """The server's side of a channel."""
        raise NotImplementedError

    @property
    def coming(self) -> int:
        """Bytes of a body that are known to come next."""
        return 0

    def room(self) -> int:
        """Bytes of deliveries that the client takes now."""
        return WINDOW

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
            self.consume(data)
            if self.model is not None and len(self.model.outbox) > EVENTS:
                self.drain()  # what a client does not take is counted only as frames

    def dispatch(
        self, number: int, ids: tuple[int, int], decode: Callable[[], MethodRecord]
    ) -> None:
        """A method came, of these ids; `decode` makes it, or raises AMQPError."""
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
            method = decode()
            if channel is not None:
                channel.method(method, *ids)
            elif number == 0:
                self._connection_method(method)
            else:
                self._open_channel(number, method)
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
        elif not self.handshake_method(method):
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
        self.channels[number] = self.new_channel(number, self.model.channel(number))
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

    def attach(self, vhost: str) -> None:
        """Connect to a virtual host. Raises NotAllowed."""
        self.model = model = self.broker.attach(vhost, self.user)
        model.room = self.room()
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
                self.drain()
                model.wake = self._wake
                room = self.room()
                if room > 0:
                    model.relieve(room)
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

    # -- the end

    def end(self, reason: str) -> None:
        """Nothing that comes counts any more, nor what came and was not handled."""
        super().end(reason)
        self.held, self._gated = None, False
        self.clear()
