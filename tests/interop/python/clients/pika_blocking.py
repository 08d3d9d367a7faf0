"""pika's BlockingConnection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...needed import needed_module
from .base import Channel, ChannelClosed, Connection, ConnectionLost, Declared, Received, Returned

__all__ = ["connect", "properties_of", "received", "translated"]

pika = needed_module("pika")


def connect(url: str) -> Connection:
    """Open a connection. Raises ConnectionLost."""
    return _Connection(url)


def translated(error: Exception) -> Exception:
    """An exception of pika as the contract's."""
    if isinstance(error, pika.exceptions.ChannelClosed):
        return ChannelClosed(error.reply_code, error.reply_text)
    if isinstance(error, pika.exceptions.ConnectionClosed):
        return ConnectionLost(error.reply_code, error.reply_text)
    if isinstance(error, pika.exceptions.ProbableAccessDeniedError):
        return ConnectionLost(530, str(error))
    if isinstance(error, pika.exceptions.AMQPConnectionError):
        cause = next((each for each in error.args if isinstance(each, Exception)), None)
        return translated(cause) if cause is not None else ConnectionLost(0, repr(error))
    return error


def properties_of(properties: Any) -> dict[str, Any]:
    """The properties that were sent."""
    return {key: value for key, value in vars(properties).items() if value is not None}


def received(method: Any, properties: Any, body: bytes) -> Received:
    """A delivery or the answer to a get."""
    return Received(
        body,
        method.exchange,
        method.routing_key,
        method.redelivered,
        method.delivery_tag,
        properties_of(properties),
    )


def _do(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    try:
        return function(*arguments, **named)
    except pika.exceptions.AMQPError as error:
        raise translated(error) from error


class _Connection(Connection):
    def __init__(self, url: str) -> None:
        parameters = pika.URLParameters(url)
        self.inner = _do(pika.BlockingConnection, parameters)

    def open_channel(self) -> Channel:
        return _Channel(self, _do(self.inner.channel))

    def pump(self, timeout: float) -> None:
        _do(self.inner.process_data_events, time_limit=timeout)

    def close(self) -> None:
        if self.inner.is_open:
            _do(self.inner.close)


class _Channel(Channel):
    lacks = frozenset({"header float"})

    def __init__(self, connection: _Connection, inner: Any) -> None:
        super().__init__(connection)
        self.inner = inner
        inner.add_on_cancel_callback(lambda frame: self.cancelled.append(frame.method.consumer_tag))
        inner.add_on_return_callback(
            lambda _channel, method, _properties, body: self.returns.append(
                Returned(method.reply_code, method.exchange, method.routing_key, body)
            )
        )

    def declare_exchange(self, name: str, kind: str, arguments: dict[str, Any] | None) -> None:
        _do(self.inner.exchange_declare, name, kind, arguments=arguments)

    def bind_exchange(self, destination: str, source: str, key: str) -> None:
        _do(self.inner.exchange_bind, destination, source, key)

    def delete_exchange(self, name: str) -> None:
        _do(self.inner.exchange_delete, name)

    def declare_queue(
        self,
        name: str,
        *,
        durable: bool = False,
        exclusive: bool = False,
        arguments: dict[str, Any] | None = None,
    ) -> Declared:
        done = _do(
            self.inner.queue_declare,
            name,
            durable=durable,
            exclusive=exclusive,
            arguments=arguments,
        ).method
        return Declared(done.queue, done.message_count, done.consumer_count)

    def look_at_queue(self, name: str) -> Declared:
        done = _do(self.inner.queue_declare, name, passive=True).method
        return Declared(done.queue, done.message_count, done.consumer_count)

    def bind_queue(
        self, queue: str, exchange: str, key: str, arguments: dict[str, Any] | None = None
    ) -> None:
        _do(self.inner.queue_bind, queue, exchange, key, arguments)

    def purge_queue(self, name: str) -> int:
        return int(_do(self.inner.queue_purge, name).method.message_count)

    def delete_queue(self, name: str) -> int:
        return int(_do(self.inner.queue_delete, name).method.message_count)

    def confirm(self) -> None:
        _do(self.inner.confirm_delivery)

    def publish(
        self,
        exchange: str,
        key: str,
        body: bytes,
        properties: dict[str, Any] | None = None,
        *,
        mandatory: bool = False,
    ) -> Returned | None:
        sent = pika.BasicProperties(**(properties or {}))
        try:
            _do(self.inner.basic_publish, exchange, key, body, sent, mandatory)
        except pika.exceptions.UnroutableError as error:
            (message,) = error.messages
            method = message.method
            return Returned(method.reply_code, method.exchange, method.routing_key, message.body)
        return None

    def get(self, queue: str) -> Received | None:
        method, properties, body = _do(self.inner.basic_get, queue)
        return None if method is None else received(method, properties, body)

    def prefetch(self, count: int) -> None:
        _do(self.inner.basic_qos, prefetch_count=count)

    def consume(self, queue: str, *, no_ack: bool = False) -> str:
        def on_message(_channel: Any, method: Any, properties: Any, body: bytes) -> None:
            self.inbox.append(received(method, properties, body))

        return str(_do(self.inner.basic_consume, queue, on_message, auto_ack=no_ack))

    def cancel(self, consumer: str) -> None:
        _do(self.inner.basic_cancel, consumer)

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        _do(self.inner.basic_ack, tag, multiple)

    def nack(self, tag: int, *, requeue: bool, multiple: bool = False) -> None:
        _do(self.inner.basic_nack, tag, multiple, requeue)

    def reject(self, tag: int, *, requeue: bool) -> None:
        _do(self.inner.basic_reject, tag, requeue)

    def tx_select(self) -> None:
        _do(self.inner.tx_select)

    def tx_commit(self) -> None:
        _do(self.inner.tx_commit)

    def tx_rollback(self) -> None:
        _do(self.inner.tx_rollback)

    def close(self) -> None:
        _do(self.inner.close)
