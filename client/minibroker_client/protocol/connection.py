"""A connection of either protocol: its channels, what came and what goes out. Knows no bytes.

Not thread-safe but for what is written: that is under the shell's guard.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from minibroker.wire.amqp import spec

from .. import exceptions
from ..transport.base import Returned
from .output import Output
from .pending import Pending
from .state import name_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.wire.amqp.spec import MethodRecord

    from ..transport.base import Address, Listener
    from .channel import ProtocolChannel
    from .deliveries import Delivered
    from .shell import Shell

__all__ = ["ProtocolConnection"]

MOST_CHANNELS = 0xFFFF


class ProtocolConnection(Output):
    """What the two protocols share."""

    def __init__(self, address: Address, shell: Shell) -> None:
        super().__init__(shell)
        self.address = address
        self.channels: dict[int, ProtocolChannel] = {}
        self.inbox: deque[Delivered | Callable[[], None]] = deque()
        """Deliveries, and events as something to call, in order."""
        self.urgent: deque[Callable[[], None]] = deque()
        """Events that do not wait for the deliveries before them: returns, blocking."""
        self.opened = Pending("connection.open")
        """Done when the handshake is."""
        self.waiting: deque[Pending] = deque()
        """Answers for the connection itself."""
        self.closed = False
        self.error: Exception | None = None
        """Why it was closed from the other side, until somebody was told."""
        self.blocked: str | None = None
        """Why the broker takes no messages at present."""
        self._unblocking: list[Pending] = []
        self.heartbeat = 0.0
        """Seconds, as agreed upon; 0 for none."""
        self.channel_max = MOST_CHANNELS
        self.server_properties: dict[str, Any] = {}
        self._last_channel = 0

    # -- in

    def receive(self, data: bytes) -> None:
        """Bytes came. Raises nothing: what is wrong ends the connection."""
        raise NotImplementedError

    def method(self, number: int, method: MethodRecord) -> None:
        """A method came."""
        if number == 0:
            self._connection_method(method)
            return
        channel = self.channels.get(number)
        if channel is None:
            return  # for a channel that was closed meanwhile
        handle = _EVENTS.get(type(method))
        if handle is not None:
            handle(channel, method)
        elif channel.waiting:
            if type(method) is spec.ChannelCloseOk:
                del self.channels[number]
            channel.waiting.popleft().succeed(method)
        else:
            raise exceptions.UnexpectedFrame(f"nobody waits for {name_of(method)}")

    def _connection_method(self, method: MethodRecord) -> None:
        if isinstance(method, spec.ConnectionClose):
            self.send(0, spec.ConnectionCloseOk())
            name = spec.method_name(method.class_id, method.method_id) if method.class_id else ""
            self.end(exceptions.error_for_code(method.reply_code, method.reply_text, name))
        elif isinstance(method, spec.ConnectionBlocked):
            self._block(method.reason)
        elif isinstance(method, spec.ConnectionUnblocked):
            self._block(None)
        elif self.waiting:
            self.waiting.popleft().succeed(method)
        else:
            raise exceptions.UnexpectedFrame(f"nobody waits for {name_of(method)}")

    def _block(self, reason: str | None) -> None:
        self.blocked = reason
        options = self.address.options
        on_blocked, on_unblocked = options.get("on_blocked"), options.get("on_unblocked")
        if reason is not None:
            if on_blocked is not None:
                self.urgent.append(lambda: on_blocked(reason))
            return
        waiting, self._unblocking = self._unblocking, []
        for pending in waiting:
            pending.succeed(None)
        if on_unblocked is not None:
            self.urgent.append(on_unblocked)

    def unblocking(self) -> Pending:
        """What is done when the broker takes messages again."""
        pending = Pending("basic.publish")
        if self.blocked is None:
            pending.succeed(None)
        else:
            self._unblocking.append(pending)
        return pending

    def returned(self, number: int, returned: Returned) -> None:
        """A mandatory message came back."""
        channel = self.channels.get(number)
        if channel is not None:
            self.urgent.append(lambda: channel.listener.returned(returned))

    def handed_out(self, size: int) -> None:
        """The application has taken so many bytes of deliveries."""

    # -- channels

    def new_channel(self, number: int, listener: Listener) -> ProtocolChannel:
        """A channel of this protocol, not open yet."""
        raise NotImplementedError

    def channel(self, listener: Listener) -> Any:
        """channel.open: the channel, as the shell gives answers.

        `ChannelLimitExceeded` when no number is left.
        """
        self.ensure_open()
        channel = self.new_channel(self._free_number(), listener)
        self.channels[channel.number] = channel
        return channel.call(spec.ChannelOpen(), lambda _: channel)

    def _free_number(self) -> int:
        for _ in range(self.channel_max):
            self._last_channel = self._last_channel % self.channel_max + 1
            if self._last_channel not in self.channels:
                return self._last_channel
        raise exceptions.ChannelLimitExceeded(
            f"all {self.channel_max} channels of the connection are in use"
        )

    def ensure_open(self) -> None:
        """Raise why it is closed: the broker's reason the first time, if there is one."""
        if self.closed:
            error, self.error = self.error, None
            if error is not None:
                raise error
            raise exceptions.RecoverableConnectionError("the connection is closed")

    # -- the end

    def close(self) -> Pending:
        """connection.close; what is done when it is answered."""
        pending = Pending("connection.close", lambda _: self.end(None))
        self.send(0, spec.ConnectionClose(200, "closed by the client"), pending, self.waiting)
        return pending

    def end(self, error: Exception | None) -> None:
        """It is closed, because of an error or by this side: whoever waits is told."""
        if self.closed:
            return
        self.closed = True
        self.inbox.clear()
        gone = error or exceptions.RecoverableConnectionError("the connection is closed")
        told = bool(self.waiting) or not self.opened.done
        for channel in list(self.channels.values()):
            channel.lost = not channel.closed
            channel.closed = True
            told |= channel.fail_all(gone)
        for pending in (self.opened, *self.waiting, *self._unblocking):
            pending.fail(gone)
        self.waiting.clear()
        self._unblocking.clear()
        if not told:
            self.error = error


def _confirmed(channel: ProtocolChannel, method: spec.BasicAck | spec.BasicNack) -> None:
    ok = type(method) is spec.BasicAck
    channel.confirms.answered(method.delivery_tag, method.multiple, ok)


def _cancelled(channel: ProtocolChannel, method: spec.BasicCancel) -> None:
    tag = method.consumer_tag

    def tell() -> None:
        channel.unsubscribed(tag)
        channel.listener.cancelled(tag)

    channel.connection.inbox.append(tell)
    if not method.nowait:
        channel.connection.send(channel.number, spec.BasicCancelOk(tag))


def _closed(channel: ProtocolChannel, method: spec.ChannelClose) -> None:
    connection = channel.connection
    connection.send(channel.number, spec.ChannelCloseOk())
    if channel.closed:
        return  # both close: the answer to ours is still to come
    del connection.channels[channel.number]
    name = spec.method_name(method.class_id, method.method_id) if method.class_id else ""
    channel.ended(
        exceptions.error_for_code(
            method.reply_code, method.reply_text, name, exceptions.ChannelException
        )
    )


def _flow(channel: ProtocolChannel, method: spec.ChannelFlow) -> None:
    channel.connection.send(channel.number, spec.ChannelFlowOk(method.active))


_EVENTS: dict[type, Callable[[Any, Any], None]] = {
    spec.BasicAck: _confirmed,
    spec.BasicNack: _confirmed,
    spec.BasicCancel: _cancelled,
    spec.ChannelClose: _closed,
    spec.ChannelFlow: _flow,
}
"""What comes unasked."""
