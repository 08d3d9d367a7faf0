"""AMQPStorm, whose connections read in a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

from ...needed import needed_module
from .asyncio_loop import from_pamqp, to_pamqp
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

__all__ = ["connect"]

amqpstorm = needed_module("amqpstorm")


def connect(url: str) -> Connection:
    """Open a connection. Raises ConnectionLost."""
    return _Connection(url)


def _translated(error: Any) -> Exception:
    text = str(error)
    if isinstance(error, amqpstorm.AMQPChannelError):
        return ChannelClosed(error.error_code or 0, text)
    return ConnectionLost(error.error_code or 0, text)


def _do(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    try:
        return function(*arguments, **named)
    except (amqpstorm.AMQPConnectionError, amqpstorm.AMQPChannelError) as error:
        raise _translated(error) from error


class _Connection(Connection):
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.channels: list[_Channel] = []
        self.inner = _do(
            amqpstorm.Connection,
            parts.hostname,
            unquote(parts.username or ""),
            unquote(parts.password or ""),
            port=parts.port,
            virtual_host=unquote(parts.path[1:]) or "/",
            timeout=TIMEOUT,
        )

    def open_channel(self) -> Channel:
        self.channels.append(_Channel(self, _do(self.inner.channel, rpc_timeout=TIMEOUT)))
        return self.channels[-1]

    def pump(self, timeout: float) -> None:
        _do(self.inner.check_for_errors)
        if not self.inner._io._running.is_set():
            # Version 3.1.4 loses what its thread has to say of a closed socket, so that only a
            # heartbeat that is missed would end the connection, and `close` waits half a minute.
            self.inner.set_state(self.inner.CLOSED)
            raise ConnectionLost(0, "the socket was closed")
        for channel in self.channels:
            channel.read()
        # The library tells nobody when something arrives: its own loops look every so often.
        threading.Event().wait(min(timeout, 0.005))

    def close(self) -> None:
        _do(self.inner.close)


class _Channel(Channel):
    def __init__(self, connection: _Connection, inner: Any) -> None:
        super().__init__(connection)
        self.inner = inner
        self.consuming: set[str] = set()

    def read(self) -> None:
        """Take what the library's thread has put aside."""
        if not self.consuming:
            return
        messages = self.inner.build_inbound_messages(
            break_on_empty=True, empty_timeout=None, auto_decode=False
        )
        while (message := _do(next, messages, None)) is not None:
            self.inbox.append(_received(message))
        # A consumer that the server cancels is gone without a word.
        gone = self.consuming.difference(self.inner.consumer_tags)
        self.cancelled.extend(gone)
        self.consuming -= gone

    def _look(self) -> None:
        """Raise what closed the channel: the library asks on a closed one, which ends it all."""
        while self.inner.is_closing:
            threading.Event().wait(0.001)
        _do(self.inner.check_for_errors)

    def declare_exchange(self, name: str, kind: str, arguments: dict[str, Any] | None) -> None:
        _do(self.inner.exchange.declare, name, kind, arguments=arguments)

    def bind_exchange(self, destination: str, source: str, key: str) -> None:
        _do(self.inner.exchange.bind, destination, source, key)

    def delete_exchange(self, name: str) -> None:
        _do(self.inner.exchange.delete, name)

    def declare_queue(
        self,
        name: str,
        *,
        durable: bool = False,
        exclusive: bool = False,
        arguments: dict[str, Any] | None = None,
    ) -> Declared:
        self._look()
        done = _do(
            self.inner.queue.declare,
            name,
            durable=durable,
            exclusive=exclusive,
            arguments=arguments,
        )
        return Declared(done["queue"], done["message_count"], done["consumer_count"])

    def look_at_queue(self, name: str) -> Declared:
        self._look()
        done = _do(self.inner.queue.declare, name, passive=True)
        return Declared(done["queue"], done["message_count"], done["consumer_count"])

    def bind_queue(
        self, queue: str, exchange: str, key: str, arguments: dict[str, Any] | None = None
    ) -> None:
        _do(self.inner.queue.bind, queue, exchange, key, arguments=arguments)

    def purge_queue(self, name: str) -> int:
        return int(_do(self.inner.queue.purge, name)["message_count"])

    def delete_queue(self, name: str) -> int:
        return int(_do(self.inner.queue.delete, name)["message_count"])

    def confirm(self) -> None:
        _do(self.inner.confirm_deliveries)

    def publish(
        self,
        exchange: str,
        key: str,
        body: bytes,
        properties: dict[str, Any] | None = None,
        *,
        mandatory: bool = False,
    ) -> Returned | None:
        sent = to_pamqp(properties)
        try:
            done = _do(self.inner.basic.publish, body, key, exchange, sent, mandatory=mandatory)
        except ChannelClosed as error:
            # A message that comes back is an error with its reply code.
            if error.code != 312:
                raise
            return Returned(312, exchange, key, None)
        assert done is not False
        return None

    def get(self, queue: str) -> Received | None:
        message = _do(self.inner.basic.get, queue, auto_decode=False)
        return None if message is None else _received(message)

    def prefetch(self, count: int) -> None:
        _do(self.inner.basic.qos, count)

    def consume(self, queue: str, *, no_ack: bool = False) -> str:
        tag = str(_do(self.inner.basic.consume, None, queue, no_ack=no_ack))
        self.consuming.add(tag)
        return tag

    def cancel(self, consumer: str) -> None:
        self.consuming.discard(consumer)
        _do(self.inner.basic.cancel, consumer)

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        _do(self.inner.basic.ack, tag, multiple)

    def nack(self, tag: int, *, requeue: bool, multiple: bool = False) -> None:
        _do(self.inner.basic.nack, tag, multiple, requeue)

    def reject(self, tag: int, *, requeue: bool) -> None:
        _do(self.inner.basic.reject, tag, requeue)

    def tx_select(self) -> None:
        _do(self.inner.tx.select)

    def tx_commit(self) -> None:
        _do(self.inner.tx.commit)

    def tx_rollback(self) -> None:
        _do(self.inner.tx.rollback)

    def close(self) -> None:
        _do(self.inner.close)


def _received(message: Any) -> Received:
    method = message.method
    return Received(
        bytes(message.body),
        method["exchange"],
        method["routing_key"],
        method["redelivered"],
        method["delivery_tag"],
        from_pamqp(message.properties),
    )
