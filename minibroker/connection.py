"""One connection to a virtual host: its channels, its exclusive queues, and its outbox.

Knows nothing of sockets, locks or waiting: whoever owns the connection takes what lies in the
outbox, and may ask to be woken when something is put there.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from .access import UNRESTRICTED
from .channel import Channel
from .errors import ConnectionForced
from .queues.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from .access import Access
    from .channel.state import ChannelState
    from .errors import AMQPError
    from .events import Blocked, Cancelled, ChannelClosed, Confirmed, Returned, Unblocked
    from .queues.base import BaseQueue
    from .queues.consumers import Consumer
    from .vhost import VHost

    Event = Blocked | Cancelled | ChannelClosed | Confirmed | Returned | Unblocked

__all__ = ["Connection"]

BOUNDLESS = 1 << 62


class Connection:
    """One connection. Thread-safe as its channels are: calls take the broker's lock."""

    def __init__(self, vhost: VHost, user: str = "guest", access: Access = UNRESTRICTED) -> None:
        self.vhost = vhost
        self.user = user
        self.access = access
        self.impersonates = False
        """Whether it may publish in other users' names."""
        self.outbox: deque[Entry | Event] = deque()
        """Deliveries and events for the client, in order."""
        self.wake: Callable[[], None] | None = None
        """Called whenever something was put into the outbox."""
        self.channels: list[Channel] = []
        self.opened = 0
        """How many channels have been opened so far."""
        self.exclusive: dict[str, BaseQueue] = {}
        """The queues that end with this connection."""
        self.closed = False
        self.error: AMQPError | None = None
        """Why the broker closed it, if it did."""
        self.room = BOUNDLESS
        """Bytes of deliveries that the outbox takes before its consumers are paused; whoever owns
        the connection gives it again with `relieve`."""
        self.congested = False
        """Whether consumers are paused because there is no room."""

    def congest(self) -> None:
        """There is no room: whoever consumes here is passed over until there is."""
        self.congested = True
        for channel in self.channels:
            for consumer in channel.consumers.values():
                if consumer.queue.keeps:
                    consumer.queue.consumers.pause(consumer)

    def relieve(self, room: int) -> None:
        """The outbox was emptied: it has room for so many bytes."""
        self.room = room
        if self.congested:
            self.congested = False
            for channel in list(self.channels):
                channel.resume()

    def ended_by(self) -> AMQPError:
        """Why the broker closed the connection."""
        return self.error or ConnectionForced("the connection was closed by the broker")

    def channel(self, number: int | None = None) -> Channel:
        """Open a new channel; without a number it gets the next one."""
        with self.vhost.guard:
            if self.closed:
                raise ConnectionForced("the connection is closed")
            self.opened += 1
            channel = Channel(self, self.opened if number is None else number)
            self.channels.append(channel)
            return channel

    def send(self, event: Event) -> None:
        """Put an event into the outbox."""
        self.outbox.append(event)
        if self.wake is not None:
            self.wake()

    def withdraw(self, channel: ChannelState, only: Consumer | None = None) -> None:
        """Take deliveries that nobody has looked at yet out of the outbox.

        Those of a channel that would have to be acked, or only those of one of its consumers.
        From the end, so that whoever drains the outbox at its head meanwhile, without a lock,
        loses nothing and gets the rest in order.
        """
        kept: list[Entry | Event] = []
        while True:
            try:
                item = self.outbox.pop()
            except IndexError:
                break
            consumer = item.consumer if isinstance(item, Entry) else None
            if (
                consumer is None
                or consumer.no_ack
                or consumer.channel is not channel
                or (only is not None and consumer is not only)
            ):
                kept.append(item)
        self.outbox.extend(reversed(kept))

    def close(self, error: AMQPError | None = None) -> None:
        """Close all channels, then delete the exclusive queues. Closing twice does nothing.

        `error` is what the client is told where the broker closes the connection by itself.

        All consumers leave before anything goes back: a message that went through each channel in
        turn would come back more often than it was delivered.
        """
        with self.vhost.guard:
            if self.closed:
                return
            self.closed = True
            self.error = error
            channels, self.channels = self.channels, []
            left = [channel.leave() for channel in channels]
            for channel, queues in zip(channels, left, strict=True):
                channel.give_back(queues)
            for queue in list(self.exclusive.values()):
                self.vhost.remove_queue(queue)
            self.vhost.connections.discard(self)
            if self.wake is not None:
                self.wake()

    def _check(self) -> None:
        for channel in self.channels:
            channel._check()
        for name, queue in self.exclusive.items():
            assert self.vhost.queues.get(name) is queue, f"{name!r} is not a queue any more"
            assert queue.owner is self, f"{name!r} belongs to another connection"
