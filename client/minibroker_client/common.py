"""What applications share: declaring once, draining in loops, replies. Knows no transport."""

from __future__ import annotations

import threading
import uuid as _uuid
from collections import deque
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from .channel import maybe_channel
from .exchange import Exchange
from .queue import Queue
from .serialization import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from .channel import Channel
    from .connection import Connection, ConnectionPool
    from .consumer import Consumer
    from .message import Message
    from .producer import Producer

__all__ = [
    "Broadcast",
    "QoS",
    "collect_replies",
    "declaration_cached",
    "drain_consumer",
    "eventloop",
    "ignore_errors",
    "insured",
    "itermessages",
    "maybe_declare",
    "send_reply",
    "uuid",
]

PREFETCH_COUNT_MAX = 0xFFFF


def uuid() -> str:
    """A new unique id, 36 characters."""
    return str(_uuid.uuid4())


class Broadcast(Queue):
    """A queue of its own for each consumer, bound to a fanout exchange: all of them get all.

    `name` names the exchange. The queue has a unique name unless `queue` gives one (`unique` makes
    that one unique, too), and is deleted with its last consumer.
    """

    def __init__(
        self,
        name: str = "",
        queue: str | None = None,
        unique: bool = False,
        auto_delete: bool = True,
        exchange: Exchange | None = None,
        alias: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Further keyword arguments are those of `Queue`."""
        if unique or not queue:
            queue = f"{queue or 'bcast'}.{uuid()}"
        super().__init__(
            queue,
            exchange or Exchange(name, type="fanout"),
            alias=alias or name,
            auto_delete=auto_delete,
            **kwargs,
        )


def declaration_cached(entity: Exchange | Queue, channel: Channel) -> bool:
    """Whether `maybe_declare` has declared it on the channel's connection."""
    return hash(entity) in channel.connection.declared_entities


def maybe_declare(
    entity: Exchange | Queue,
    channel: Channel | Connection | None = None,
    retry: bool = False,
    **retry_policy: Any,
) -> bool:
    """Declare an exchange or queue unless this connection has done so; True if it did now.

    Once means by name, as in Kombu. What may go by itself (auto-delete, expiring) and what has no
    name yet is declared each time. With `retry`, `retry_policy` is that of `Connection.ensure`.
    """
    bound = entity.bind(entity.channel if channel is None else channel)
    once = _declare_once
    if retry:
        once = bound.channel.connection.ensure(bound, _declare_once, **retry_policy)
    declared = once(bound)
    entity.name = bound.name
    return declared


def _declare_once(entity: Exchange | Queue) -> bool:
    channel = entity.channel
    known = channel.connection.declared_entities
    cacheable = entity.can_cache_declaration
    if cacheable and entity.name and hash(entity) in known:
        return False
    entity.declare(channel=channel)
    if cacheable:
        known.add(hash(entity))  # of the name that it has now
    return True


def eventloop(
    conn: Connection,
    limit: int | None = None,
    timeout: float | None = None,
    ignore_timeouts: bool = False,
) -> Iterator[None]:
    """Drain events for ever, or `limit` times, yielding after each one.

    `timeout` is for each event, in seconds; `TimeoutError` ends the loop unless ignored (a timeout
    counts as one of the `limit`).
    """
    for _ in range(limit) if limit else count():
        try:
            conn.drain_events(timeout=timeout)
        except TimeoutError:
            if timeout and not ignore_timeouts:
                raise
        else:
            yield


def drain_consumer(
    consumer: Consumer,
    limit: int | None = 1,
    timeout: float | None = None,
    callbacks: Iterable[Callable[[Any, Message], object]] | None = None,
) -> Iterator[tuple[Any, Message]]:
    """Consume up to `limit` events and yield `(body, message)` of each message among them.

    `callbacks` are called as well, after the consumer's own were replaced. A timeout is skipped.
    """
    received: deque[tuple[Any, Message]] = deque()

    def keep(body: Any, message: Message) -> None:
        received.append((body, message))

    consumer.callbacks = [keep, *(callbacks or ())]
    with consumer:
        for _ in eventloop(
            consumer.channel.connection, limit=limit, timeout=timeout, ignore_timeouts=True
        ):
            while received:
                yield received.popleft()


def itermessages(
    conn: Connection,
    channel: Channel | None,
    queue: Queue,
    limit: int | None = 1,
    timeout: float | None = None,
    callbacks: Iterable[Callable[[Any, Message], object]] | None = None,
    **kwargs: Any,
) -> Iterator[tuple[Any, Message]]:
    """`drain_consumer` with a new consumer of a queue; `kwargs` are the consumer's."""
    consumer = conn.Consumer(queues=[queue], channel=channel, **kwargs)
    return drain_consumer(consumer, limit=limit, timeout=timeout, callbacks=callbacks)


def send_reply(
    exchange: Exchange | str,
    req: Message,
    msg: Any,
    producer: Producer,
    retry: bool = False,
    retry_policy: dict[str, Any] | None = None,
    **props: Any,
) -> None:
    """Answer a request where its `reply_to` says, with its correlation id and serializer.

    `KeyError` when it has no `reply_to`. `props` are further arguments of `publish`.
    """
    answer: dict[str, Any] = {
        "routing_key": req.properties["reply_to"],
        "correlation_id": req.properties.get("correlation_id"),
        "serializer": registry.type_to_name.get(req.content_type or ""),
        **props,
    }
    producer.publish(msg, exchange=exchange, retry=retry, retry_policy=retry_policy, **answer)


def collect_replies(
    conn: Connection, channel: Channel | None, queue: Queue, *args: Any, **kwargs: Any
) -> Iterator[Any]:
    """The bodies that come to a reply queue; arguments as for `itermessages`. Without acks."""
    no_ack = kwargs.setdefault("no_ack", True)
    for body, message in itermessages(conn, channel, queue, *args, **kwargs):
        if not no_ack:
            message.ack()
        yield body


@contextmanager
def _ignoring(conn: Any) -> Iterator[None]:
    try:
        yield
    except conn.connection_errors + conn.channel_errors:
        pass


def ignore_errors(
    conn: Any, fun: Callable[..., Any] | None = None, *args: Any, **kwargs: Any
) -> AbstractContextManager[None] | Any:
    """Ignore connection and channel errors, for cleaning up.

    With `fun` it is called with the arguments, and its result (None after an error) returned;
    without, this is a context manager. `conn` has `connection_errors` and `channel_errors`.
    """
    if fun is None:
        return _ignoring(conn)
    try:
        return fun(*args, **kwargs)
    except conn.connection_errors + conn.channel_errors:
        return None


def insured(
    pool: ConnectionPool,
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    errback: Callable[[BaseException, float], object] | None = None,
    on_revive: Callable[[Channel], object] | None = None,
    **opts: Any,
) -> Any:
    """Call `fun(*args, connection=…, channel=…, **kwargs)` on a pooled connection, with retries."""
    with pool.acquire(block=True) as conn:
        conn.ensure_connection(errback=errback)
        ensured = conn.autoretry(
            fun, maybe_channel(conn), errback=errback, on_revive=on_revive, **opts
        )
        result, _ = ensured(*args, **{**kwargs, "connection": conn})
        return result


class QoS:
    """A prefetch count that any thread may change and one thread tells the broker.

    `callback(prefetch_count=…)` sets it: `Consumer.qos`, for example. 0 means no limit.
    """

    def __init__(
        self,
        callback: Callable[..., object],
        initial_value: int,
        max_prefetch: int | None = None,
    ) -> None:
        """`max_prefetch` bounds `increment_eventually`; None: no bound."""
        self.callback = callback
        self.value = initial_value or 0
        self.prev: int | None = None
        self.max_prefetch = max_prefetch
        self._mutex = threading.RLock()

    def increment_eventually(self, n: int = 1) -> int:
        """Raise the value, to take effect with `update`. No limit stays no limit."""
        with self._mutex:
            if self.value:
                raised = self.value + max(n, 0)
                self.value = raised if self.max_prefetch is None else min(raised, self.max_prefetch)
            return self.value

    def decrement_eventually(self, n: int = 1) -> int:
        """Lower the value, but not below 1, to take effect with `update`."""
        with self._mutex:
            if self.value:
                self.value = max(self.value - n, 1)
            return self.value

    def set(self, pcount: int) -> int:
        """Tell the broker, if it is another value than last time. Above 65,535 means no limit."""
        if pcount != self.prev:
            self.callback(prefetch_count=pcount if pcount <= PREFETCH_COUNT_MAX else 0)
            self.prev = pcount
        return pcount

    def update(self) -> int:
        """Tell the broker the current value."""
        with self._mutex:
            return self.set(self.value)
