"""aio-pika, without its robust connections, on a loop in a thread."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ...needed import needed_module
from .aiormq_plain import AsyncioChannel, AsyncioConnection
from .base import TIMEOUT, Channel, Connection, Declared, Received, Returned

__all__ = ["connect"]

aio_pika = needed_module("aio_pika")

PROPERTIES = (
    "content_type",
    "content_encoding",
    "delivery_mode",
    "priority",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "timestamp",
    "type",
    "user_id",
    "app_id",
    "headers",
)


def connect(url: str) -> Connection:
    """Open a connection. Raises ConnectionLost."""
    return _Connection(url)


def _sent(body: bytes, properties: dict[str, Any] | None) -> Any:
    """A message of the library, which counts in seconds and wants times."""
    values = dict(properties or {})
    if "expiration" in values:
        values["expiration"] = int(values["expiration"]) / 1000
    if "timestamp" in values:
        values["timestamp"] = datetime.fromtimestamp(values["timestamp"], UTC)
    if "headers" in values:
        values["headers"] = {
            key: bytearray(value) if isinstance(value, bytes) else value
            for key, value in values["headers"].items()
        }
    return aio_pika.Message(body, **values)


def _properties(message: Any) -> dict[str, Any]:
    values = {name: getattr(message, name) for name in PROPERTIES}
    found = {name: value for name, value in values.items() if value is not None}
    if "expiration" in found:
        found["expiration"] = str(round(found["expiration"] * 1000))
    if "timestamp" in found:
        found["timestamp"] = int(found["timestamp"].timestamp())
    return found


class _Connection(AsyncioConnection):
    async def connected(self, url: str) -> Any:
        inner = await aio_pika.connect(url)
        inner.close_callbacks.add(lambda _connection, error: self.ended(error))
        return inner

    def channel(self, *, confirms: bool = True) -> Channel:
        async def opened() -> Any:
            return await self.inner.channel(publisher_confirms=confirms)

        return _Channel(self, self.do(opened()))


class _Channel(AsyncioChannel):
    def __init__(self, connection: _Connection, inner: Any) -> None:
        # Only robust channels tell of cancelled consumers, others through the channel below.
        super().__init__(connection, connection.do(inner.get_underlay_channel()))
        self.inner = inner
        self._messages: dict[int, Any] = {}
        self._queues: dict[str, Any] = {}
        self._consuming: dict[str, Any] = {}
        self._transaction: Any = None
        inner.return_callbacks.add(self._on_return)

    def declare_exchange(self, name: str, kind: str, arguments: dict[str, Any] | None) -> None:
        self._do(self.inner.declare_exchange(name, kind, arguments=arguments))

    def bind_exchange(self, destination: str, source: str, key: str) -> None:
        async def bind() -> None:
            exchange = await self.inner.get_exchange(destination, ensure=False)
            await exchange.bind(source, key)

        self._do(bind())

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
        declaring = self.inner.declare_queue(
            name or None, durable=durable, exclusive=exclusive, arguments=arguments
        )
        return self._declared(self._do(declaring))

    def look_at_queue(self, name: str) -> Declared:
        return self._declared(self._do(self.inner.declare_queue(name, passive=True)))

    def _declared(self, queue: Any) -> Declared:
        self._queues[queue.name] = queue
        done = queue.declaration_result
        return Declared(queue.name, done.message_count, done.consumer_count)

    def _queue(self, name: str) -> Any:
        """The queue's object, also for a queue that another channel declared."""
        if name not in self._queues:
            self._queues[name] = self._do(self.inner.get_queue(name, ensure=False))
        return self._queues[name]

    def bind_queue(
        self, queue: str, exchange: str, key: str, arguments: dict[str, Any] | None = None
    ) -> None:
        self._do(self._queue(queue).bind(exchange, key, arguments=arguments))

    def purge_queue(self, name: str) -> int:
        return int(self._do(self._queue(name).purge()).message_count)

    def delete_queue(self, name: str) -> int:
        return int(self._do(self.inner.queue_delete(name)).message_count)

    def confirm(self) -> None:
        self._do(self._below.confirm_delivery())

    def publish(
        self,
        exchange: str,
        key: str,
        body: bytes,
        properties: dict[str, Any] | None = None,
        *,
        mandatory: bool = False,
    ) -> Returned | None:
        async def publish() -> None:
            target = self.inner.default_exchange
            if exchange:
                target = await self.inner.get_exchange(exchange, ensure=False)
            message = _sent(body, properties)
            await target.publish(message, key, mandatory=mandatory, timeout=TIMEOUT)

        self._do(publish())
        return self.returns.popleft() if self.returns else None

    def get(self, queue: str) -> Received | None:
        message = self._do(self._queue(queue).get(fail=False))
        return None if message is None else self._received(message)

    def prefetch(self, count: int) -> None:
        self._do(self.inner.set_qos(prefetch_count=count))

    def consume(self, queue: str, *, no_ack: bool = False) -> str:
        async def on_message(message: Any) -> None:
            self.inbox.append(self._received(message))
            self._notify()

        tag = str(self._do(self._queue(queue).consume(on_message, no_ack=no_ack)))
        self._consuming[tag] = self._queue(queue)
        return tag

    def cancel(self, consumer: str) -> None:
        self._do(self._consuming[consumer].cancel(consumer))

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        if self._unsettled(tag):
            self._do(self._messages[tag].ack(multiple=multiple))
        else:
            self._do(self._below.basic_ack(tag, multiple=multiple))

    def nack(self, tag: int, *, requeue: bool, multiple: bool = False) -> None:
        if self._unsettled(tag):
            self._do(self._messages[tag].nack(requeue=requeue, multiple=multiple))
        else:
            self._do(self._below.basic_nack(tag, requeue=requeue, multiple=multiple))

    def reject(self, tag: int, *, requeue: bool) -> None:
        self._do(self._messages[tag].reject(requeue=requeue))

    def _unsettled(self, tag: int) -> bool:
        """A message counts as settled even when a transaction took that back."""
        return tag in self._messages and not self._messages[tag].processed

    def tx_select(self) -> None:
        self._transaction = self.inner.transaction()
        self._do(self._transaction.select())

    def tx_commit(self) -> None:
        self._do(self._transaction.commit())

    def tx_rollback(self) -> None:
        self._do(self._transaction.rollback())

    def close(self) -> None:
        self._do(self.inner.close())

    def _received(self, message: Any) -> Received:
        self._messages[message.delivery_tag] = message
        return Received(
            message.body,
            message.exchange,
            message.routing_key,
            message.redelivered,
            message.delivery_tag,
            _properties(message),
        )

    def _on_return(self, _channel: Any, message: Any) -> None:
        # The reply code stays below: the library has returns for mandatory messages only.
        self.returns.append(Returned(312, message.exchange, message.routing_key, message.body))
