"""The half of a channel that declares: calls of the transport, recorded for a reconnect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .topology import Binding

if TYPE_CHECKING:
    from .topology import Topology
    from .transport.base import Arguments, Declared, TransportChannel

__all__ = ["Declaring"]


class Declaring:
    """Declares, binds, unbinds and deletes. Errors are those of the broker, by reply code."""

    __slots__ = ("raw", "topology")

    raw: TransportChannel
    topology: Topology
    """Where it is recorded what comes back after a reconnect."""

    def declare_exchange(  # noqa: PLR0913 -- the fields of exchange.declare
        self,
        name: str,
        type: str = "direct",  # noqa: A002 -- the field's name in AMQP
        *,
        passive: bool = False,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Arguments = None,
    ) -> None:
        """Create an exchange, or check that it is there and the same (`exchange.declare`)."""
        self.raw.declare_exchange(
            name, type, passive=passive, durable=durable, auto_delete=auto_delete,
            internal=internal, arguments=arguments,
        )  # fmt: skip
        if not passive:
            self.topology.exchanges[name] = {
                "type": type, "durable": durable, "auto_delete": auto_delete,
                "internal": internal, "arguments": arguments,
            }  # fmt: skip

    def delete_exchange(self, name: str, if_unused: bool = False) -> None:
        """Delete an exchange (`exchange.delete`); with `if_unused` not when it has bindings."""
        self.raw.delete_exchange(name, if_unused)
        self.topology.forget_exchange(name)

    def bind_exchange(
        self, destination: str, source: str, routing_key: str = "", arguments: Arguments = None
    ) -> None:
        """Route from exchange `source` to exchange `destination` (`exchange.bind`)."""
        self.raw.bind_exchange(destination, source, routing_key, arguments)
        self.topology.bindings[Binding(False, destination, source, routing_key, arguments)] = None

    def unbind_exchange(
        self, destination: str, source: str, routing_key: str = "", arguments: Arguments = None
    ) -> None:
        """Undo `bind_exchange` (`exchange.unbind`)."""
        self.raw.unbind_exchange(destination, source, routing_key, arguments)
        binding = Binding(False, destination, source, routing_key, arguments)
        self.topology.bindings.pop(binding, None)

    def declare_queue(
        self,
        name: str = "",
        *,
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: Arguments = None,
    ) -> Declared:
        """Create a queue, or check that it is there and the same (`queue.declare`).

        An empty name lets the broker make one, which the answer has.
        """
        declared = self.raw.declare_queue(
            name, passive=passive, durable=durable, exclusive=exclusive,
            auto_delete=auto_delete, arguments=arguments,
        )  # fmt: skip
        if not passive:
            self.topology.queues[declared.queue] = {
                "name": name, "durable": durable, "exclusive": exclusive,
                "auto_delete": auto_delete, "arguments": arguments,
            }  # fmt: skip
        return declared

    def bind_queue(
        self, queue: str, exchange: str, routing_key: str = "", arguments: Arguments = None
    ) -> None:
        """Route from an exchange to a queue (`queue.bind`)."""
        self.raw.bind_queue(queue, exchange, routing_key, arguments)
        if queue:  # else the one that was declared last
            binding = Binding(True, queue, exchange, routing_key, arguments)
            self.topology.bindings[binding] = None

    def unbind_queue(
        self, queue: str, exchange: str, routing_key: str = "", arguments: Arguments = None
    ) -> None:
        """Undo `bind_queue` (`queue.unbind`)."""
        self.raw.unbind_queue(queue, exchange, routing_key, arguments)
        self.topology.bindings.pop(Binding(True, queue, exchange, routing_key, arguments), None)

    def purge_queue(self, name: str) -> int:
        """Remove all ready messages of a queue; returns how many (`queue.purge`)."""
        return self.raw.purge_queue(name)

    def delete_queue(self, name: str, if_unused: bool = False, if_empty: bool = False) -> int:
        """Delete a queue and return how many messages it held (`queue.delete`)."""
        count = self.raw.delete_queue(name, if_unused, if_empty)
        self.topology.forget_queue(name)
        return count
