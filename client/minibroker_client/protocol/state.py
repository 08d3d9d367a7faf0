"""What both sides of a channel need: whether it is open, and answers that are waited for."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from minibroker.wire.amqp.spec import LAYOUTS, ChannelClose, MethodRecord, method_name

from .. import exceptions
from ..transport.confirms import Confirms
from .pending import Pending

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..transport.base import Listener, TransportChannel
    from .connection import ProtocolConnection
    from .deliveries import Subscription

__all__ = ["ChannelState", "name_of"]


def name_of(method: MethodRecord) -> str:
    """The method's name in AMQP."""
    class_id, method_id, _ = LAYOUTS[type(method)]
    return method_name(class_id, method_id)


class ChannelState:
    """One channel of a connection."""

    def __init__(self, connection: ProtocolConnection, number: int, listener: Listener) -> None:
        self.connection = connection
        self.number = number
        self.listener = listener
        self.closed = False
        """Whether it was closed, from either side."""
        self.lost = False
        """Whether it was open when its connection ended."""
        self.error: Exception | None = None
        """Why the broker closed it, until somebody was told."""
        self.waiting: deque[Pending] = deque()
        """The answers that are to come, in order."""
        self.consumers: dict[str, Subscription] = {}
        self.confirms = Confirms()
        self.confirming = False
        self.base = 0
        """What is added to the delivery tags of the broker: they go on from those of the channel
        that this one stands for after a reconnect, so that a late ack cannot mean another."""
        self.last_tag = 0
        """The highest delivery tag so far."""

    @property
    def channel_id(self) -> int:
        """Its number on its connection, from 1."""
        return self.number

    @property
    def unconfirmed(self) -> int:
        """How many publishes have no answer yet."""
        return len(self.confirms)

    @property
    def highest_tag(self) -> int:
        """The highest delivery tag that was handed out."""
        return self.base + self.last_tag

    def go_on_from(self, lost: TransportChannel) -> None:
        """See `TransportChannel`."""
        self.base = lost.highest_tag

    def call(self, method: MethodRecord, convert: Callable[[Any], Any] | None = None) -> Any:
        """Send a method, and what the shell makes of its answer. Raises if it is closed."""
        return self.connection.shell.perform(self.request(method, convert))

    def request(self, method: MethodRecord, convert: Callable[[Any], Any] | None = None) -> Pending:
        """Send a method that is answered."""
        self.ensure_open()
        pending = Pending(name_of(method), convert)
        self.connection.send(self.number, method, pending, self.waiting)
        return pending

    def ensure_open(self) -> None:
        """Raise why it is closed: the broker's reason the first time, if there is one."""
        if self.closed:
            error, self.error = self.error, None
            if error is not None:
                raise error
            self.connection.ensure_open()
            raise exceptions.RecoverableConnectionError("the channel is closed")

    # -- the end

    def close(self) -> Any:
        """channel.close. Closing twice does nothing."""
        if self.closed:
            self.error = None
            return self.connection.shell.perform(_done("channel.close"))
        pending = self.request(ChannelClose(200, "closed by the client"))
        self.closed = True
        return self.connection.shell.perform(pending)

    def ended(self, error: Exception) -> None:
        """It was closed from the other side: who waits is told, or else who comes next."""
        self.closed = True
        if not self.fail_all(error):
            self.error = error
            self.connection.inbox.append(self._tell)

    def fail_all(self, error: Exception) -> bool:
        """There will be no answers any more; whether somebody was waiting and is told why.

        One is told why, the others that the channel is closed.
        """
        told = bool(self.waiting)
        self.error = None if told else error
        waiting, self.waiting = self.waiting, deque()
        for pending in waiting:
            pending.fail(error)
            error = exceptions.RecoverableConnectionError("the channel is closed", pending.method)
        self.confirms.abandon()  # who waits for one asks whether the channel is open
        told = told or self.error is None
        self.error = None
        return told

    def _tell(self) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error


def _done(method: str) -> Pending:
    pending = Pending(method)
    pending.succeed(None)
    return pending
