"""aiormq, on a loop in a thread."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from ...needed import needed_module
from .asyncio_loop import LoopThread, from_pamqp, to_pamqp
from .base import (
    TIMEOUT,
    Channel,
    ChannelClosed,
    Connection,
    ConnectionLost,
    Declared,
    Received,
    Returned,
)

__all__ = ["AsyncioChannel", "AsyncioConnection", "connect"]

aiormq = needed_module("aiormq")

# The library has a class for each of these codes, and drops the number.
CODES = {
    "ChannelAccessRefused": 403,
    "ChannelNotFoundEntity": 404,
    "ChannelLockedResource": 405,
    "ChannelPreconditionFailed": 406,
    "ConnectionCommandInvalid": 503,
    "ConnectionNotAllowed": 530,
}


def connect(url: str) -> Connection:
    """Open a connection. Raises ConnectionLost."""
    return AsyncioConnection(url)


def translated(error: BaseException) -> BaseException:
    """An exception of aiormq as the contract's."""
    text = " ".join(str(each) for each in error.args)
    number = re.match(r"\d{3}\b", text)
    code = CODES.get(type(error).__name__, int(number[0]) if number else 0)
    if isinstance(error, aiormq.exceptions.AMQPChannelError):
        return ChannelClosed(code, text)
    if isinstance(error, aiormq.exceptions.AMQPConnectionError | OSError):
        return ConnectionLost(code, text)
    return error


def received(message: Any) -> Received:
    """A delivery or the answer to a get."""
    properties = message.header.properties
    return Received(
        message.body,
        message.exchange,
        message.routing_key,
        message.redelivered,
        message.delivery_tag,
        from_pamqp({key: getattr(properties, key) for key in properties.attributes()}),
    )


class AsyncioConnection(Connection):
    """A connection whose loop runs in a thread."""

    def __init__(self, url: str) -> None:
        self.loop = LoopThread()
        self.lost: BaseException | None = None
        try:
            self.inner = self.do(self.connected(url))
        except aiormq.exceptions.AMQPError as error:
            self.loop.close()
            raise ConnectionLost(0, repr(error)) from error
        except BaseException:
            self.loop.close()
            raise

    async def connected(self, url: str) -> Any:
        """The library's connection, which tells `ended` of its end."""
        inner = await aiormq.connect(url)
        inner.closing.add_done_callback(self._on_closing)
        return inner

    def do(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result of a coroutine of the library."""
        try:
            return self.loop.run(coroutine)
        except TimeoutError:
            raise
        except (aiormq.exceptions.AMQPError, OSError) as error:
            raise translated(error) from error
        except RuntimeError as error:
            if self.lost is None:
                raise
            raise ConnectionLost(0, str(error)) from error

    def channel(self, *, confirms: bool = True) -> Channel:
        return _Channel(self, self.do(self.inner.channel(publisher_confirms=confirms)))

    def open_channel(self) -> Channel:
        return self.channel(confirms=False)

    def pump(self, timeout: float) -> None:
        self.loop.wait(timeout)
        if self.lost is not None:
            raise self.lost

    def close(self) -> None:
        if self.loop.loop.is_closed():
            return
        try:
            with suppress(ConnectionLost):
                self.do(self.inner.close())
        finally:
            self.loop.close()

    def _on_closing(self, closing: asyncio.Future[Any]) -> None:
        self.ended(None if closing.cancelled() else closing.exception())

    def ended(self, error: BaseException | None) -> None:
        """The connection is gone."""
        self.lost = ConnectionLost() if error is None else translated(error)
        if not isinstance(self.lost, ConnectionLost):
            self.lost = ConnectionLost(0, repr(error))
        self.loop.notify()


class AsyncioChannel(Channel):
    """A channel whose errors and cancelled consumers come from a channel of aiormq, `below`."""

    def __init__(self, connection: AsyncioConnection, below: Any) -> None:
        super().__init__(connection)
        self._connection, self._below = connection, below
        self._notify = connection.loop.notify
        below.on_consumer_cancel_callbacks.add(self._on_cancel)

    def _do(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result of a coroutine, or why the channel was closed before."""
        try:
            return self._connection.do(coroutine)
        except aiormq.exceptions.ChannelInvalidStateError:
            closing = self._below.closing
            error = closing.exception() if closing.done() and not closing.cancelled() else None
            if error is None:
                raise
            raise translated(error) from error

    def _on_cancel(self, frame: Any) -> None:
        self.cancelled.append(frame.consumer_tag)
        self._notify()


class _Channel(AsyncioChannel):
    def __init__(self, connection: AsyncioConnection, inner: Any) -> None:
        super().__init__(connection, inner)
        self.inner = inner

    def declare_exchange(self, name: str, kind: str, arguments: dict[str, Any] | None) -> None:
        self._do(self.inner.exchange_declare(name, exchange_type=kind, arguments=arguments))

    def bind_exchange(self, destination: str, source: str, key: str) -> None:
        self._do(self.inner.exchange_bind(destination, source, key))

    def delete_exchange(self, name: str) -> None:
        self._do(self.inner.exchange_delete(name))

    def declare_queue(
        self,
        name: str,
        *,
        durable: bool = False,
        exclusive: bool = False,
        arguments: dict[str, Any] | None = None,
    ) -> Declared:
        done = self._do(
            self.inner.queue_declare(
                name, durable=durable, exclusive=exclusive, arguments=arguments
            )
        )
        return Declared(done.queue, done.message_count, done.consumer_count)

    def look_at_queue(self, name: str) -> Declared:
        done = self._do(self.inner.queue_declare(name, passive=True))
        return Declared(done.queue, done.message_count, done.consumer_count)

    def bind_queue(
        self, queue: str, exchange: str, key: str, arguments: dict[str, Any] | None = None
    ) -> None:
        self._do(self.inner.queue_bind(queue, exchange, key, arguments=arguments))

    def purge_queue(self, name: str) -> int:
        return int(self._do(self.inner.queue_purge(name)).message_count)

    def delete_queue(self, name: str) -> int:
        return int(self._do(self.inner.queue_delete(name)).message_count)

    def confirm(self) -> None:
        self._do(self.inner.confirm_delivery())

    def publish(
        self,
        exchange: str,
        key: str,
        body: bytes,
        properties: dict[str, Any] | None = None,
        *,
        mandatory: bool = False,
    ) -> Returned | None:
        publishing = self.inner.basic_publish(
            body,
            exchange=exchange,
            routing_key=key,
            properties=aiormq.spec.Basic.Properties(**to_pamqp(properties)),
            mandatory=mandatory,
            timeout=TIMEOUT,
        )
        try:
            self._do(publishing)
        except aiormq.exceptions.PublishError as error:
            method = error.message.delivery
            return Returned(
                method.reply_code, method.exchange, method.routing_key, error.message.body
            )
        return None

    def get(self, queue: str) -> Received | None:
        message = self._do(self.inner.basic_get(queue))
        if isinstance(message.delivery, aiormq.spec.Basic.GetEmpty):
            return None
        return received(message)

    def prefetch(self, count: int) -> None:
        self._do(self.inner.basic_qos(prefetch_count=count))

    def consume(self, queue: str, *, no_ack: bool = False) -> str:
        async def on_message(message: Any) -> None:
            self.inbox.append(received(message))
            self._notify()

        return str(
            self._do(self.inner.basic_consume(queue, on_message, no_ack=no_ack)).consumer_tag
        )

    def cancel(self, consumer: str) -> None:
        self._do(self.inner.basic_cancel(consumer))

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        self._do(self.inner.basic_ack(tag, multiple=multiple))

    def nack(self, tag: int, *, requeue: bool, multiple: bool = False) -> None:
        self._do(self.inner.basic_nack(tag, multiple=multiple, requeue=requeue))

    def reject(self, tag: int, *, requeue: bool) -> None:
        self._do(self.inner.basic_reject(tag, requeue=requeue))

    def tx_select(self) -> None:
        self._do(self.inner.tx_select())

    def tx_commit(self) -> None:
        self._do(self.inner.tx_commit())

    def tx_rollback(self) -> None:
        self._do(self.inner.tx_rollback())

    def close(self) -> None:
        self._do(self.inner.close())
