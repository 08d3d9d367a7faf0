"""A queue to iterate over. Knows its channel."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from ..exceptions import AMQPError, ConnectionLost, MessageStateError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ..message import Message
    from ..transport.base import Arguments, Declared
    from .channel import Channel

__all__ = ["Queue", "QueueIterator"]

FULL, LOW = 2000, 500
"""Messages that wait for the application: no more is read from the first on, down to the second."""


class Queue:
    """A declared queue: `async for message in queue`."""

    def __init__(self, channel: Channel, declared: Declared) -> None:
        self.channel = channel
        self.name = declared.queue
        self.declared = declared
        """The broker's answer, with the counts of messages and consumers at that time."""

    def __aiter__(self) -> AsyncIterator[Message]:
        return self._messages()

    async def _messages(self) -> AsyncIterator[Message]:
        async with self.iterator() as messages:
            async for message in messages:
                yield message

    def iterator(
        self, *, no_ack: bool = False, exclusive: bool = False, arguments: Arguments = None
    ) -> QueueIterator:
        """The messages of this queue as they come, for `async with` and `async for`.

        At the end of the block the consumer is cancelled, and what came and was not asked for goes
        back. How many come ahead is for `Channel.qos`.
        """
        return QueueIterator(self, no_ack, exclusive, arguments)

    async def bind(self, exchange: str, routing_key: str = "", arguments: Arguments = None) -> None:
        """Route from an exchange to this queue."""
        await self.channel.bind_queue(self.name, exchange, routing_key, arguments)

    async def get(self, no_ack: bool = False) -> Message | None:
        """The first ready message, None when there is none."""
        return await self.channel.get(self.name, no_ack)

    async def purge(self) -> int:
        """Remove all ready messages; returns how many."""
        return await self.channel.purge_queue(self.name)

    async def delete(self) -> int:
        """Delete it; returns how many messages it held."""
        return await self.channel.delete_queue(self.name)

    def __repr__(self) -> str:
        return f"<Queue {self.name!r}>"


class QueueIterator:
    """One consumer of a queue. Awaiting a message may be cancelled without losing one."""

    def __init__(self, queue: Queue, no_ack: bool, exclusive: bool, arguments: Arguments) -> None:
        self._queue = queue
        self._options = (no_ack, exclusive, arguments)
        self._messages: deque[Message] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._tag: str | None = None
        self._ended = False
        self._error: Exception | None = None

    async def __aenter__(self) -> Self:
        no_ack, exclusive, arguments = self._options
        channel = self._queue.channel
        channel.connection.iterators.add(self)
        self._tag = await channel.consume(
            self._queue.name, self._came, no_ack=no_ack, exclusive=exclusive,
            arguments=arguments, on_cancel=self._cancelled,
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Cancel the consumer, and give back what was not asked for."""
        tag, self._tag = self._tag, None
        channel = self._queue.channel
        channel.connection.iterators.discard(self)
        if tag is not None and not self._ended and not channel.closed:
            with suppress(AMQPError, OSError):  # lost meanwhile: then it has ended as well
                await channel.cancel(tag)
        self._ended = True
        self._wake()
        channel.connection.hold(False)
        with suppress(AMQPError, MessageStateError):
            while self._messages:
                self._messages.pop().requeue()

    def __aiter__(self) -> QueueIterator:
        return self

    async def __anext__(self) -> Message:
        """The next message. Ends when the broker cancels the consumer; raises what ended the
        connection, if that does not come back by itself.
        """
        while not self._messages:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        message = self._messages.popleft()
        if len(self._messages) == LOW:
            self._queue.channel.connection.hold(False)
        return message

    def _came(self, message: Message) -> None:
        self._messages.append(message)
        if len(self._messages) == FULL:
            self._queue.channel.connection.hold(True)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _cancelled(self, _: str) -> None:
        self._ended = True
        self._wake()

    def lost(self, final: bool) -> None:
        """The connection was lost: what came before comes again, if it is made again."""
        self._messages.clear()
        if final:
            self._error = ConnectionLost("the connection was lost")
            self._wake()
