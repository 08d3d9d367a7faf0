"""One virtual host: names to exchanges, queues and bindings, and what happens when one goes.

Knows nothing of who may do what or of what makes a declaration valid: that is `declare`. Not
thread-safe: whoever calls holds the broker's lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .arguments import parse_exchange
from .dead_letter import DeadLetters
from .declare import Declarations
from .direct_reply import PSEUDO_QUEUE, ReplyQueue
from .events import Cancelled
from .exchanges import (
    Binding,
    DefaultExchange,
    Exchange,
    ExchangeDeclaration,
    ExchangeSurroundings,
    create,
)
from .limits import Limits
from .policy import PolicySet
from .queues import KINDS, BaseQueue, Surroundings
from .routing import Router

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .arguments import QueueDeclaration, QueueSettings
    from .connection import Connection
    from .exchanges import Destination
    from .fields import Table
    from .host import Host, Journal
    from .message import Message
    from .queues import Entry, Place

__all__ = ["VHost"]

PREDECLARED = {
    "amq.direct": "direct",
    "amq.fanout": "fanout",
    "amq.headers": "headers",
    "amq.match": "headers",
    "amq.rabbitmq.trace": "topic",
    "amq.topic": "topic",
}
"""Exchanges that every virtual host has; amq.rabbitmq.trace is internal."""


class VHost:
    """The entities of one virtual host."""

    def __init__(self, name: str, host: Host) -> None:
        self.name = name
        self.host = host
        self.guard = host.guard
        self.profile = host.profile
        self.timers = host.timers
        self.now = host.now
        self.gate = host.gate
        self.journal: Journal | None = None  # not while the predeclared exchanges are made
        self.limits = Limits()
        self.policies = PolicySet()
        self.queues: dict[str, BaseQueue] = {}
        self.exchanges: dict[str, Exchange] = {}
        self.replies: dict[str, ReplyQueue] = {}
        """The direct reply-to addresses that are alive."""
        self.connections: set[Connection] = set()
        self.router = Router(self.exchanges, host.profile.replies_leave_at_once)
        self.dead_letters = DeadLetters(self.exchanges, self.router, host.profile, host.now)
        self.declarations = Declarations(self)
        self._sources: dict[Destination, set[Exchange]] = {}
        """The exchanges that are bound to a destination."""
        self._exchange_world = ExchangeSurroundings(
            host.profile, host.timers, host.now, self._release
        )
        self.world = Surroundings(
            host.now,
            host.timers,
            host.profile,
            self.dead_letters.send,
            self.remove_queue,
            host.alarm,
        )
        self.default = DefaultExchange(self._exchange_world)
        self.default.fallback = self.replies.get
        self.exchanges[""] = self.default
        for exchange, kind in PREDECLARED.items():
            internal = exchange == "amq.rabbitmq.trace"
            self.add_exchange(ExchangeDeclaration(exchange, kind, durable=True, internal=internal))
        self.journal = host.journal

    def handed_out(self) -> Iterator[Entry]:
        """What is unacked on any channel."""
        for connection in self.connections:
            for channel in connection.channels:
                yield from channel.handed_out()

    # -- exchanges and bindings

    def add_exchange(self, declaration: ExchangeDeclaration) -> Exchange:
        """Make an exchange. Raises for an unknown type, or arguments that the type refuses."""
        exchange = create(declaration, self._exchange_world)
        self._set_alternate(exchange)
        self.exchanges[exchange.name] = exchange
        self.router.forget()
        if self.journal is not None and exchange.durable:
            self.journal.exchange_added(self.name, exchange)
        return exchange

    def _set_alternate(self, exchange: Exchange) -> None:
        argument = parse_exchange(exchange.name, exchange.arguments, self.name)
        exchange.alternate = self.policies.alternate_exchange(exchange.name, argument)

    def remove_exchange(self, exchange: Exchange) -> None:
        """Delete an exchange with its bindings, and the auto-delete ones that end with them."""
        self._drop_exchange(exchange)
        self._unbind_everywhere(exchange)

    def _drop_exchange(self, exchange: Exchange) -> None:
        del self.exchanges[exchange.name]
        for destination in {binding.destination for binding in exchange.bindings}:
            self._sources[destination].discard(exchange)
        exchange.delete()
        if self.journal is not None and exchange.durable:
            self.journal.exchange_removed(self.name, exchange)

    def bind(
        self, source: Exchange, destination: Destination, routing_key: str, arguments: Table
    ) -> None:
        """Bind; binding again changes nothing."""
        binding = Binding(source, destination, routing_key, arguments)
        if source.bind(binding):
            self._sources.setdefault(destination, set()).add(source)
            self.router.forget()
            if self.journal is not None and binding.lasting:
                self.journal.bound(self.name, binding)

    def unbind(
        self, source: Exchange, destination: Destination, routing_key: str, arguments: Table
    ) -> None:
        """Unbind; an auto-delete exchange goes with its last binding."""
        binding = source.find(destination, routing_key, arguments)
        if binding is not None and source.unbind(destination, routing_key, arguments):
            if not source.leads_to(destination):
                self._sources[destination].discard(source)
            self.router.forget()
            if self.journal is not None and binding.lasting:
                self.journal.unbound(self.name, binding)
            if _ends_unbound(source):
                self.remove_exchange(source)

    def _unbind_everywhere(self, destination: Destination) -> None:
        gone = [destination]
        for each in gone:  # which grows meanwhile: a chain of them is no chain of calls
            for source in self._sources.pop(each, ()):
                if source.unbind_all(each) and _ends_unbound(source):
                    self._drop_exchange(source)
                    gone.append(source)
        self.router.forget()

    # -- queues

    def add_queue(
        self,
        declaration: QueueDeclaration,
        settings: QueueSettings,
        owner: Connection | None = None,
    ) -> BaseQueue:
        """Make a queue; `settings` are those of its arguments alone."""
        place = None
        if self.journal is not None and declaration.lasting:
            place = self.journal.new_place(declaration)
        queue = self.install_queue(declaration, settings, owner, place)
        if self.journal is not None and place is not None:
            self.journal.queue_added(queue)
        return queue

    def install_queue(
        self,
        declaration: QueueDeclaration,
        settings: QueueSettings,
        owner: Connection | None,
        place: Place | None,
    ) -> BaseQueue:
        """Make a queue that the journal knows of, or need not know of."""
        merged = self.policies.queue_settings(declaration.name, settings)
        queue = KINDS[settings.kind](declaration, merged, self.world, owner, place)
        queue.declared = settings
        self.queues[queue.name] = queue
        self.default.memo[queue.name] = (queue,)
        if owner is not None:
            owner.exclusive[queue.name] = queue
        return queue

    def remove_queue(self, queue: BaseQueue) -> None:
        """Delete a queue with its entries and bindings, and tell its consumers."""
        del self.queues[queue.name]
        del self.default.memo[queue.name]
        if queue.owner is not None:
            queue.owner.exclusive.pop(queue.name, None)
        self._unbind_everywhere(queue)
        consumers = queue.delete()
        if self.journal is not None and queue.place is not None:
            self.journal.queue_removed(queue)
        for consumer in consumers:
            channel = consumer.channel
            del channel.consumers[consumer.tag]
            channel.connection.send(Cancelled(channel, consumer.tag))

    # -- direct reply-to

    def new_reply_queue(self) -> ReplyQueue:
        """A new address, not known to anybody yet."""
        return ReplyQueue(self.host.unique(), self.world)

    def add_reply_queue(self, queue: ReplyQueue) -> None:
        """The address is alive from now on."""
        self.replies[queue.name] = queue

    def remove_reply_queue(self, queue: ReplyQueue) -> None:
        """The address is dead."""
        self.replies.pop(queue.name, None)
        queue.delete()

    def is_reply_address(self, name: str) -> bool:
        """Whether a name is that of a direct reply-to address, dead or alive."""
        return name.startswith(PSEUDO_QUEUE)

    # -- policies

    def apply_policies(self) -> None:
        """The policies changed: tell every queue and exchange what applies now."""
        for queue in list(self.queues.values()):
            queue.reconfigure(self.policies.queue_settings(queue.name, queue.declared))
        for exchange in self.exchanges.values():
            self._set_alternate(exchange)
        self.router.forget()

    # -- delayed messages

    def _release(self, exchange: Exchange, message: Message) -> None:
        """A message that an exchange held falls due."""
        keys = (message.routing_key, *message.copies)
        self.dead_letters.deliver(message, tuple(self.router.walk(exchange, message, keys)))

    def _check(self) -> None:
        self.router._check()
        for name, exchange in self.exchanges.items():
            assert exchange.name == name
            exchange._check()
        assert {name: (queue,) for name, queue in self.queues.items()} == self.default.memo
        for queue in self.queues.values():
            queue._check()
            assert not queue.deleted
        for connection in self.connections:
            connection._check()
        self._check_unacked()

    def _check_unacked(self) -> None:
        held: dict[BaseQueue, int] = {}
        for connection in self.connections:
            for channel in connection.channels:
                settled = channel.transaction.settled if channel.transaction is not None else []
                entries = [*channel.unacked.values()]
                entries += [entry for settlement in settled for entry in settlement.entries]
                for entry in entries:
                    held[entry.queue] = held.get(entry.queue, 0) + 1
        for queue in self.queues.values():
            assert queue.unacked == held.get(queue, 0), f"{queue!r}: {queue.unacked} unacked"
        if self.host.alarm is not None:
            self.host.alarm._check()


def _ends_unbound(exchange: Exchange) -> bool:
    return exchange.auto_delete and not exchange.is_bound
