"""A channel as the client's user holds it. Knows its connection and one transport channel.

Its methods are those of the AMQP methods without the class (`ack`, `declare_queue`, `qos`). What is
called per message belongs to the transport's channel and is bound here once, so that calling it
costs nothing; what outlives a lost connection is remembered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .message import ReceivedMessage, SettledMessage
from .publishing import Publishing
from .transport.base import Listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from .connection import Connection
    from .connection_pool import ChannelPool
    from .message import Message
    from .transport.base import Arguments, Delivery, TransportChannel
    from .transport.base import Connection as TransportConnection

__all__ = ["Channel", "Started", "maybe_channel"]


class Started(NamedTuple):
    """A consumer that was started, to be started again on a new connection."""

    queue: str
    callback: Callable[[Delivery], None]
    no_ack: bool
    exclusive: bool
    arguments: Arguments
    prefetch: tuple[int, bool, int] | None
    """The `qos` that was set before, which counts for it."""


class Channel(Publishing):
    """One channel of a connection: not to be shared between threads, like the connection.

    As in AMQP an error closes the channel that caused it; every further call on it then raises
    `RecoverableConnectionError`, and a new channel carries on. When the connection is lost and made
    again, its channels come back with their consumers, prefetch and confirms: see `recovery`.
    """

    __slots__ = (
        "__weakref__", "ack", "cancel_callbacks", "consumers", "nack", "pool", "prefetch",
        "recover", "reject",
    )  # fmt: skip

    def __init__(
        self, connection: Connection, transport: TransportConnection, confirm: bool = False
    ) -> None:
        """Open a channel of a transport's connection; with `confirm` in confirm mode."""
        self.connection = connection
        self.topology = connection.topology
        self.pool: ChannelPool | None = None
        """The pool that it goes back to."""
        self.events = {"basic_return": set()}
        self.cancel_callbacks: dict[str, Callable[[str], object]] = {}
        self.returned = []
        self.confirming = False
        self.transactional = False
        self.prefetch: tuple[int, bool, int] | None = None
        """The arguments of the last `qos`."""
        self.consumers: dict[str, Started] = {}
        """Those that were started, by their tags."""
        self.attach(transport)
        connection.channels.add(self)
        if confirm:
            self.confirm_select()

    def attach(self, transport: TransportConnection) -> None:
        """Open it on a transport's connection: the first one, or a new one after a loss.

        Delivery tags go on from those of the lost one, so that a late ack cannot mean another
        delivery: it raises `LeaseLost`.
        """
        raw = transport.channel(Listener(self._on_returned, self.on_cancelled))
        old: TransportChannel | None = getattr(self, "raw", None)
        if old is not None:
            raw.go_on_from(old)
        self.raw = raw
        self.send = self._sender()
        self.ack = raw.ack
        self.nack = raw.nack
        self.reject = raw.reject
        self.recover = raw.recover

    @property
    def channel_id(self) -> int:
        """Its number on its connection, from 1."""
        return self.raw.channel_id

    @property
    def closed(self) -> bool:
        """Whether it was closed, from here or by an error."""
        return self.raw.closed

    def tx_select(self) -> None:
        """Put the channel in transaction mode (`tx.select`)."""
        self.raw.tx_select()
        self.transactional = True
        self.send = self._sender()

    def tx_commit(self) -> None:
        """Publish and settle what was held since the last commit (`tx.commit`)."""
        self.raw.tx_commit()

    def tx_rollback(self) -> None:
        """Forget what was held since the last commit (`tx.rollback`)."""
        self.raw.tx_rollback()

    def qos(self, prefetch_count: int, global_: bool = False, prefetch_size: int = 0) -> None:
        """Limit unacked deliveries, per consumer started later or for the channel; 0: no limit."""
        self.raw.qos(prefetch_count, global_, prefetch_size)
        self.prefetch = (prefetch_count, global_, prefetch_size)

    def consume(  # noqa: PLR0913 -- the fields of basic.consume
        self,
        queue: str,
        callback: Callable[[Delivery], None],
        *,
        tag: str = "",
        no_ack: bool = False,
        exclusive: bool = False,
        arguments: Arguments = None,
        on_cancel: Callable[[str], object] | None = None,
    ) -> str:
        """Start a consumer and return its tag; `callback` gets the deliveries as they come.

        `on_cancel` is called with the tag when the broker cancels the consumer.
        """
        tag = self.raw.consume(
            queue, callback, tag=tag, no_ack=no_ack, exclusive=exclusive, arguments=arguments
        )
        self.consumers[tag] = Started(queue, callback, no_ack, exclusive, arguments, self.prefetch)
        if on_cancel is not None:
            self.cancel_callbacks[tag] = on_cancel
        return tag

    def cancel(self, tag: str) -> None:
        """Stop a consumer. What it has not settled yet stays unacked; unknown tags are fine."""
        self.cancel_callbacks.pop(tag, None)
        self.raw.cancel(tag)
        started = self.consumers.pop(tag, None)
        if started is not None and not self.connection.consumes_from(started.queue):
            self.topology.consumer_left(started.queue)

    def get(self, queue: str, no_ack: bool = False) -> Message | None:
        """Fetch the first ready message of a queue, None when there is none."""
        fetched = self.raw.get(queue, no_ack)
        if fetched is None:
            return None
        build = SettledMessage if no_ack else ReceivedMessage
        message = build(fetched.delivery, self)
        message.left = fetched.message_count
        return message

    def release(self) -> None:
        """Close it, or give it back to its pool."""
        if self.pool is None:
            self.close()
        else:
            self.pool.release(self)

    def close(self) -> None:
        """Close the channel; its unacked messages go back to their queues. Twice does nothing."""
        self.connection.channels.discard(self)
        self.raw.close()

    def on_cancelled(self, tag: str) -> None:
        """The broker ended a consumer."""
        started = self.consumers.pop(tag, None)
        if started is not None:
            self.topology.forget_queue(started.queue)  # it is gone
        callback = self.cancel_callbacks.pop(tag, None)
        if callback is not None:
            callback(tag)

    def renamed(self, old: str, new: str) -> None:
        """The broker gave a queue that it had named itself another name after a reconnect."""
        for tag, started in self.consumers.items():
            if started.queue == old:
                self.consumers[tag] = started._replace(queue=new)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.channel_id} of {self.connection!r}>"


def maybe_channel(channel: Channel | Connection) -> Channel:
    """The channel itself, or the default channel of a connection."""
    return channel if isinstance(channel, Channel) else channel.default_channel
