"""py-amqp, the library below Kombu."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

from ...needed import needed_module
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

__all__ = ["connect", "do", "properties_of"]

amqp = needed_module("amqp")


def connect(url: str) -> Connection:
    """Open a connection. Raises ConnectionLost."""
    return _Connection(url)


def do(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call the library, and raise its errors as the contract's."""
    try:
        return function(*arguments, **named)
    except TimeoutError:
        raise
    except amqp.exceptions.AccessRefused as error:
        # The class is a channel's error, also where it ended the connection.
        kind = ConnectionLost if error.method_sig in {None, (0, 0), (10, 50)} else ChannelClosed
        raise kind(error.reply_code, error.reply_text or "") from error
    except amqp.exceptions.ChannelError as error:
        raise ChannelClosed(error.reply_code, error.reply_text) from error
    except amqp.exceptions.ConnectionError as error:
        raise ConnectionLost(error.reply_code or 0, error.reply_text or "") from error
    except OSError as error:
        raise ConnectionLost(0, repr(error)) from error


def properties_of(properties: dict[str, Any]) -> dict[str, Any]:
    """The properties that were sent, with AMQP's name for the headers."""
    found = {key: value for key, value in properties.items() if value is not None}
    if "application_headers" in found:
        found["headers"] = found.pop("application_headers")
    return found


class _Connection(Connection):
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.inner = amqp.Connection(
            f"{parts.hostname}:{parts.port}",
            userid=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            virtual_host=unquote(parts.path[1:]) or "/",
            connect_timeout=TIMEOUT,
        )
        do(self.inner.connect)

    def open_channel(self) -> Channel:
        return _Channel(self, do(self.inner.channel))

    def pump(self, timeout: float) -> None:
        do(self.inner.drain_events, timeout=timeout)

    def close(self) -> None:
        if self.inner.connected:
            do(self.inner.close)


class _Channel(Channel):
    def __init__(self, connection: _Connection, inner: Any) -> None:
        super().__init__(connection)
        self.inner = inner
        self._publish = inner.basic_publish
        inner.events["basic_return"].add(self._on_return)

    def declare_exchange(self, name: str, kind: str, arguments: dict[str, Any] | None) -> None:
        do(self.inner.exchange_declare, name, kind, auto_delete=False, arguments=arguments)

    def bind_exchange(self, destination: str, source: str, key: str) -> None:
        do(self.inner.exchange_bind, destination, source, key)

    def delete_exchange(self, name: str) -> None:
        do(self.inner.exchange_delete, name)

    def declare_queue(
        self,
        name: str,
        *,
        durable: bool = False,
        exclusive: bool = False,
        arguments: dict[str, Any] | None = None,
    ) -> Declared:
        done = do(
            self.inner.queue_declare,
            name,
            durable=durable,
            exclusive=exclusive,
            auto_delete=False,
            arguments=arguments,
        )
        return Declared(*done)

    def look_at_queue(self, name: str) -> Declared:
        return Declared(*do(self.inner.queue_declare, name, passive=True))

    def bind_queue(
        self, queue: str, exchange: str, key: str, arguments: dict[str, Any] | None = None
    ) -> None:
        do(self.inner.queue_bind, queue, exchange, key, arguments=arguments)

    def purge_queue(self, name: str) -> int:
        return int(do(self.inner.queue_purge, name))

    def delete_queue(self, name: str) -> int:
        return int(do(self.inner.queue_delete, name))

    def confirm(self) -> None:
        do(self.inner.confirm_select)
        self._publish = self.inner.basic_publish_confirm

    def publish(
        self,
        exchange: str,
        key: str,
        body: bytes,
        properties: dict[str, Any] | None = None,
        *,
        mandatory: bool = False,
    ) -> Returned | None:
        sent = dict(properties or {})
        if "headers" in sent:
            sent["application_headers"] = sent.pop("headers")
        message = amqp.Message(body, **sent)
        do(self._publish, message, exchange, key, mandatory=mandatory)
        return self.returns.popleft() if self.returns else None

    def get(self, queue: str) -> Received | None:
        message = do(self.inner.basic_get, queue)
        return None if message is None else self._received(message)

    def prefetch(self, count: int) -> None:
        do(self.inner.basic_qos, prefetch_size=0, prefetch_count=count, a_global=False)

    def consume(self, queue: str, *, no_ack: bool = False) -> str:
        def on_message(message: Any) -> None:
            self.inbox.append(self._received(message))

        started = do(
            self.inner.basic_consume,
            queue,
            no_ack=no_ack,
            callback=on_message,
            on_cancel=self.cancelled.append,
        )
        return str(getattr(started, "consumer_tag", started))

    def cancel(self, consumer: str) -> None:
        do(self.inner.basic_cancel, consumer)

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        do(self.inner.basic_ack, tag, multiple)

    def nack(self, tag: int, *, requeue: bool, multiple: bool = False) -> None:
        # The library has no basic.nack: what comes nearest.
        if multiple:
            assert requeue
            do(self.inner.basic_recover, requeue=True)
        else:
            do(self.inner.basic_reject, tag, requeue)

    def reject(self, tag: int, *, requeue: bool) -> None:
        do(self.inner.basic_reject, tag, requeue)

    def tx_select(self) -> None:
        do(self.inner.tx_select)

    def tx_commit(self) -> None:
        do(self.inner.tx_commit)

    def tx_rollback(self) -> None:
        do(self.inner.tx_rollback)

    def close(self) -> None:
        do(self.inner.close)

    @staticmethod
    def _received(message: Any) -> Received:
        info = message.delivery_info
        body = message.body
        return Received(
            body if isinstance(body, bytes) else bytes(body, "utf-8"),
            info["exchange"],
            info["routing_key"],
            bool(info["redelivered"]),
            info["delivery_tag"],
            properties_of(message.properties),
        )

    def _on_return(self, error: Any, exchange: str, key: str, message: Any) -> None:
        self.returns.append(Returned(error.reply_code, exchange, key, message.body))
