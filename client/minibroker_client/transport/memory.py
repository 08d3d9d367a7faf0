"""`memory://`: a broker in this process. With `file`, which builds on it, the only module of the
client that knows `minibroker`.

`memory://name` shares one broker per name within the process; it is made by the first connection
and gone when the last one is closed. A connection that was given a `Broker` uses that one and
leaves it open. Errors of the broker become errors of the client in one place,
`MemoryConnection.failed`, which closes the channel or the connection as RabbitMQ would.
"""

from __future__ import annotations

import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from minibroker import Broker
from minibroker.errors import (
    AMQPError,
    ChannelException,
    LogError,
    MiniBrokerError,
    PublisherBlocked,
)
from minibroker.events import Blocked, Cancelled, ChannelClosed, Confirmed, Unblocked
from minibroker.events import Returned as ReturnedEvent
from minibroker.queues.entry import Entry

from .. import exceptions
from .base import Address, Capabilities, Listener, Returned
from .local_channel import MemoryChannel, is_closed, translated
from .named import NamedBrokers

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.channel import Channel
    from minibroker.channel.state import ChannelState
    from minibroker.connection import Event
    from minibroker.local import LocalConnection

    from .base import EmbeddedBroker

__all__ = [
    "MemoryChannel",
    "MemoryConnection",
    "MemoryTransport",
    "connect",
    "transport",
]

P = ParamSpec("P")
T = TypeVar("T")


brokers: NamedBrokers[Broker] = NamedBrokers()
"""Those of `memory://name`."""


class MemoryConnection:
    """A `Connection` to a broker in this process.

    One thread at a time drains it; the broker below is thread-safe, so that no use of this from
    several threads can harm it.
    """

    def __init__(
        self, inner: LocalConnection, address: Address, release: Callable[[], None] | None
    ) -> None:
        """`release` is called when this is closed: it gives the broker back."""
        self.inner = inner
        self._release = release
        self._on_blocked = address.options.get("on_blocked")
        self._on_unblocked = address.options.get("on_unblocked")
        self._channels: dict[ChannelState, MemoryChannel] = {}
        self._popleft = inner.outbox.popleft

    @property
    def closed(self) -> bool:
        """Whether it was closed, from here, by an error or with its broker."""
        return self.inner.closed

    def channel(self, listener: Listener) -> MemoryChannel:
        """channel.open."""
        try:
            inner = self.inner.channel()
        except MiniBrokerError as error:
            raise self.failed(error, "channel.open") from error
        channel = self._channels[inner] = MemoryChannel(self, inner, listener)
        return channel

    def lost(self, inner: ChannelState) -> bool:
        """Whether a channel was open when the connection ended."""
        return self.inner.closed and inner in self._channels

    def forget(self, inner: ChannelState) -> None:
        """A channel is closed."""
        self._channels.pop(inner, None)

    def drain(self, timeout: float | None = None) -> None:
        """Deal with the next delivery or event; see `Connection`."""
        try:
            item = self._popleft()
        except IndexError:  # asked first, because waiting takes a lock
            item = self._wait(timeout)
        if isinstance(item, Entry):
            item.consumer.callback(item)  # type: ignore[union-attr, misc]  # consume() gave one
        else:
            self._dispatch(item)

    def _wait(self, timeout: float | None) -> Entry | Event:
        try:
            return self.inner.drain(timeout)
        except MiniBrokerError as error:
            raise self.failed(error, "") from error

    # -- for an event loop

    def watch(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever something may have come: by any thread, under the broker's lock.

        After that it is `dispatch_one` that deals with what came, and `drain` is not to be used.
        """
        self.inner.wake = wake

    def when_unblocked(self, callback: Callable[[], None]) -> str | None:
        """Call back once when the broker takes messages again, under its lock; why it does not.

        None, and no call, when it does.
        """
        host = self.inner.vhost.host
        with host.guard:
            if not host.gate.on:
                return None
            host.gate.when_open(callback)
            return host.gate.detail

    def dispatch_one(self) -> bool:
        """Deal with one delivery or event; False when there is none."""
        try:
            item = self._popleft()
        except IndexError:
            return False
        if isinstance(item, Entry):
            item.consumer.callback(item)  # type: ignore[union-attr, misc]  # consume() gave one
        else:
            self._dispatch(item)
        return True

    def wait_for(self, done: Callable[[], bool], timeout: float | None) -> None:
        """Deal with events until `done()`; deliveries that come between stay for `drain`.

        `TimeoutError` after `timeout` seconds.
        """
        end = None if timeout is None else time.monotonic() + timeout
        deliveries: deque[Entry] = deque()
        try:
            while not done():
                left = None if end is None else max(0.0, end - time.monotonic())
                item = self._wait(left)
                if isinstance(item, Entry):
                    deliveries.append(item)
                else:
                    self._dispatch(item)
        finally:
            self.inner.outbox.extendleft(reversed(deliveries))

    def _dispatch(self, event: Event) -> None:
        if isinstance(event, Blocked):
            if self._on_blocked is not None:
                self._on_blocked(event.reason)
        elif isinstance(event, Unblocked):
            if self._on_unblocked is not None:
                self._on_unblocked()
        elif isinstance(event, ChannelClosed):
            self.forget(event.channel)
            raise translated(event.error, "") from event.error
        else:
            self._dispatch_to_channel(event)

    def _dispatch_to_channel(self, event: Confirmed | ReturnedEvent | Cancelled) -> None:
        channel = self._channels.get(event.channel)
        if channel is None:  # closed since
            return
        if isinstance(event, Confirmed):
            channel.confirms.answered(event.tag, event.multiple, event.ok)
        elif isinstance(event, Cancelled):
            channel.listener.cancelled(event.consumer_tag)
        else:
            returned = Returned(event.message, event.reply_code, event.reply_text)
            channel.listener.returned(returned)

    def failed(
        self,
        error: MiniBrokerError,
        method: str,
        channel: Channel | None = None,
    ) -> Exception:
        """The client's exception for an error of the broker, with the closing that it asks for."""
        if isinstance(error, PublisherBlocked):
            return translated(error, method)
        gone = "connection" if self.inner.closed else "channel" if is_closed(channel) else None
        if gone is not None:
            return exceptions.RecoverableConnectionError(f"the {gone} is closed", method)
        if channel is not None and isinstance(error, ChannelException):
            self.forget(channel)
            channel.close()
        else:
            self.close()
        return translated(error, method)

    def heartbeat_check(self) -> None:
        """Nothing to check: there is no wire between them."""

    def close(self) -> None:
        """connection.close."""
        self.inner.close()
        release, self._release = self._release, None
        if release is not None:
            try:
                release()
            except LogError as error:
                raise exceptions.OperationalError(str(error)) from error


class MemoryTransport:
    """Connects to brokers in this process."""

    default_port: int | None = None
    capabilities = Capabilities(
        exchange_types=frozenset(
            {"direct", "fanout", "topic", "headers", "x-consistent-hash", "x-delayed-message"}
        ),
        confirms=True,
        transactions=True,
        returns=True,
        exchange_bindings=True,
        prefetch=True,
        priority=True,
        message_ttl=True,
        delay=True,
        dead_letter=True,
        delivery_count=True,
        fan_out=True,
        fenced_ack=True,
        wake_up=True,
        length_limit=True,
        virtual_hosts=True,
    )

    def connect(self, address: Address) -> MemoryConnection:
        """Connect to the broker of the address, or the one of its name.

        `NotAllowed` for a virtual host that is not there or not for this user; `ConnectionForced`
        when the given broker is closed.
        """
        if address.broker is not None:
            return connect(address.broker, address, None)
        name = address.hostname or ""
        return connect(brokers.acquire(name, Broker), address, partial(brokers.release, name))


def connect(
    broker: EmbeddedBroker, address: Address, release: Callable[[], None] | None
) -> MemoryConnection:
    """A connection to a broker in this process, which is given back by `release` when it ends.

    Raises as `MemoryTransport.connect`.
    """
    try:
        inner: LocalConnection = broker.connect(address.virtual_host, address.userid or "guest")
    except AMQPError as error:
        if release is not None:
            release()
        raise translated(error, "connection.open") from error
    return MemoryConnection(inner, address, release)


transport = MemoryTransport()
