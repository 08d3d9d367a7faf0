"""From an exchange and a message to queues. Knows nothing of channels or of what queues do.

A walk follows bindings between exchanges and alternate exchanges; its outcome is remembered in
`exchange.memo` where the routing key alone decides it. Not thread-safe: the broker's lock is held
by whoever calls. Source: RabbitMQ's `rabbit_exchange:route`; SEMANTICS 50 and 52.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from .exchanges.exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .message import Message
    from .queues.base import BaseQueue

__all__ = ["HELD", "MEMO_KEYS", "Route", "Router"]

MEMO_KEYS: Final = 4096
"""How many routing keys one exchange remembers; all are forgotten when there would be more."""


class _Held(tuple[()]):
    """An empty tuple that is not `()`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "HELD"


HELD: Final[tuple[BaseQueue, ...]] = _Held()
"""No queue yet, but an exchange holds the message for later: it did not come back unroutable.

Told apart by `is`; it is empty and false like the `()` of an unroutable message, so the code that
fills queues need not know it.
"""


class Route(NamedTuple):
    """Where a message would go: nothing has happened yet."""

    queues: tuple[BaseQueue, ...]
    """Each once."""
    holders: tuple[Exchange, ...]
    """Exchanges that would hold the message for later."""
    by_key: bool
    """Whether the routing key alone decided."""
    replies: tuple[BaseQueue, ...] = ()
    """Direct reply-to addresses that get it at once, and do not count as queues."""


class Router:
    """Routes within one virtual host.

    `exchanges` is the virtual host's own table, for alternate exchanges. The virtual host calls
    `forget` after any change of exchanges, bindings or alternates, and when a queue is deleted.
    `replies_at_once` says whether direct reply-to addresses get a message before all queues.
    """

    __slots__ = ("_exchanges", "_memoised", "_replies_at_once")

    def __init__(self, exchanges: Mapping[str, Exchange], replies_at_once: bool = False) -> None:
        self._exchanges = exchanges
        self._replies_at_once = replies_at_once
        self._memoised: list[Exchange] = []

    def route(self, exchange: Exchange, message: Message) -> tuple[BaseQueue, ...]:
        """The queues for a message that enters at an exchange, each once; empty: unroutable.

        `HELD` if there is none yet, but an exchange holds the message. Fills `exchange.memo`
        under the message's routing key, if it is the only key and keys alone decided.
        """
        key = message.routing_key
        if message.copies:
            return self.walk(exchange, message, (key, *message.copies))
        queues = exchange.memo.get(key)
        if queues is not None:
            return queues
        route = self._walk(exchange, message, (key,))
        if route.by_key:
            self._remember(exchange, key, route.queues)
        return _taken(route, message)

    def walk(
        self, exchange: Exchange, message: Message, keys: tuple[str, ...]
    ) -> tuple[BaseQueue, ...]:
        """As `route`, for these keys instead of the message's, and remembering nothing."""
        return _taken(self._walk(exchange, message, keys), message)

    def plan(self, exchange: Exchange, message: Message) -> Route:
        """Where `route` would send the message, for those who may send it later, or never."""
        return self._walk(exchange, message, (message.routing_key, *message.copies))

    def forget(self) -> None:
        """Forget all routes. O(routes remembered since the last time)."""
        for exchange in self._memoised:
            exchange.memo.clear()
        self._memoised.clear()

    def _remember(self, exchange: Exchange, key: str, queues: tuple[BaseQueue, ...]) -> None:
        memo = exchange.memo
        if not memo:
            self._memoised.append(exchange)
        elif len(memo) >= MEMO_KEYS:
            memo.clear()
        memo[key] = queues

    def _walk(self, exchange: Exchange, message: Message, keys: tuple[str, ...]) -> Route:
        queues: dict[BaseQueue, None] = {}
        holders: list[Exchange] = []
        visited = {exchange: None}
        waiting = [exchange]
        by_key = True
        for current in waiting:  # which grows meanwhile: breadth first, and no recursion
            by_key = by_key and current.routes_by_key
            if current.holds(message):
                holders.append(current)
                continue
            for destination in current.match(message, keys) or self._alternate(current):
                if not isinstance(destination, Exchange):
                    queues[destination] = None
                elif destination not in visited:
                    visited[destination] = None
                    waiting.append(destination)
        if self._replies_at_once and not all(queue.keeps for queue in queues):
            kept = tuple(queue for queue in queues if queue.keeps)
            replies = tuple(queue for queue in queues if not queue.keeps)
            return Route(kept, tuple(holders), by_key, replies)
        return Route(tuple(queues), tuple(holders), by_key)

    def _alternate(self, exchange: Exchange) -> tuple[Exchange, ...]:
        if not exchange.alternate:
            return ()  # also the default exchange: to a walk that comes there nothing is bound
        alternate = self._exchanges.get(exchange.alternate)
        return () if alternate is None else (alternate,)

    def _check(self) -> None:
        """Assert the invariants; for tests."""
        memoised = [exchange for exchange in self._memoised if exchange.memo]
        assert len(memoised) == len(set(memoised)) == len(self._memoised)
        for exchange in self._exchanges.values():
            assert len(exchange.memo) <= MEMO_KEYS or not exchange.routes_by_key
            assert not exchange.memo or exchange in memoised or not exchange.routes_by_key


def _taken(route: Route, message: Message) -> tuple[BaseQueue, ...]:
    """The queues of a route that is taken now: who would hold the message, holds it."""
    for reply in route.replies:
        reply.push(message)
    for holder in route.holders:
        holder.hold(message)
    return HELD if route.holders and not route.queues else route.queues
