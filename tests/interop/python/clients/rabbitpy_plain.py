"""rabbitpy, with its own exchanges, queues, messages and transactions; it reads in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from ...needed import needed_module
from .asyncio_loop import from_pamqp, to_pamqp
from .base import Channel, ChannelClosed, Connection, ConnectionLost, Declared, Received, Returned

__all__ = ["connect"]

rabbitpy = needed_module("rabbitpy")
exceptions = needed_module("rabbitpy.exceptions")
commands = needed_module("pamqp.commands")

KNOWN = (
    exceptions.AMQPException,
    exceptions.ConnectionException,
    exceptions.RemoteClosedException,
)


def connect(url: str) -> Connection:
    """Open a connection. Raises ConnectionLost."""
    parts = urlsplit(url)
    # The library takes a path of one slash for the virtual host without a name.
    return _Connection(url if len(parts.path) > 1 else f"{url}%2f")


def _translated(error: Exception) -> Exception:
    if isinstance(error, exceptions.AMQPException):
        if isinstance(error.args[0], commands.Channel.Close):
            return ChannelClosed(error.args[0].reply_code, error.args[0].reply_text)
        return ConnectionLost(*error.args)
    if isinstance(error, exceptions.RemoteClosedException):
        return ConnectionLost(*error.args)
    return ConnectionLost(0, str(error))


class _Connection(Connection):
    def __init__(self, url: str) -> None:
        self.channels: list[_Channel] = []
        self.lost: ConnectionLost | None = None
        self.inner = self.do(rabbitpy.Connection, url)

    def do(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call the library, and raise its errors as the contract's."""
        try:
            return function(*arguments, **named)
        except KNOWN as error:
            translated = _translated(error)
            if isinstance(translated, ConnectionLost):
                self.lost = translated
            raise translated from error

    def open_channel(self) -> Channel:
        self.channels.append(_Channel(self, self.do(self.inner.channel)))
        return self.channels[-1]

    def pump(self, timeout: float) -> None:
        for channel in self.channels:
            if channel.consuming:
                channel.read()
                return
        # Without a consumer the library says nothing before the next call.
        for channel in self.channels:
            self.do(channel.inner._check_for_exceptions)
        threading.Event().wait(min(timeout, 0.005))

    def close(self) -> None:
        # To close a connection that is lost, or a channel with consumers, is more than it can.
        if self.lost is not None or any(channel.consuming for channel in self.channels):
            self.inner.__exit__(ConnectionLost, self.lost or ConnectionLost(), None)
        else:
            self.do(self.inner.close)


class _Channel(Channel):
    def __init__(self, connection: _Connection, inner: Any) -> None:
        super().__init__(connection)
        self.inner, self._do = inner, connection.do
        self.consuming: dict[str, Any] = {}
        self._queues: dict[str, Any] = {}
        self._messages: dict[int, Any] = {}
        self._transaction: Any = None

    def read(self) -> None:
        """Wait for a delivery, or for the end of a consumer."""
        try:
            message = self._do(self.inner.consume_message)
        except exceptions.RemoteCancellationException as error:
            self.consuming.pop(error.args[0])
            self.cancelled.append(error.args[0])
            return
        if message is not None:
            self.inbox.append(self._received(message))

    def declare_exchange(self, name: str, kind: str, arguments: dict[str, Any] | None) -> None:
        exchange = rabbitpy.Exchange(self.inner, name, arguments=arguments)
        exchange.type = kind
        self._do(exchange.declare)

    def bind_exchange(self, destination: str, source: str, key: str) -> None:
        self._do(rabbitpy.Exchange(self.inner, destination).bind, source, key)

    def delete_exchange(self, name: str) -> None:
        self._do(rabbitpy.Exchange(self.inner, name).delete)

    def declare_queue(
        self,
        name: str,
        *,
        durable: bool = False,
        exclusive: bool = False,
        arguments: dict[str, Any] | None = None,
    ) -> Declared:
        queue = rabbitpy.Queue(
            self.inner, name, durable=durable, exclusive=exclusive, arguments=arguments
        )
        counts = self._do(queue.declare)
        self._queues[queue.name] = queue
        return Declared(queue.name, *counts)

    def look_at_queue(self, name: str) -> Declared:
        return Declared(name, *self._do(self._queue(name).declare, passive=True))

    def _queue(self, name: str) -> Any:
        """The queue's object, also for a queue that another channel declared."""
        return self._queues.setdefault(name, rabbitpy.Queue(self.inner, name))

    def bind_queue(
        self, queue: str, exchange: str, key: str, arguments: dict[str, Any] | None = None
    ) -> None:
        self._do(self._queue(queue).bind, exchange, key, arguments)

    def purge_queue(self, name: str) -> int:
        # Queue.purge and Queue.delete do not pass on the count.
        return int(self._do(self.inner.rpc, commands.Queue.Purge(queue=name)).message_count)

    def delete_queue(self, name: str) -> int:
        return int(self._do(self.inner.rpc, commands.Queue.Delete(queue=name)).message_count)

    def confirm(self) -> None:
        self._do(self.inner.enable_publisher_confirms)

    def publish(
        self,
        exchange: str,
        key: str,
        body: bytes,
        properties: dict[str, Any] | None = None,
        *,
        mandatory: bool = False,
    ) -> Returned | None:
        message = rabbitpy.Message(self.inner, body, to_pamqp(properties))
        try:
            done = self._do(message.publish, exchange, key, mandatory=mandatory)
        except exceptions.MessageReturnedException as error:
            code, _text, exchange, key = error.args
            self._do(self.inner.wait_for_confirmation)
            return Returned(code, exchange, key, None)
        assert done is not False
        return None

    def get(self, queue: str) -> Received | None:
        message = self._do(self._queue(queue).get)
        return None if message is None else self._received(message)

    def prefetch(self, count: int) -> None:
        self._do(self.inner.prefetch_count, count)

    def consume(self, queue: str, *, no_ack: bool = False) -> str:
        # Queue.consume is a generator, which sends nothing before it is asked for a message.
        consumed = self._queue(queue)
        self._do(self.inner.register_consumer, consumed, no_ack)
        self.consuming[consumed.consumer_tag] = consumed
        return str(consumed.consumer_tag)

    def cancel(self, consumer: str) -> None:
        self._do(self.inner.cancel_consumer, self.consuming.pop(consumer))

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        if tag in self._messages:
            self._do(self._messages[tag].ack, multiple)
        else:
            self._do(rabbitpy.AMQP(self.inner).basic_ack, tag)

    def nack(self, tag: int, *, requeue: bool, multiple: bool = False) -> None:
        self._do(self._messages[tag].nack, requeue, multiple)

    def reject(self, tag: int, *, requeue: bool) -> None:
        self._do(self._messages[tag].reject, requeue)

    def tx_select(self) -> None:
        self._transaction = rabbitpy.Tx(self.inner)
        self._do(self._transaction.select)

    def tx_commit(self) -> None:
        self._do(self._transaction.commit)

    def tx_rollback(self) -> None:
        self._do(self._transaction.rollback)

    def close(self) -> None:
        self._do(self.inner.close)

    def _received(self, message: Any) -> Received:
        self._messages[message.delivery_tag] = message
        return Received(
            bytes(message.body),
            message.exchange,
            message.routing_key,
            message.redelivered,
            message.delivery_tag,
            from_pamqp(message.properties),
        )
