"""What pika's SelectConnection and AsyncioConnection have in common: every call names what is to be
called with the answer. The connection runs in a thread; the test's thread waits for the answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ...needed import needed_module
from .base import (
    TIMEOUT,
    Channel,
    ChannelClosed,
    Connection,
    Declared,
    Received,
    Returned,
)
from .pika_blocking import received, translated

__all__ = ["CallbackConnection"]

pika = needed_module("pika")


class CallbackConnection(Connection):
    """A connection whose loop runs in a thread; `later` calls a function there."""

    def __init__(self, run: Callable[[CallbackConnection], None]) -> None:
        self.inner: Any = None
        self.later: Callable[[Callable[[], object]], object] = lambda function: function()
        self.lost: Exception | None = None
        self._opened: Future[None] = Future()
        self._changed = threading.Event()
        self._pending: set[Future[Any]] = set()
        self._thread = threading.Thread(target=run, args=(self,), daemon=True)
        self._thread.start()
        try:
            self._opened.result(TIMEOUT)
        except Exception:
            self._thread.join(TIMEOUT)
            raise

    def handlers(self) -> dict[str, Any]:
        """What the connection's class wants to be given, besides the parameters."""
        return {
            "on_open_callback": lambda _connection: self._opened.set_result(None),
            "on_open_error_callback": self._on_end,
            "on_close_callback": self._on_end,
        }

    def end(self, function: Callable[[], object]) -> None:
        """What ends the loop, when the connection has ended."""
        self._stop = function

    def call(self, function: Callable[[Callable[[Any], None]], object]) -> Any:
        """Call a function in the loop with a callback, and wait for what the callback gets."""
        future: Future[Any] = Future()
        self._pending.add(future)

        def answered(answer: Any) -> None:
            if not future.done():
                future.set_result(answer)

        def run() -> None:
            try:
                if self.lost is not None:
                    raise self.lost
                function(answered)
            except Exception as error:  # noqa: BLE001 -- it is raised where it was caused
                if not future.done():  # the channel may have closed, and ended it, just before
                    future.set_exception(translated(error))

        if self.lost is not None:
            raise self.lost
        self.later(run)
        try:
            return future.result(TIMEOUT)
        finally:
            self._pending.discard(future)

    def fail_pending(self, error: Exception) -> None:
        """End every call that waits: its answer will not come."""
        for future in list(self._pending):
            if not future.done():
                future.set_exception(error)

    def notify(self) -> None:
        """Let the thread of the test look again."""
        self._changed.set()

    def open_channel(self) -> Channel:
        return CallbackChannel(
            self, self.call(lambda opened: self.inner.channel(on_open_callback=opened))
        )

    def pump(self, timeout: float) -> None:
        self._changed.wait(timeout)
        self._changed.clear()
        if self.lost is not None:
            raise self.lost

    def close(self) -> None:
        if self.lost is None:
            self.later(self.inner.close)
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive()

    def _on_end(self, _connection: Any, error: Exception) -> None:
        self.lost = translated(error)
        if not self._opened.done():
            self._opened.set_exception(self.lost)
        self.fail_pending(self.lost)
        self.notify()
        self._stop()


class CallbackChannel(Channel):
    """A channel whose answers come as callbacks."""

    lacks = frozenset({"header float"})

    def __init__(self, connection: CallbackConnection, inner: Any) -> None:
        super().__init__(connection)
        self.inner, self.loop = inner, connection
        self._published = 0
        self._closed_by: Exception | None = None
        self._confirms: dict[int, bool] | None = None
        inner.add_on_cancel_callback(self._on_cancel)
        inner.add_on_return_callback(self._on_return)
        inner.add_on_close_callback(self._on_close)

    def _ask(self, function: Callable[[Callable[[Any], None]], object]) -> Any:
        """Call in the loop; on a channel that was closed meanwhile it raises why."""
        try:
            return self.loop.call(function)
        except Exception:
            if self._closed_by is not None:
                raise self._closed_by from None
            raise

    def declare_exchange(self, name: str, kind: str, arguments: dict[str, Any] | None) -> None:
        self._ask(
            lambda done: self.inner.exchange_declare(name, kind, arguments=arguments, callback=done)
        )

    def bind_exchange(self, destination: str, source: str, key: str) -> None:
        self._ask(lambda done: self.inner.exchange_bind(destination, source, key, callback=done))

    def delete_exchange(self, name: str) -> None:
        self._ask(lambda done: self.inner.exchange_delete(name, callback=done))

    def declare_queue(
        self,
        name: str,
        *,
        durable: bool = False,
        exclusive: bool = False,
        arguments: dict[str, Any] | None = None,
    ) -> Declared:
        return self._declare(name, durable=durable, exclusive=exclusive, arguments=arguments)

    def look_at_queue(self, name: str) -> Declared:
        return self._declare(name, passive=True)

    def _declare(self, name: str, **flags: Any) -> Declared:
        done = self._ask(lambda done: self.inner.queue_declare(name, callback=done, **flags)).method
        return Declared(done.queue, done.message_count, done.consumer_count)

    def bind_queue(
        self, queue: str, exchange: str, key: str, arguments: dict[str, Any] | None = None
    ) -> None:
        self._ask(
            lambda done: self.inner.queue_bind(queue, exchange, key, arguments, callback=done)
        )

    def purge_queue(self, name: str) -> int:
        done = self._ask(lambda done: self.inner.queue_purge(name, callback=done))
        return int(done.method.message_count)

    def delete_queue(self, name: str) -> int:
        done = self._ask(lambda done: self.inner.queue_delete(name, callback=done))
        return int(done.method.message_count)

    def confirm(self) -> None:
        self._ask(
            lambda done: self.inner.confirm_delivery(
                ack_nack_callback=self._on_confirm, callback=done
            )
        )
        self._confirms = {}

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
        self._now(lambda: self.inner.basic_publish(exchange, key, body, sent, mandatory))
        if self._confirms is None:
            return None
        self._published += 1
        confirms, number = self._confirms, self._published
        self.connection.wait_until(lambda: number in confirms, "a confirm")
        assert confirms.pop(number)
        return self.returns.popleft() if self.returns else None

    def get(self, queue: str) -> Received | None:
        def ask(done: Callable[[Any], None]) -> None:
            empty = [pika.spec.Basic.GetEmpty]
            self.inner.add_callback(lambda _frame: done(None), empty)
            self.inner.basic_get(queue, lambda _channel, *parts: done(received(*parts)))

        answer: Received | None = self._ask(ask)
        return answer

    def prefetch(self, count: int) -> None:
        self._ask(lambda done: self.inner.basic_qos(prefetch_count=count, callback=done))

    def consume(self, queue: str, *, no_ack: bool = False) -> str:
        def on_message(_channel: Any, method: Any, properties: Any, body: bytes) -> None:
            self.inbox.append(received(method, properties, body))
            self.loop.notify()

        frame = self._ask(
            lambda done: self.inner.basic_consume(queue, on_message, auto_ack=no_ack, callback=done)
        )
        return str(frame.method.consumer_tag)

    def cancel(self, consumer: str) -> None:
        self._ask(lambda done: self.inner.basic_cancel(consumer, callback=done))

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        self._now(lambda: self.inner.basic_ack(tag, multiple))

    def nack(self, tag: int, *, requeue: bool, multiple: bool = False) -> None:
        self._now(lambda: self.inner.basic_nack(tag, multiple, requeue))

    def reject(self, tag: int, *, requeue: bool) -> None:
        self._now(lambda: self.inner.basic_reject(tag, requeue))

    def tx_select(self) -> None:
        self._ask(lambda done: self.inner.tx_select(callback=done))

    def tx_commit(self) -> None:
        self._ask(lambda done: self.inner.tx_commit(callback=done))

    def tx_rollback(self) -> None:
        self._ask(lambda done: self.inner.tx_rollback(callback=done))

    def close(self) -> None:
        def ask(done: Callable[[Any], None]) -> None:
            self.inner.add_on_close_callback(lambda _channel, reason: done(reason))
            self.inner.close()

        self._ask(ask)

    def _now(self, function: Callable[[], object]) -> None:
        """A call without an answer."""
        self._ask(lambda done: done(function()))

    def _on_confirm(self, frame: Any) -> None:
        assert self._confirms is not None
        method = frame.method
        acked = isinstance(method, pika.spec.Basic.Ack)
        first = method.delivery_tag
        if method.multiple:
            first = max(self._confirms, default=0) + 1
        for number in range(first, method.delivery_tag + 1):
            self._confirms[number] = acked
        self.loop.notify()

    def _on_cancel(self, frame: Any) -> None:
        self.cancelled.append(frame.method.consumer_tag)
        self.loop.notify()

    def _on_return(self, _channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        self.returns.append(Returned(method.reply_code, method.exchange, method.routing_key, body))

    def _on_close(self, _channel: Any, reason: Exception) -> None:
        error = translated(reason)
        if isinstance(error, ChannelClosed) and error.code != 0:
            self._closed_by = error
            self.loop.fail_pending(error)
