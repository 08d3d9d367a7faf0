"""Consumer programs that reconnect by themselves. Knows connections and consumers, no transport."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from .common import ignore_errors
from .consumer import Consumer
from .producer import Producer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .channel import Channel
    from .connection import Connection
    from .message import Message

__all__ = ["ConsumerMixin", "ConsumerProducerMixin"]

logger = logging.getLogger(__name__)

RESTART_INTERVAL = 1.0
"""Seconds from one attempt to consume to the next, at least."""


class ConsumerMixin:
    """A program that consumes until `should_stop` is true, through lost connections.

    A subclass sets `connection` and says in `get_consumers` what to consume; `run` does the rest.
    Override the `on_…` methods to hear of it. `should_stop` may be set by another thread or be a
    property; it is looked at after each event, and each `safety_interval` seconds without one.
    """

    connection: Connection
    connect_max_retries: int | None = None
    """How often to try again to connect; None: for ever."""
    should_stop: bool = False
    sleep: Callable[[float], object] = staticmethod(time.sleep)
    monotonic: Callable[[], float] = staticmethod(time.monotonic)

    def get_consumers(
        self,
        Consumer: Callable[..., Consumer],  # noqa: N803 -- Kombu's name
        channel: Channel,
    ) -> Sequence[Consumer]:
        """The consumers, made by calling `Consumer(queues=…, callbacks=…)` (its channel is set)."""
        raise NotImplementedError

    def on_connection_revived(self) -> None:
        """Called when there is a connection, the first or a new one."""

    def on_consume_ready(
        self, connection: Connection, channel: Channel, consumers: Sequence[Consumer], **kwargs: Any
    ) -> None:
        """Called when the consumers have started; `kwargs` are those of `consume`."""

    def on_consume_end(self, connection: Connection, channel: Channel) -> None:
        """Called when the consumers have been cancelled."""

    def on_iteration(self) -> None:
        """Called before each wait for an event."""

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        """Called for a message that cannot be decoded: logs it and acks it."""
        logger.error(
            "Can't decode message body: %r (type:%r encoding:%r raw:%r)",
            exc, message.content_type, message.content_encoding, message.body,
        )  # fmt: skip
        message.ack()

    def on_connection_error(self, exc: BaseException, interval: float) -> None:
        """Called when connecting failed, and will be tried again in `interval` seconds: logs it."""
        logger.warning("Broker connection error, trying again in %s seconds: %r", interval, exc)

    @contextmanager
    def extra_context(self, connection: Connection, channel: Channel) -> Iterator[None]:
        """A context that is entered after the consumers were made, and left before they end."""
        yield

    def run(self, **kwargs: Any) -> None:
        """Consume until `should_stop`; `kwargs` go to `consume`.

        A lost connection or closed channel is logged and made anew, at most once a second.
        """
        errors = self.connection.connection_errors + self.connection.channel_errors
        earliest = self.monotonic()
        while not self.should_stop:
            wait = earliest - self.monotonic()
            if wait > 0:
                self.sleep(wait)
            earliest = self.monotonic() + RESTART_INTERVAL
            try:
                for _ in self.consume(limit=None, **kwargs):
                    pass
            except errors:
                logger.warning("Connection to broker lost, trying again", exc_info=True)

    def consume(
        self,
        limit: int | None = None,
        timeout: float | None = None,
        safety_interval: float = 1,
        **kwargs: Any,
    ) -> Iterator[None]:
        """Consume `limit` events (None: until `should_stop`), yielding after each one.

        `TimeoutError` after `timeout` seconds without one (None: never).
        """
        elapsed = 0.0
        with self.consumer_context(**kwargs) as (connection, _, _):
            for _ in range(limit) if limit else count():
                if self.should_stop:
                    break
                self.on_iteration()
                try:
                    connection.drain_events(timeout=safety_interval)
                except TimeoutError:
                    connection.heartbeat_check()
                    elapsed += safety_interval
                    if timeout and elapsed >= timeout:
                        raise
                except OSError:
                    if not self.should_stop:
                        raise
                else:
                    yield
                    elapsed = 0.0

    @contextmanager
    def consumer_context(
        self, **kwargs: Any
    ) -> Iterator[tuple[Connection, Channel, Sequence[Consumer]]]:
        """Connection, channel and consumers, consuming, for a `with` block."""
        with (
            self.Consumer() as (connection, channel, consumers),
            self.extra_context(connection, channel),
        ):
            self.on_consume_ready(connection, channel, consumers, **kwargs)
            yield connection, channel, consumers

    @contextmanager
    def establish_connection(self) -> Iterator[Connection]:
        """A new connection, connected, for a `with` block."""
        with self.connection.clone() as connection:
            connection.ensure_connection(self.on_connection_error, self.connect_max_retries)
            yield connection

    @contextmanager
    def Consumer(self) -> Iterator[tuple[Connection, Channel, Sequence[Consumer]]]:  # noqa: N802 -- Kombu's name
        """`consumer_context` without the extra context."""
        with self.establish_connection() as connection:
            self.on_connection_revived()
            channel = connection.default_channel
            make = partial(Consumer, channel, on_decode_error=self.on_decode_error)
            consumers = self.get_consumers(make, channel)
            with ExitStack() as stack:
                for consumer in consumers:
                    stack.enter_context(consumer)
                yield connection, channel, consumers
            self.on_consume_end(connection, channel)

    def maybe_conn_error(self, fun: Callable[[], Any]) -> Any:
        """Call `fun`, ignoring connection and channel errors."""
        return ignore_errors(self.connection, fun)


class ConsumerProducerMixin(ConsumerMixin):
    """A `ConsumerMixin` that also publishes, on a connection of its own."""

    _producer_connection: Connection | None = None

    def on_consume_end(self, connection: Connection, channel: Channel) -> None:
        """Close the connection for publishing."""
        if self._producer_connection is not None:
            self._producer_connection.close()
            self._producer_connection = None

    @property
    def producer(self) -> Producer:
        """A new producer on the connection for publishing."""
        return Producer(self.producer_connection)

    @property
    def producer_connection(self) -> Connection:
        """The connection for publishing, made when it is first asked for."""
        if self._producer_connection is None:
            connection = self.connection.clone()
            connection.ensure_connection(self.on_connection_error, self.connect_max_retries)
            self._producer_connection = connection
        return self._producer_connection
