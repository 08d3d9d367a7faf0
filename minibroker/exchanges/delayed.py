"""The delayed message exchange: holds a message, then routes it as another type would.

Knows nothing of queues: what falls due goes to the `release` that the virtual host lends.
Source: RabbitMQ's archived plugin `rabbitmq_delayed_message_exchange`; SEMANTICS 113b.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from sortedcontainers import SortedDict

from ..message import MarkedMessage, Message
from .exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..fields import FieldValue, Table
    from .exchange import Binding, Destination, ExchangeDeclaration, ExchangeSurroundings

__all__ = ["X_DELAY", "DelayedExchange", "milliseconds_in", "released"]

X_DELAY = "x-delay"
LONGEST = 2**32 - 1
"""Milliseconds. The plugin holds no longer: a message with a longer delay is routed at once."""
INTEGER = re.compile(r"[+-]?[0-9]+")


class DelayedExchange(Exchange):
    """Holds a message for the milliseconds in its header `x-delay`, then routes it.

    `inner` is an exchange of the type named by the argument `x-delayed-type`; it has the
    bindings. A message without a delay, or with one that is not a number between 1 and
    `LONGEST`, is routed at once. Holding and releasing are O(log held).
    """

    __slots__ = ("_arrivals", "_held", "_timer", "_world", "inner")

    type: ClassVar[str] = "x-delayed-message"

    def __init__(
        self, declaration: ExchangeDeclaration, world: ExchangeSurroundings, inner: Exchange
    ) -> None:
        super().__init__(declaration, world)
        self.routes_by_key = False
        self.inner = inner
        self._world = world
        self._timer = world.timers.new(self._run_due)
        # By the time they are due in milliseconds, then by the order of their arrival.
        self._held: SortedDict[tuple[int, int], Message] = SortedDict()
        self._arrivals = 0

    @property
    def held(self) -> int:
        """How many messages wait for their time."""
        return len(self._held)

    def holds(self, message: Message) -> bool:
        """Whether the message has a delay."""
        return 0 < milliseconds_in(message.headers.get(X_DELAY)) <= LONGEST

    def hold(self, message: Message) -> bool:
        """Keep the message if it has a delay; False: route it now."""
        if not self.holds(message):
            return False
        due = self._world.now() + milliseconds_in(message.headers[X_DELAY])
        self._arrivals += 1
        if self.place is not None:
            self.place.held(message, self._arrivals, due)
        self._held[due, self._arrivals] = message
        self._arm()
        return True

    def restore(self, held: list[tuple[int, int, Message]], arrivals: int) -> None:
        """Take over what was held before a restart: due time, arrival and message of each.

        `arrivals` is the number of the last one that ever arrived.
        """
        self._arrivals = arrivals
        for due, arrival, message in held:
            self._held[due, arrival] = message
        self._arm()

    def all_held(self) -> list[tuple[int, int, Message]]:
        """What is held: due time, arrival and message of each, in order of time."""
        return [(due, arrival, message) for (due, arrival), message in self._held.items()]

    @property
    def arrivals(self) -> int:
        """The number of the last message that ever arrived to be held."""
        return self._arrivals

    def delete(self) -> None:
        """Give up all messages that are held: they are gone with the exchange."""
        if self.place is not None:
            for (_, arrival), message in self._held.items():
                self.place.released(message, arrival)
        self._held.clear()
        self._arm()

    def bind(self, binding: Binding) -> bool:
        """As the inner type does."""
        return self.inner.bind(binding)

    def find(self, destination: Destination, routing_key: str, arguments: Table) -> Binding | None:
        """As the inner type does."""
        return self.inner.find(destination, routing_key, arguments)

    def leads_to(self, destination: Destination) -> bool:
        """As the inner type does."""
        return self.inner.leads_to(destination)

    def unbind(self, destination: Destination, routing_key: str, arguments: Table) -> bool:
        """As the inner type does."""
        return self.inner.unbind(destination, routing_key, arguments)

    def unbind_all(self, destination: Destination) -> int:
        """As the inner type does."""
        return self.inner.unbind_all(destination)

    @property
    def bindings(self) -> Collection[Binding]:
        """All bindings in the order in which they were added. A view: not to be kept."""
        return self.inner.bindings

    @property
    def is_bound(self) -> bool:
        """Whether there is any binding from this exchange."""
        return self.inner.is_bound

    def match(self, message: Message, keys: tuple[str, ...]) -> Sequence[Destination]:
        """As the inner type does, whatever the delay."""
        return self.inner.match(message, keys)

    def _arm(self) -> None:
        if not self._held:
            self._timer.clear()
            return
        due = self._held.peekitem(0)[0][0]
        if due != self._timer.when:
            self._timer.set(due)

    def _run_due(self, now: int) -> None:
        # Only what is due at the one time the timer was set for: when the broker is late,
        # deadlines of others that lie between two of ours run between them.
        due = self._held.peekitem(0)[0][0]
        try:
            while self._held and self._held.peekitem(0)[0][0] == due:
                (_, arrival), message = self._held.popitem(0)
                if self.place is not None:
                    self.place.released(message, arrival)
                self._world.release(self, released(message))
        finally:
            self._arm()

    def _check(self) -> None:
        super()._check()
        self.inner._check()
        assert not self._bindings
        assert self._timer.when == (self._held.peekitem(0)[0][0] if self._held else None)


def milliseconds_in(value: FieldValue) -> int:
    """A delay as a whole number; 0 for what is none. The plugin reads digits in a string too."""
    if isinstance(value, str) and INTEGER.fullmatch(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return 0
    return int(value) if math.isfinite(value) else 0


def released(message: Message) -> Message:
    """The message with its delay negated: no exchange holds it again, and consumers can tell."""
    delay = milliseconds_in(message.headers[X_DELAY])
    properties = message.properties.replace(headers={**message.headers, X_DELAY: -delay})
    place = message.exchange, message.routing_key, properties, message.body
    if isinstance(message, MarkedMessage):
        return MarkedMessage(*place, message.ttl, message.copies, message.deaths)
    return Message(*place)
