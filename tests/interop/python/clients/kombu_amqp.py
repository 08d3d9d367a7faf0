"""Kombu over amqp://, with its own exchanges, queues, producers and consumers."""

from __future__ import annotations

from typing import Any

from ...needed import needed_module
from .base import Channel, Connection, ConnectionLost, Declared, Received, Returned
from .py_amqp import do, properties_of

__all__ = ["connect"]

amqp = needed_module("amqp")
kombu = needed_module("kombu")


def connect(url: str) -> Connection:
    """Open a connection. Raises ConnectionLost."""
    return _Connection(url)


class _Connection(Connection):
    def __init__(self, url: str) -> None:
        self._channels: list[_Channel] = []
        # Two slashes: Kombu takes one for a virtual host without a name.
        self.inner = kombu.Connection(f"{url}/" if url.endswith("/") else url)
        # Connecting once: `connect` tries again and again.
        do(self.inner._connection_factory)

    def open_channel(self) -> Channel:
        self._channels.append(_Channel(self, do(self.inner.channel)))
        return self._channels[-1]

    def pump(self, timeout: float) -> None:
        try:
            do(self.inner.drain_events, timeout=timeout)
        except ConnectionLost as error:
            # Kombu names no function for cancelled consumers, so that py-amqp raises.
            if not isinstance(error.__cause__, amqp.exceptions.ConsumerCancelled):
                raise
            for channel in self._channels:
                if error.text in channel.consumers:
                    channel.cancelled.append(error.text)

    def close(self) -> None:
        do(self.inner.release)


class _Channel(Channel):
    def __init__(self, connection: _Connection, inner: Any) -> None:
        super().__init__(connection)
        self.inner = inner
        self.producer = kombu.Producer(inner, on_return=self._on_return)
        self.consumers: dict[str, Any] = {}
        self._messages: dict[int, Any] = {}

    def declare_exchange(self, name: str, kind: str, arguments: dict[str, Any] | None) -> None:
        exchange = kombu.Exchange(name, kind, durable=False, arguments=arguments)
        do(exchange(self.inner).declare)

    def bind_exchange(self, destination: str, source: str, key: str) -> None:
        exchange = kombu.Exchange(destination)(self.inner)
        do(exchange.bind_to, kombu.Exchange(source), key)

    def delete_exchange(self, name: str) -> None:
        do(kombu.Exchange(name)(self.inner).delete)

    def declare_queue(
        self,
        name: str,
        *,
        durable: bool = False,
        exclusive: bool = False,
        arguments: dict[str, Any] | None = None,
    ) -> Declared:
        queue = self._queue(
            name,
            durable=durable,
            exclusive=exclusive,
            auto_delete=False,
            queue_arguments=arguments,
        )
        return Declared(*do(queue.queue_declare))

    def look_at_queue(self, name: str) -> Declared:
        return Declared(*do(self._queue(name).queue_declare, passive=True))

    def _queue(self, name: str, **flags: Any) -> Any:
        return kombu.Queue(name, **flags)(self.inner)

    def bind_queue(
        self, queue: str, exchange: str, key: str, arguments: dict[str, Any] | None = None
    ) -> None:
        do(self._queue(queue).bind_to, exchange, key, arguments=arguments)

    def purge_queue(self, name: str) -> int:
        return int(do(self._queue(name).purge))

    def delete_queue(self, name: str) -> int:
        return int(do(self._queue(name).delete))

    def confirm(self) -> None:
        do(self.inner.confirm_select)
        # As the transport option confirm_publish has it, for all channels of a connection.
        self.inner.basic_publish = self.inner.basic_publish_confirm

    def publish(
        self,
        exchange: str,
        key: str,
        body: bytes,
        properties: dict[str, Any] | None = None,
        *,
        mandatory: bool = False,
    ) -> Returned | None:
        sent = {"delivery_mode": 1, **(properties or {})}
        if "expiration" in sent:
            sent["expiration"] = int(sent["expiration"]) / 1000  # Kombu counts in seconds
        sent.setdefault("content_type", "application/octet-stream")
        sent.setdefault("content_encoding", "binary")
        do(
            self.producer.publish,
            body,
            exchange=exchange,
            routing_key=key,
            mandatory=mandatory,
            **sent,
        )
        return self.returns.popleft() if self.returns else None

    def get(self, queue: str) -> Received | None:
        message = do(self._queue(queue).get)
        return None if message is None else self._received(message)

    def prefetch(self, count: int) -> None:
        do(self.inner.basic_qos, 0, count, False)

    def consume(self, queue: str, *, no_ack: bool = False) -> str:
        consumer = kombu.Consumer(
            self.inner,
            [kombu.Queue(queue)],
            no_ack=no_ack,
            auto_declare=False,
            on_message=lambda message: self.inbox.append(self._received(message)),
        )
        do(consumer.consume)
        tag = str(consumer._active_tags[queue])
        self.consumers[tag] = consumer
        return tag

    def cancel(self, consumer: str) -> None:
        do(self.consumers[consumer].cancel)

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        if tag in self._messages:
            do(self._messages[tag].ack, multiple=multiple)
        else:
            do(self.inner.basic_ack, tag)

    def nack(self, tag: int, *, requeue: bool, multiple: bool = False) -> None:
        # py-amqp has no basic.nack: what comes nearest.
        if multiple:
            assert requeue
            do(kombu.Consumer(self.inner, []).recover, requeue=True)
        else:
            self.reject(tag, requeue=requeue)

    def reject(self, tag: int, *, requeue: bool) -> None:
        message = self._messages[tag]
        if message.acknowledged:
            # A message counts as settled even when a transaction took that back.
            do(self.inner.basic_reject, tag, requeue)
        else:
            do(message.reject, requeue=requeue)

    def tx_select(self) -> None:
        do(self.inner.tx_select)

    def tx_commit(self) -> None:
        do(self.inner.tx_commit)

    def tx_rollback(self) -> None:
        do(self.inner.tx_rollback)

    def close(self) -> None:
        do(self.inner.close)

    def _received(self, message: Any) -> Received:
        info = message.delivery_info
        self._messages[message.delivery_tag] = message
        properties = {**message.properties, "headers": message.headers}
        properties["content_type"] = message.content_type
        properties["content_encoding"] = message.content_encoding
        body = message.body
        return Received(
            body if isinstance(body, bytes) else bytes(body, "utf-8"),
            info["exchange"],
            info["routing_key"],
            bool(info["redelivered"]),
            message.delivery_tag,
            properties_of(properties),
        )

    def _on_return(self, error: Any, exchange: str, key: str, message: Any) -> None:
        self.returns.append(Returned(error.reply_code, exchange, key, message.body))
