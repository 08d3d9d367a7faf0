"""The rules of declaring, binding and deleting: what is refused, in which words.

Knows nothing of channels; a method gets the connection that asks. Every rule is checked before
anything changes. Source: AMQP 0-9-1 sections 1.6 and 1.7, RabbitMQ's `rabbit_channel` and
`rabbit_amqqueue`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .arguments import (
    check_equivalent_exchange,
    check_equivalent_queue,
    parse_exchange,
    parse_queue,
)
from .direct_reply import PSEUDO_QUEUE
from .errors import AccessRefused, NotFound, PreconditionFailed, ResourceLocked
from .exchanges import Binding, check_type
from .fields import check_table, copy_table
from .limits import check_exchange_limits, check_queue_limits
from .queues.refusals import check_delete, check_purge

if TYPE_CHECKING:
    from .arguments import QueueDeclaration
    from .connection import Connection
    from .exchanges import Exchange, ExchangeDeclaration
    from .fields import Table
    from .queues import BaseQueue
    from .vhost import VHost

__all__ = ["Declarations", "check_name", "plain_name"]

LONGEST_NAME = 255
"""Bytes of UTF-8 in a short string (AMQP 0-9-1 section 4.2.5.3)."""
RESERVED = "amq."


def check_name(what: str, name: str) -> str:
    """A name or routing key as it is used: a short string.

    Raises TypeError or PreconditionFailed that names it.
    """
    if not isinstance(name, str):
        raise TypeError(f"{what} must be a str, not {name!r}")
    if len(name.encode()) > LONGEST_NAME:
        raise PreconditionFailed(f"{what} '{name}' is longer than {LONGEST_NAME} bytes")
    return name


def plain_name(what: str, name: str) -> str:
    """A name as `check_name` takes it, without line ends.

    RabbitMQ takes those out of the names in declarations, bindings and deletions (24).
    """
    return check_name(what, name).replace("\r", "").replace("\n", "")


class Declarations:
    """What clients may ask of the entities of one virtual host."""

    def __init__(self, vhost: VHost) -> None:
        self.vhost = vhost

    # -- looking up

    def _where(self) -> str:
        return f"in vhost '{self.vhost.name}'"

    def exchange(self, name: str) -> Exchange:
        """The exchange of that name, or NotFound."""
        try:
            return self.vhost.exchanges[name]
        except KeyError:
            raise NotFound(f"no exchange '{name}' {self._where()}") from None

    def queue(self, name: str, connection: Connection) -> BaseQueue:
        """The queue of that name, or NotFound; ResourceLocked if it is another connection's."""
        try:
            queue = self.vhost.queues[name]
        except KeyError:
            raise NotFound(f"no queue '{name}' {self._where()}") from None
        if queue.owner is not None and queue.owner is not connection:
            raise self._locked(name)
        return queue

    def _locked(self, name: str) -> ResourceLocked:
        return ResourceLocked(
            f"cannot obtain exclusive access to locked queue '{name}' {self._where()}. It could be "
            "originally declared on another connection or the exclusive property value does not "
            "match that of the original declaration."
        )

    # -- exchanges

    def declare_exchange(
        self, declaration: ExchangeDeclaration, connection: Connection, passive: bool
    ) -> None:
        """Make an exchange, or see that it is there and equivalent (`exchange.declare`)."""
        name = declaration.name = plain_name("exchange name", declaration.name)
        _not_the_default(name)
        if passive:
            connection.access.check_passive("exchange", name)
            self.exchange(name)
            return
        check_type(declaration.type, self.vhost.profile)
        connection.access.check_configure("exchange", name)
        current = self.vhost.exchanges.get(name)
        if current is not None:
            check_equivalent_exchange(current, declaration, self.vhost.name)
            return
        _not_reserved("exchange", name)
        check_table(declaration.arguments)
        alternate = parse_exchange(name, declaration.arguments, self.vhost.name)
        if alternate is not None:
            connection.access.check_read("exchange", name)
            connection.access.check_write("exchange", alternate)
        check_exchange_limits(self.vhost, name)
        declaration.arguments = copy_table(declaration.arguments)
        self.vhost.add_exchange(declaration)

    def delete_exchange(self, name: str, connection: Connection, if_unused: bool) -> None:
        """Delete an exchange if it is there (`exchange.delete`)."""
        name = plain_name("exchange name", name)
        _not_the_default(name)
        if name.startswith(RESERVED):
            raise AccessRefused(f"deletion of system exchange '{name}' {self._where()} not allowed")
        connection.access.check_configure("exchange", name)
        exchange = self.vhost.exchanges.get(name)
        if exchange is None:
            return
        if if_unused and exchange.is_bound:
            raise PreconditionFailed(f"exchange '{name}' {self._where()} in use")
        self.vhost.remove_exchange(exchange)

    # -- queues

    def declare_queue(
        self, declaration: QueueDeclaration, connection: Connection, passive: bool
    ) -> BaseQueue | None:
        """Make a queue, or see that it is there and equivalent (`queue.declare`).

        None for a direct reply-to address that is alive.
        """
        name = declaration.name
        if passive or self.vhost.is_reply_address(name):
            return self._see_queue(name, connection)
        if not declaration.server_named:
            _not_reserved("queue", name)  # whether there is one or not, as RabbitMQ does
        connection.access.check_configure("queue", name)
        current = self.vhost.queues.get(name)
        if current is not None:
            self._check_equivalent(current, declaration, connection)
            return _used(current)
        return self._make_queue(declaration, connection)

    def _see_queue(self, name: str, connection: Connection) -> BaseQueue | None:
        connection.access.check_passive("queue", name)
        if self.vhost.is_reply_address(name):
            if name == PSEUDO_QUEUE or name in self.vhost.replies:
                return None
            raise NotFound(f"no queue '{name}' {self._where()}")
        return _used(self.queue(name, connection))

    def _check_equivalent(
        self, current: BaseQueue, declaration: QueueDeclaration, connection: Connection
    ) -> None:
        if current.owner is not (connection if declaration.exclusive else None):
            raise self._locked(current.name)
        check_equivalent_queue(current.declaration, declaration, self.vhost.profile)

    def _make_queue(self, declaration: QueueDeclaration, connection: Connection) -> BaseQueue:
        name = declaration.name
        check_table(declaration.arguments)
        settings = parse_queue(declaration, self.vhost.profile)
        if settings.dead_letter_exchange is not None:
            connection.access.check_read("queue", name)
            connection.access.check_write("exchange", settings.dead_letter_exchange)
        check_queue_limits(self.vhost, name)
        kept = replace(declaration, arguments=copy_table(declaration.arguments))
        return self.vhost.add_queue(kept, settings, connection if declaration.exclusive else None)

    def delete_queue(
        self, name: str, connection: Connection, if_unused: bool, if_empty: bool
    ) -> int:
        """Delete a queue if it is there; how many entries were ready (`queue.delete`)."""
        name = plain_name("queue name", name)
        connection.access.check_configure("queue", name)
        if name not in self.vhost.queues:
            return 0
        queue = self.queue(name, connection)
        check_delete(queue, if_unused, if_empty)
        if queue.kind == "stream":  # which passes conditions over, and counts nothing
            self.vhost.remove_queue(queue)
            return 0
        if if_unused and queue.consumers.all:
            raise PreconditionFailed(f"queue '{name}' {self._where()} in use")
        if if_empty and queue.message_count:
            raise PreconditionFailed(f"queue '{name}' {self._where()} not empty")
        count = queue.message_count
        self.vhost.remove_queue(queue)
        return count

    def purge_queue(self, name: str, connection: Connection) -> int:
        """Remove what is ready; how many entries that was (`queue.purge`)."""
        connection.access.check_read("queue", name)
        queue = self.queue(name, connection)
        check_purge(queue)
        return queue.purge()

    # -- bindings

    def bind_queue(
        self, queue: str, exchange: str, routing_key: str, arguments: Table, connection: Connection
    ) -> None:
        """Bind a queue to an exchange (`queue.bind`)."""
        queue = plain_name("queue name", queue)
        exchange = plain_name("exchange name", exchange)
        if self.vhost.profile.direct_reply_bindings_refused and self.vhost.is_reply_address(queue):
            raise AccessRefused(f"cannot bind direct reply-to queue '{queue}'")
        self._check_queue_binding(queue, exchange, routing_key, connection)
        source = self.exchange(exchange)
        if queue not in self.vhost.queues:
            raise NotFound(f"no queue '{queue}' {self._where()}")
        check_table(arguments)
        source.validate(Binding(source, self.vhost.queues[queue], routing_key, arguments))
        # Whose queue it is, is asked last, as RabbitMQ does.
        self.vhost.bind(source, self.queue(queue, connection), routing_key, copy_table(arguments))

    def unbind_queue(
        self, queue: str, exchange: str, routing_key: str, arguments: Table, connection: Connection
    ) -> None:
        """Remove a binding if it is there (`queue.unbind`)."""
        queue = plain_name("queue name", queue)
        exchange = plain_name("exchange name", exchange)
        self._check_queue_binding(queue, exchange, routing_key, connection)
        source = self.vhost.exchanges.get(exchange)
        bound = self.vhost.queues.get(queue)
        if source is None or bound is None or not source.find(bound, routing_key, arguments):
            return  # before asking whose queue it is, as RabbitMQ does
        self.vhost.unbind(source, self.queue(queue, connection), routing_key, arguments)

    def _check_queue_binding(
        self, queue: str, exchange: str, routing_key: str, connection: Connection
    ) -> None:
        _not_the_default(exchange)
        check_name("routing key", routing_key)
        connection.access.check_write("queue", queue)
        connection.access.check_read("exchange", exchange)
        self._check_topic(exchange, routing_key, connection)

    def bind_exchange(
        self,
        destination: str,
        source: str,
        routing_key: str,
        arguments: Table,
        connection: Connection,
    ) -> None:
        """Bind an exchange to another one (`exchange.bind`)."""
        destination = plain_name("exchange name", destination)
        source = plain_name("exchange name", source)
        self._check_exchange_binding(destination, source, routing_key, connection)
        origin = self.exchange(source)
        to = self.exchange(destination)
        check_table(arguments)
        self.vhost.bind(origin, to, routing_key, copy_table(arguments))

    def unbind_exchange(
        self,
        destination: str,
        source: str,
        routing_key: str,
        arguments: Table,
        connection: Connection,
    ) -> None:
        """Remove a binding between exchanges if it is there (`exchange.unbind`)."""
        destination = plain_name("exchange name", destination)
        source = plain_name("exchange name", source)
        self._check_exchange_binding(destination, source, routing_key, connection)
        origin = self.vhost.exchanges.get(source)
        to = self.vhost.exchanges.get(destination)
        if origin is not None and to is not None:
            self.vhost.unbind(origin, to, routing_key, arguments)

    def _check_exchange_binding(
        self, destination: str, source: str, routing_key: str, connection: Connection
    ) -> None:
        _not_the_default(destination)
        _not_the_default(source)
        check_name("routing key", routing_key)
        connection.access.check_write("exchange", destination)
        connection.access.check_read("exchange", source)
        self._check_topic(source, routing_key, connection)

    def _check_topic(self, name: str, routing_key: str, connection: Connection) -> None:
        exchange = self.vhost.exchanges.get(name)
        if exchange is not None and exchange.type == "topic":
            connection.access.check_topic("read", name, routing_key)


def _used(queue: BaseQueue) -> BaseQueue:
    """The queue, which was declared again: that renews its `x-expires`, but for quorum queues."""
    if queue.kind != "quorum":
        queue.touch()
    return queue


def _not_the_default(exchange: str) -> None:
    if not exchange:
        raise AccessRefused("operation not permitted on the default exchange")


def _not_reserved(what: str, name: str) -> None:
    if name.startswith(RESERVED):
        raise AccessRefused(f"{what} name '{name}' contains reserved prefix 'amq.*'")
