"""A channel as the client's user holds it. Knows its connection and one transport channel.

Its methods are those of the AMQP methods without the class (`ack`, `declare_queue`, `qos`) and
belong to the transport's channel: they are bound here once, so that calling one costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .exceptions import MessageNacked, MessageReturned
from .message import ReceivedMessage, SettledMessage, returned_message
from .transport.base import Listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from .connection import Connection
    from .connection_pool import ChannelPool
    from .message import Message
    from .transport.base import Arguments, Delivery, Returned
    from .transport.base import Connection as TransportConnection

__all__ = ["Channel", "maybe_channel"]


class Channel:
    """One channel of a connection: not to be shared between threads, like the connection.

    As in AMQP an error closes the channel that caused it; every further call on it then raises
    `RecoverableConnectionError`, and a new channel carries on.
    """

    __slots__ = (
        "__weakref__", "ack", "bind_exchange", "bind_queue", "cancel_callbacks", "confirming",
        "connection", "declare_exchange", "declare_queue", "delete_exchange", "delete_queue",
        "events", "nack", "pool", "purge_queue", "qos", "raw", "recover", "reject", "returned",
        "send", "tx_commit", "tx_rollback", "tx_select", "unbind_exchange", "unbind_queue",
    )  # fmt: skip

    def __init__(
        self, connection: Connection, transport: TransportConnection, confirm: bool = False
    ) -> None:
        """Open a channel of a transport's connection; with `confirm` in confirm mode."""
        raw = transport.channel(Listener(self._on_returned, self._on_cancelled))
        self.connection = connection
        self.raw = raw
        self.confirming = False
        self.pool: ChannelPool | None = None
        """The pool that it goes back to."""
        self.events: dict[str, set[Callable[..., object]]] = {"basic_return": set()}
        """Callbacks `(exception, exchange, routing_key, message)` for messages that come back."""
        self.cancel_callbacks: dict[str, Callable[[str], object]] = {}
        self.returned: list[MessageReturned] = []
        self.send: Callable[[str, str, bytes, Any, bool, float | None], object] = raw.publish
        """Publish with a record made by `raw.properties`; in confirm mode, wait for the confirm."""
        self.ack = raw.ack
        self.nack = raw.nack
        self.reject = raw.reject
        self.recover = raw.recover
        self.qos = raw.qos
        self.declare_exchange = raw.declare_exchange
        self.delete_exchange = raw.delete_exchange
        self.bind_exchange = raw.bind_exchange
        self.unbind_exchange = raw.unbind_exchange
        self.declare_queue = raw.declare_queue
        self.bind_queue = raw.bind_queue
        self.unbind_queue = raw.unbind_queue
        self.purge_queue = raw.purge_queue
        self.delete_queue = raw.delete_queue
        self.tx_select = raw.tx_select
        self.tx_commit = raw.tx_commit
        self.tx_rollback = raw.tx_rollback
        if confirm:
            self.confirm_select()

    @property
    def channel_id(self) -> int:
        """Its number on its connection, from 1."""
        return self.raw.channel_id

    @property
    def closed(self) -> bool:
        """Whether it was closed, from here or by an error."""
        return self.raw.closed

    def confirm_select(self) -> None:
        """Put the channel in confirm mode: from now on `publish` waits for the broker's answer."""
        self.raw.confirm_select()
        self.confirming = True
        self.send = self.send_confirmed

    def publish(  # noqa: PLR0913 -- the fields of basic.publish and the two times to wait
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: dict[str, Any] | None = None,
        mandatory: bool = False,
        timeout: float | None = None,
        confirm_timeout: float | None = None,
    ) -> None:
        """Publish bytes as they are. `properties` has AMQP's names, `headers` among them.

        Seconds: `timeout` bounds the wait while the broker takes no messages (`PublisherBlocked`),
        `confirm_timeout` that for the confirm (`TimeoutError`). In confirm mode `MessageNacked`
        says that the broker refused the message, and `MessageReturned` that a mandatory one came
        back, unless a callback in `events["basic_return"]` was told.
        """
        record = self.raw.properties(properties or {})
        if self.confirming:
            self.send_confirmed(
                exchange, routing_key, body, record, mandatory, timeout, confirm_timeout
            )
        else:
            self.send(exchange, routing_key, body, record, mandatory, timeout)

    def send_confirmed(  # noqa: PLR0913 -- as publish
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        record: Any,
        mandatory: bool = False,
        timeout: float | None = None,
        confirm_timeout: float | None = None,
    ) -> None:
        """`publish` in confirm mode, with a record made by `raw.properties`."""
        number = self.raw.publish(exchange, routing_key, body, record, mandatory, timeout)
        self.returned.clear()
        if not self.raw.confirmed(number, confirm_timeout):
            raise MessageNacked(
                f"the broker refused the message to exchange {exchange!r} "
                f"with routing key {routing_key!r}",
                number,
            )
        if self.returned:
            raise self.returned.pop(0)

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
        if on_cancel is not None:
            self.cancel_callbacks[tag] = on_cancel
        return tag

    def cancel(self, tag: str) -> None:
        """Stop a consumer. What it has not settled yet stays unacked; unknown tags are fine."""
        self.cancel_callbacks.pop(tag, None)
        self.raw.cancel(tag)

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
        self.raw.close()

    def _on_returned(self, returned: Returned) -> None:
        carried = returned.message
        error = MessageReturned(
            returned_message(carried),
            returned.reply_code,
            returned.reply_text,
            carried.exchange,
            carried.routing_key,
        )
        callbacks = tuple(self.events["basic_return"])
        for callback in callbacks:
            callback(error, carried.exchange, carried.routing_key, error.message)
        if callbacks:
            return
        if not self.confirming:
            raise error
        self.returned.append(error)

    def _on_cancelled(self, tag: str) -> None:
        callback = self.cancel_callbacks.pop(tag, None)
        if callback is not None:
            callback(tag)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.channel_id} of {self.connection!r}>"


def maybe_channel(channel: Channel | Connection) -> Channel:
    """The channel itself, or the default channel of a connection."""
    return channel if isinstance(channel, Channel) else channel.default_channel
