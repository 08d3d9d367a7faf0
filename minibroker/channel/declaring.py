"""The side of a channel that declares, binds and deletes. The rules are in `declare`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..arguments import QueueDeclaration, parse_name_prefix
from ..declare import plain_name
from ..errors import NotFound
from ..exchanges import ExchangeDeclaration
from ..queues.quorum import count_consumers
from .state import ChannelState

if TYPE_CHECKING:
    from ..fields import Table

__all__ = ["DeclareOk", "Declaring"]

PREFIX = "amq.gen-"


class DeclareOk(NamedTuple):
    """What declaring a queue answers: its name, its ready entries, its consumers."""

    queue: str
    message_count: int
    consumer_count: int


class Declaring(ChannelState):
    """Declaring, binding and deleting. Thread-safe."""

    __slots__ = ()

    def declare_exchange(  # noqa: PLR0913 -- the fields of exchange.declare
        self,
        name: str,
        type: str = "direct",  # noqa: A002 -- the name of the field in AMQP
        *,
        passive: bool = False,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Table | None = None,
    ) -> None:
        """Make an exchange, or see that there is an equivalent one (`exchange.declare`).

        Args:
            name: at most 255 bytes of UTF-8, not beginning with `amq.`.
            type: direct, fanout, topic, headers, x-consistent-hash or x-delayed-message.
            passive: only see whether it is there.
            durable: it survives a restart of a broker that has a log.
            auto_delete: it goes with its last binding.
            internal: only other exchanges publish to it.
            arguments: `alternate-exchange`, and those of the type.

        Raises:
            NotFound: passive, and there is none.
            PreconditionFailed: there is one that differs, or the arguments are invalid.
            AccessRefused: a reserved name, or no permission.
        """
        with self.guard:
            self.ensure_open()
            self.vhost.declarations.declare_exchange(
                ExchangeDeclaration(name, type, durable, auto_delete, internal, arguments or {}),
                self.connection,
                passive,
            )

    def delete_exchange(self, name: str, if_unused: bool = False) -> None:
        """Delete an exchange; it is no error if there is none (`exchange.delete`).

        Raises PreconditionFailed with `if_unused` when it has bindings, AccessRefused for the
        predeclared ones.
        """
        with self.guard:
            self.ensure_open()
            self.vhost.declarations.delete_exchange(name, self.connection, if_unused)

    def declare_queue(
        self,
        name: str = "",
        *,
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: Table | None = None,
    ) -> DeclareOk:
        """Make a queue, or see that there is an equivalent one (`queue.declare`).

        Args:
            name: at most 255 bytes of UTF-8; empty: the broker makes a name.
            passive: only see whether it is there.
            durable: it survives a restart of a broker that has a log.
            exclusive: for this connection only, and it goes with it.
            auto_delete: it goes with its last consumer.
            arguments: `x-message-ttl` and the other arguments of RabbitMQ.

        Raises:
            NotFound: passive, and there is none.
            PreconditionFailed: there is one that differs, or the arguments are invalid.
            ResourceLocked: it is exclusive to another connection.
            AccessRefused: a reserved name, or no permission.
        """
        with self.guard:
            self.ensure_open()
            name = plain_name("queue name", name)
            server_named = not name and not passive
            declaration = QueueDeclaration(
                name,
                durable=durable,
                exclusive=exclusive,
                auto_delete=auto_delete,
                arguments=arguments or {},
                vhost=self.vhost.name,
                server_named=server_named,
            )
            if server_named:
                prefix = parse_name_prefix(declaration, self.vhost.profile)
                declaration.name = (prefix or PREFIX) + self.vhost.host.unique()
            queue = self.vhost.declarations.declare_queue(declaration, self.connection, passive)
            self.last_queue = declaration.name
            if queue is None:
                return DeclareOk(declaration.name, 0, 1)
            consumers = len(queue.consumers)
            if queue.kind == "quorum":
                consumers = count_consumers(queue, self.vhost.handed_out())
            return DeclareOk(queue.name, queue.message_count, consumers)

    def queue_name(self, name: str) -> str:
        """A queue by its name; the empty one means the queue declared last on this channel."""
        if name:
            return name
        if not self.last_queue:
            raise NotFound("no previously declared queue")
        return self.last_queue

    def delete_queue(self, name: str, if_unused: bool = False, if_empty: bool = False) -> int:
        """Delete a queue, and say how many entries were ready (`queue.delete`).

        It is no error if there is none (0). Raises PreconditionFailed with `if_unused` when it
        has consumers, with `if_empty` when entries are ready.
        """
        with self.guard:
            self.ensure_open()
            return self.vhost.declarations.delete_queue(
                self.queue_name(name), self.connection, if_unused, if_empty
            )

    def purge_queue(self, name: str) -> int:
        """Remove what is ready, and say how many entries that was (`queue.purge`)."""
        with self.guard:
            self.ensure_open()
            return self.vhost.declarations.purge_queue(self.queue_name(name), self.connection)

    def bind_queue(
        self, queue: str, exchange: str, routing_key: str = "", arguments: Table | None = None
    ) -> None:
        """Bind a queue to an exchange; again changes nothing (`queue.bind`).

        With an empty queue name the queue declared last is meant, and an empty routing key then
        is its name. Raises NotFound when one of them is not there.
        """
        with self.guard:
            self.ensure_open()
            name = self.queue_name(queue)
            key = name if not queue and not routing_key else routing_key
            self.vhost.declarations.bind_queue(
                name, exchange, key, arguments or {}, self.connection
            )

    def unbind_queue(
        self, queue: str, exchange: str, routing_key: str = "", arguments: Table | None = None
    ) -> None:
        """Remove a binding; it is no error if there is none (`queue.unbind`)."""
        with self.guard:
            self.ensure_open()
            name = self.queue_name(queue)
            key = name if not queue and not routing_key else routing_key
            self.vhost.declarations.unbind_queue(
                name, exchange, key, arguments or {}, self.connection
            )

    def bind_exchange(
        self, destination: str, source: str, routing_key: str = "", arguments: Table | None = None
    ) -> None:
        """Bind an exchange to another one, from which it then gets messages (`exchange.bind`).

        Raises NotFound when one of them is not there.
        """
        with self.guard:
            self.ensure_open()
            self.vhost.declarations.bind_exchange(
                destination, source, routing_key, arguments or {}, self.connection
            )

    def unbind_exchange(
        self, destination: str, source: str, routing_key: str = "", arguments: Table | None = None
    ) -> None:
        """Remove a binding between exchanges; no error if there is none (`exchange.unbind`)."""
        with self.guard:
            self.ensure_open()
            self.vhost.declarations.unbind_exchange(
                destination, source, routing_key, arguments or {}, self.connection
            )
