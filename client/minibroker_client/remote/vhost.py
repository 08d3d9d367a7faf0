"""A virtual host whose queues and tables lie in another system.

All rules are those of `minibroker.vhost` and `minibroker.declare`; here every change is also
written to the system as a fact, and the facts of others are read. Source of what is refused:
`docs/transports.md`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from minibroker.arguments import (
    QueueDeclaration,
    check_equivalent_exchange,
    check_equivalent_queue,
    parse_queue,
)
from minibroker.errors import ResourceLocked
from minibroker.exchanges import DelayedExchange, Exchange, ExchangeDeclaration
from minibroker.exchanges.delayed import X_DELAY, milliseconds_in, released
from minibroker.profile import PROFILES
from minibroker.vhost import VHost

from ..serialization import typed_json
from .driver import QueueInfo
from .facts import BindingFact, binding_key, describe_exchange, describe_queue, key_of, read_key
from .queue import Exchanger, RemoteQueue

if TYPE_CHECKING:
    from minibroker.arguments import QueueSettings
    from minibroker.connection import Connection
    from minibroker.exchanges import Destination
    from minibroker.fields import Table
    from minibroker.host import Host
    from minibroker.message import Message
    from minibroker.queues import BaseQueue

    from .driver import Driver

__all__ = ["PROFILE", "RemoteVHost"]

PROFILE = replace(
    PROFILES["rabbitmq-4.2"],
    name="remote",
    # The history of a message travels in its headers, so that is where it is read.
    x_death_as_table=True,
    last_death_headers=False,
    # Nobody watches how long a delivery is unacked: its lease is renewed as long as it is.
    consumer_timeout=315_360_000_000,
)


class RemoteDelayedExchange(DelayedExchange):
    """A delayed exchange: it routes at once, and the queues' system holds the message."""

    def hold(self, message: Message) -> bool:
        """Route the message into queues that hand it out later."""
        if not self.holds(message):
            return False
        self._world.release(self, message)
        message.position = -1  # its confirm waits for what became of it
        return True


class RemoteVHost(VHost):
    """The entities of one virtual host, in a system. The lock is held around every call."""

    def __init__(
        self, name: str, host: Host, driver: Driver, exchanger: Exchanger, owner: str
    ) -> None:
        """`owner` is what exclusive queues of this connection are marked with."""
        self.driver = driver
        self.exchanger = exchanger
        self.owner = owner
        self.facts: dict[str, str] = {}
        """What the system says is declared, as far as it was read."""
        self.reading = True
        """Whether changes come from the system, so that it need not be told."""
        self.delay = 0
        """For how many milliseconds the message that is being routed is to be held."""
        super().__init__(name, host)
        self.reading = False

    # -- reading

    def read(self, facts: dict[str, str]) -> None:
        """Become what the facts of the system say."""
        before, self.facts = self.facts, dict(facts)
        gone = [key for key, value in before.items() if facts.get(key) != value]
        come = [key for key, value in facts.items() if before.get(key) != value]
        self.reading = True
        try:
            for key in sorted(gone):  # bindings, then exchanges, then queues
                self._unmake(read_key(key))
            if gone:  # with a queue or exchange also went what bound it, which may be there anew
                come = [key for key in facts if not self._stands(read_key(key))]
            for key in sorted(come, key=_by_kind):
                self._make(read_key(key), facts[key])
        finally:
            self.reading = False

    def _unmake(self, what: tuple[str, str] | BindingFact) -> None:
        if isinstance(what, BindingFact):
            ends = self._ends(what)
            if ends is not None:
                self.unbind(*ends, what.routing_key, what.arguments)
        elif what[0] == "e":
            exchange = self.exchanges.get(what[1])
            if exchange is not None:
                self.remove_exchange(exchange)
        elif (queue := self.queues.get(what[1])) is not None:
            self.remove_queue(queue)

    def _make(self, what: tuple[str, str] | BindingFact, value: str) -> None:
        if isinstance(what, BindingFact):
            ends = self._ends(what)
            if ends is not None:
                self.bind(*ends, what.routing_key, what.arguments)
            return
        said = typed_json.decode(value)
        if what[0] == "e":
            if what[1] not in self.exchanges:
                self.add_exchange(_exchange_declaration(what[1], said))
        elif what[1] not in self.queues:
            declaration = _queue_declaration(what[1], said, self.name)
            owner: Any = Stranger(said["owner"]) if "owner" in said else None
            self.driver.know(QueueInfo(declaration.name, declaration.arguments))
            settings = parse_queue(declaration, self.profile)
            self.install_queue(declaration, settings, owner, None)

    def _ends(self, what: BindingFact) -> tuple[Exchange, Destination] | None:
        source = self.exchanges.get(what.source)
        there: Any = self.exchanges if what.to_exchange else self.queues
        destination = there.get(what.destination)
        return None if source is None or destination is None else (source, destination)

    # -- writing

    def _write(self, key: str, value: str) -> str:
        """Add a fact; the value that is there, which somebody else may have written."""
        there = self.exchanger.ask(self.driver.facts.add, key, value)
        self.facts[key] = there
        return there

    def _withdraw(self) -> None:
        """Remove the facts that hold no more."""
        if self.reading:
            return
        gone = [key for key in self.facts if not self._stands(read_key(key))]
        if gone:
            self.exchanger.ask(self.driver.facts.remove, gone)
            for key in gone:
                del self.facts[key]

    def _stands(self, what: tuple[str, str] | BindingFact) -> bool:
        if isinstance(what, BindingFact):
            ends = self._ends(what)
            if ends is None:
                return False
            return ends[0].find(ends[1], what.routing_key, what.arguments) is not None
        return what[1] in (self.exchanges if what[0] == "e" else self.queues)

    # -- what the model changes

    def add_exchange(self, declaration: ExchangeDeclaration) -> Exchange:
        """Make an exchange, also in the system."""
        exchange = self._add_here(declaration)  # first, as that may be refused
        if self.reading:
            return exchange
        there = self._write(key_of("e", declaration.name), describe_exchange(declaration))
        theirs = _exchange_declaration(declaration.name, typed_json.decode(there))
        try:
            check_equivalent_exchange(theirs, declaration, self.name)
        except BaseException:
            super().remove_exchange(exchange)
            self._add_here(theirs)
            raise
        return exchange

    def _add_here(self, declaration: ExchangeDeclaration) -> Exchange:
        exchange = super().add_exchange(declaration)
        if isinstance(exchange, DelayedExchange):
            exchange = self._own_delayed(exchange, declaration)
        return exchange

    def _own_delayed(self, made: DelayedExchange, declaration: ExchangeDeclaration) -> Exchange:
        own = RemoteDelayedExchange(declaration, self._exchange_world, made.inner)
        own.alternate = made.alternate
        self.exchanges[own.name] = own
        return own

    def remove_exchange(self, exchange: Exchange) -> None:
        """Delete an exchange, also in the system."""
        super().remove_exchange(exchange)
        self._withdraw()

    def bind(
        self, source: Exchange, destination: Destination, routing_key: str, arguments: Table
    ) -> None:
        """Bind, also in the system."""
        if not self.reading:
            to_exchange = isinstance(destination, Exchange)
            fact = BindingFact(
                source.name, to_exchange, destination.name, routing_key, dict(arguments)
            )
            self._write(binding_key(fact), "")
        super().bind(source, destination, routing_key, arguments)

    def unbind(
        self, source: Exchange, destination: Destination, routing_key: str, arguments: Table
    ) -> None:
        """Unbind, also in the system."""
        super().unbind(source, destination, routing_key, arguments)
        self._withdraw()

    def add_queue(
        self,
        declaration: QueueDeclaration,
        settings: QueueSettings,
        owner: Connection | None = None,
    ) -> BaseQueue:
        """Make a queue, also in the system."""
        info = QueueInfo(declaration.name, declaration.arguments)
        self.driver.know(info)
        self.exchanger.ask(self.driver.declare, info)
        key = key_of("q", declaration.name)
        mine = describe_queue(declaration, self.owner)
        there = self._write(key, mine)
        if there != mine:  # somebody else was faster
            self._make(("q", declaration.name), there)
            found = self.queues[declaration.name]
            if found.owner is not None or owner is not None:
                raise ResourceLocked(f"queue '{found.name}' is another connection's, or was")
            check_equivalent_queue(found.declaration, declaration, self.profile)
            return found
        return self.install_queue(declaration, settings, owner, None)

    def install_queue(
        self,
        declaration: QueueDeclaration,
        settings: QueueSettings,
        owner: Connection | None,
        place: Any,
    ) -> BaseQueue:
        """Make a queue here that stands for one in the system."""
        queue = RemoteQueue(declaration, settings, self.world, owner, self.exchanger)
        self.queues[queue.name] = queue
        self.default.memo[queue.name] = (queue,)
        if owner is not None:
            owner.exclusive[queue.name] = queue
        return queue

    def remove_queue(self, queue: BaseQueue) -> None:
        """Delete a queue, also in the system."""
        super().remove_queue(queue)
        if not self.reading:
            self._withdraw()
            self.exchanger.ask(self.driver.delete, queue.name)

    def _release(self, exchange: Exchange, message: Message) -> None:
        """A delayed exchange got a message: route it, to be handed out when it is due."""
        self.delay = milliseconds_in(message.headers[X_DELAY])
        try:
            super()._release(exchange, released(message))
        finally:
            self.delay = 0


class Stranger:
    """The connection of another client that an exclusive queue belongs to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.exclusive: dict[str, BaseQueue] = {}


def _by_kind(key: str) -> tuple[int, str]:
    """Exchanges first, then queues, then what binds them."""
    return "eqb".find(key[2:3]), key  # what is no fact comes first, and is refused


def _exchange_declaration(name: str, said: dict[str, Any]) -> ExchangeDeclaration:
    return ExchangeDeclaration(
        name,
        said["type"],
        said.get("durable", False),
        said.get("auto_delete", False),
        said.get("internal", False),
        said.get("arguments", {}),
    )


def _queue_declaration(name: str, said: dict[str, Any], vhost: str) -> QueueDeclaration:
    return QueueDeclaration(
        name,
        durable=said.get("durable", False),
        exclusive=said.get("exclusive", False),
        auto_delete=said.get("auto_delete", False),
        arguments=said.get("arguments", {}),
        vhost=vhost,
    )
