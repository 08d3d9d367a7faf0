"""Queues as simple as Python's own: put, get, qsize. Knows no transport."""

from __future__ import annotations

import time
from collections import deque
from queue import Empty
from typing import TYPE_CHECKING, Any, ClassVar

from .channel import maybe_channel
from .consumer import Consumer
from .exchange import Exchange
from .producer import Producer
from .queue import Queue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType
    from typing import Self

    from .channel import Channel
    from .connection import Connection
    from .message import Message

__all__ = ["SimpleBase", "SimpleBuffer", "SimpleQueue"]


class SimpleBase:
    """What `SimpleQueue` and `SimpleBuffer` are made of. One thread at a time."""

    Empty = Empty

    def __init__(
        self,
        channel: Channel | Connection,
        producer: Producer,
        consumer: Consumer,
        no_ack: bool = False,
    ) -> None:
        self.channel = maybe_channel(channel)
        self.producer = producer
        self.consumer = consumer
        self.no_ack = no_ack
        self.queue = consumer.queues[0]
        self.buffer: deque[Message] = deque()
        self._consuming = False
        consumer.register_callback(self._receive)

    def get(self, block: bool = True, timeout: float | None = None) -> Message:
        """The next message, waiting up to `timeout` seconds (None: for ever), to be acked.

        Raises `Empty` when none came, without `block` at once.
        """
        if not block:
            return self.get_nowait()
        if not self._consuming:
            self.consumer.consume(no_ack=self.no_ack)
            self._consuming = True
        end = None if timeout is None else time.monotonic() + timeout
        while not self.buffer:
            left = None if end is None else max(0.0, end - time.monotonic())
            try:
                self.channel.connection.drain_events(timeout=left)
            except TimeoutError:
                raise Empty from None
        return self.buffer.popleft()

    def get_nowait(self) -> Message:
        """The next message; `Empty` when there is none."""
        if self.buffer:
            return self.buffer.popleft()
        message = self.queue.get(no_ack=self.no_ack, accept=self.consumer.accept)
        if message is None:
            raise Empty
        return message

    def put(
        self,
        message: Any,
        serializer: str | None = None,
        headers: Mapping[str, Any] | None = None,
        compression: str | None = None,
        routing_key: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Publish a message; `kwargs` are further arguments of `Producer.publish`."""
        self.producer.publish(
            message,
            serializer=serializer,
            routing_key=routing_key,
            headers=headers,
            compression=compression,
            **kwargs,
        )

    def clear(self) -> int:
        """Remove all ready messages; returns how many."""
        return self.consumer.purge()

    def qsize(self) -> int:
        """How many messages are ready in the queue."""
        return self.queue.queue_declare(passive=True).message_count

    def close(self) -> None:
        """Stop consuming."""
        self.consumer.cancel()

    def _receive(self, _: Any, message: Message) -> None:
        self.buffer.append(message)

    def __len__(self) -> int:
        return self.qsize()

    def __bool__(self) -> bool:
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.close()


class SimpleQueue(SimpleBase):
    """A durable queue with an exchange of its own. `name` is its name, or a `Queue` to use."""

    no_ack: bool = False
    queue_opts: ClassVar[dict[str, Any]] = {}
    queue_args: ClassVar[dict[str, Any]] = {}
    exchange_opts: ClassVar[dict[str, Any]] = {"type": "direct"}

    def __init__(  # noqa: PLR0913 -- Kombu's signature
        self,
        channel: Channel | Connection,
        name: str | Queue,
        no_ack: bool | None = None,
        queue_opts: Mapping[str, Any] | None = None,
        queue_args: Mapping[str, Any] | None = None,
        exchange_opts: Mapping[str, Any] | None = None,
        serializer: str | None = None,
        compression: str | None = None,
        accept: Iterable[str] | None = None,
    ) -> None:
        """`queue_opts` and `exchange_opts` are arguments of `Queue` and `Exchange`.

        `queue_args` are the queue's `queue_arguments`.
        """
        queue = name
        if not isinstance(queue, Queue):
            exchange = Exchange(queue, **{**self.exchange_opts, **(exchange_opts or {})})
            queue = Queue(
                queue,
                exchange,
                queue,
                queue_arguments={**self.queue_args, **(queue_args or {})},
                **{**self.queue_opts, **(queue_opts or {})},
            )
        consumer = Consumer(channel, queue, accept=accept)
        producer = Producer(
            channel,
            queue.exchange,
            serializer=serializer,
            routing_key=queue.routing_key or (queue.name if _by_name(queue) else ""),
            compression=compression,
        )
        super().__init__(channel, producer, consumer, self.no_ack if no_ack is None else no_ack)


def _by_name(queue: Queue) -> bool:
    # A queue that was given without an exchange is reached by its name through the default one.
    return queue.exchange is None or not queue.exchange.name


class SimpleBuffer(SimpleQueue):
    """A queue that lives as long as its connection, without acks and persistence."""

    no_ack = True
    queue_opts: ClassVar[dict[str, Any]] = {
        "durable": False,
        "auto_delete": True,
        "exclusive": True,
    }
    exchange_opts: ClassVar[dict[str, Any]] = {
        "durable": False,
        "delivery_mode": "transient",
        "auto_delete": True,
    }
