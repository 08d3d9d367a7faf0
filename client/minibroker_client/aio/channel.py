"""A channel for an event loop. What needs an answer is awaited; acks are sent with what follows.

The calls are those of `minibroker_client.Channel`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Self

from ..channel import Started
from ..exceptions import MessageNacked, MessageReturned, PublisherBlocked
from ..message import ReceivedMessage, SettledMessage, returned_message
from ..transport.base import Listener
from .declaring import Declaring
from .modes import Modes
from .waiting import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..message import Message
    from ..transport.base import Arguments, Delivery, Returned, TransportChannel
    from .connection import Connection

__all__ = ["Channel"]


class Channel(Declaring, Modes):
    """One channel, of one event loop. `async with` closes it.

    An error closes the channel that caused it, as in AMQP. When the connection is lost and was made
    with `recover`, it comes back with its consumers, prefetch and confirms.
    """

    raw: TransportChannel

    def __init__(self, connection: Connection, confirm: bool) -> None:
        """Use `Connection.channel`."""
        self.connection = connection
        self.confirming = confirm
        self.transactional = False
        self.prefetch: tuple[int, bool, int] | None = None
        self.consumers: dict[str, Started] = {}
        self.on_return: Callable[[MessageReturned], object] | None = None
        """Told of a mandatory message that came back, instead of `publish` raising it."""
        self._on_cancel: dict[str, Callable[[str], object]] = {}
        self._mandatory: dict[int, tuple[str, str, bytes]] = {}
        """What was published as mandatory and is not confirmed, by sequence number."""
        self._returned: dict[int, MessageReturned] = {}
        self._unclaimed: deque[tuple[tuple[str, str, bytes], MessageReturned]] = deque(maxlen=256)
        """What came back, and is not known yet to be one of these."""

    async def attach(self, shell: Any) -> None:
        """Open it on a connection: the first one, or a new one after a loss."""
        raw = await resolve(shell.channel(Listener(self._came_back, self.on_cancelled)))
        old: TransportChannel | None = getattr(self, "raw", None)
        if old is not None:
            await resolve(raw.go_on_from(old))
        self.raw = raw

    @property
    def closed(self) -> bool:
        """Whether it was closed, from either side."""
        return self.raw.closed

    async def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the transport's channel."""
        return await resolve(getattr(self.raw, name)(*args, **kwargs))

    # -- publishing

    async def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: dict[str, Any] | None = None,
        mandatory: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109 -- not for the whole call
    ) -> None:
        """Publish bytes, and return when the broker has confirmed them (`confirm` of the channel).

        `timeout` in seconds is for the broker to take messages again, if it is blocked
        (`PublisherBlocked`). `MessageNacked` when it refused the message, `MessageReturned` when a
        mandatory one came back and there is no `on_return`. With `recover` a message whose confirm
        was lost with the connection is published again, with the same `message_id`.
        """
        await self.connection.publish(
            self, exchange, routing_key, body, dict(properties or {}), mandatory, timeout
        )

    async def publish_once(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: dict[str, Any],
        mandatory: bool,
        timeout: float | None,  # noqa: ASYNC109 -- as publish
    ) -> None:
        """`publish`, without another try."""
        raw = self.raw
        record = raw.properties(properties)
        while True:
            await self.connection.shell.ready(timeout)
            try:
                number: Any = raw.publish(exchange, routing_key, body, record, mandatory, 0)
                if type(number) is not int:  # on a thread
                    number = await number
            except PublisherBlocked:  # again, meanwhile
                continue
            break
        if not self.confirming:
            return
        if mandatory:
            self._mandatory[number] = exchange, routing_key, body
            self._claim(number)
        try:
            ok = await self.connection.shell.confirmed(raw, number)
        finally:
            self._mandatory.pop(number, None)
            returned = self._returned.pop(number, None)
        if returned is not None:
            raise returned
        if not ok:
            raise MessageNacked(
                f"the broker refused the message to exchange {exchange!r} "
                f"with routing key {routing_key!r}",
                number,
            )

    def _came_back(self, returned: Returned) -> None:
        carried = returned.message
        error = MessageReturned(
            returned_message(carried), returned.reply_code, returned.reply_text,
            carried.exchange, carried.routing_key,
        )  # fmt: skip
        if self.on_return is not None:
            self.on_return(error)
            return
        same = carried.exchange, carried.routing_key, carried.body
        self._unclaimed.append((same, error))
        for number in self._mandatory:
            if self._claim(number):
                return

    def _claim(self, number: int) -> bool:
        """Whether a message that came back is this one: on a thread that may be known first."""
        if number in self._returned:
            return False
        for each in self._unclaimed:
            if each[0] == self._mandatory[number]:
                self._unclaimed.remove(each)
                self._returned[number] = each[1]
                return True
        return False

    # -- consuming

    async def consume(  # noqa: PLR0913 -- the fields of basic.consume
        self,
        queue: str,
        callback: Callable[[Message], object],
        *,
        tag: str = "",
        no_ack: bool = False,
        exclusive: bool = False,
        arguments: Arguments = None,
        on_cancel: Callable[[str], object] | None = None,
    ) -> str:
        """Start a consumer and return its tag; `callback` gets messages, in the loop.

        `on_cancel` is called with the tag when the broker ends the consumer.
        """
        build = SettledMessage if no_ack else ReceivedMessage
        accept = self.connection.accept

        def receive(delivery: Delivery) -> None:
            callback(build(delivery, self, accept))  # type: ignore[arg-type]  # has ack and reject

        tag = await self.call(
            "consume", queue, receive, tag=tag, no_ack=no_ack, exclusive=exclusive,
            arguments=arguments,
        )  # fmt: skip
        self.consumers[tag] = Started(queue, receive, no_ack, exclusive, arguments, self.prefetch)
        if on_cancel is not None:
            self._on_cancel[tag] = on_cancel
        return tag

    async def cancel(self, tag: str) -> None:
        """Stop a consumer. What it has not settled yet stays unacked."""
        self._on_cancel.pop(tag, None)
        started = self.consumers.pop(tag, None)
        await self.call("cancel", tag)
        if started is not None:
            self.connection.topology.consumer_left(started.queue)

    async def get(self, queue: str, no_ack: bool = False) -> Message | None:
        """Fetch the first ready message of a queue, None when there is none."""
        fetched = await self.call("get", queue, no_ack)
        if fetched is None:
            return None
        build = SettledMessage if no_ack else ReceivedMessage
        message = build(fetched.delivery, self, self.connection.accept)  # type: ignore[arg-type]  # has ack and reject
        message.left = fetched.message_count
        return message

    def ack(self, tag: int, multiple: bool = False) -> None:
        """Settle a delivery; what a message calls."""
        self.raw.ack(tag, multiple)

    def nack(self, tag: int, multiple: bool = False, requeue: bool = True) -> None:
        """Refuse a delivery, or all up to it."""
        self.raw.nack(tag, multiple, requeue)

    def reject(self, tag: int, requeue: bool = True) -> None:
        """Refuse a delivery; what a message calls."""
        self.raw.reject(tag, requeue)

    async def qos(self, prefetch_count: int, global_: bool = False) -> None:
        """Limit unacked deliveries, per consumer started later or for the channel; 0: no limit."""
        await self.call("qos", prefetch_count, global_)
        self.prefetch = (prefetch_count, global_, 0)

    # -- the end

    async def close(self) -> None:
        """Close it; its unacked messages go back to their queues. Twice does nothing."""
        self.connection.channels.discard(self)
        await self.call("close")

    def on_cancelled(self, tag: str) -> None:
        """The broker ended a consumer."""
        started = self.consumers.pop(tag, None)
        if started is not None:
            self.connection.topology.forget_queue(started.queue)
        callback = self._on_cancel.pop(tag, None)
        if callback is not None:
            callback(tag)

    def renamed(self, old: str, new: str) -> None:
        """The broker gave a queue that it had named itself another name after a reconnect."""
        for tag, started in self.consumers.items():
            if started.queue == old:
                self.consumers[tag] = started._replace(queue=new)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
