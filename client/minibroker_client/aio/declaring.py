"""The half of an awaited channel that declares, binds and deletes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..topology import Binding
from .queue import Queue

if TYPE_CHECKING:
    from ..transport.base import Arguments, Declared
    from .connection import Connection

__all__ = ["Declaring"]


class Declaring:
    """Declares; what comes back after a reconnect is recorded."""

    connection: Connection

    async def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the transport's channel."""
        raise NotImplementedError

    async def declare_queue(
        self,
        name: str = "",
        *,
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: Arguments = None,
    ) -> Queue:
        """Create a queue, or check that it is there and the same: an object to iterate over."""
        fields = {
            "durable": durable, "exclusive": exclusive, "auto_delete": auto_delete,
            "arguments": arguments,
        }  # fmt: skip
        declared: Declared = await self.call("declare_queue", name, passive=passive, **fields)
        if not passive:
            self.connection.topology.queues[declared.queue] = {"name": name, **fields}
        return Queue(self, declared)  # type: ignore[arg-type]  # it is a Channel

    async def declare_exchange(  # noqa: PLR0913 -- the fields of exchange.declare
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
        """Create an exchange, or check that it is there and the same."""
        fields = {
            "type": type, "durable": durable, "auto_delete": auto_delete, "internal": internal,
            "arguments": arguments,
        }  # fmt: skip
        await self.call("declare_exchange", name, passive=passive, **fields)
        if not passive:
            self.connection.topology.exchanges[name] = fields

    async def bind_queue(
        self, queue: str, exchange: str, routing_key: str = "", arguments: Arguments = None
    ) -> None:
        """Route from an exchange to a queue."""
        await self.call("bind_queue", queue, exchange, routing_key, arguments)
        binding = Binding(True, queue, exchange, routing_key, arguments)
        self.connection.topology.bindings[binding] = None

    async def unbind_queue(
        self, queue: str, exchange: str, routing_key: str = "", arguments: Arguments = None
    ) -> None:
        """Undo `bind_queue`."""
        await self.call("unbind_queue", queue, exchange, routing_key, arguments)
        binding = Binding(True, queue, exchange, routing_key, arguments)
        self.connection.topology.bindings.pop(binding, None)

    async def bind_exchange(
        self, destination: str, source: str, routing_key: str = "", arguments: Arguments = None
    ) -> None:
        """Route from exchange `source` to exchange `destination`."""
        await self.call("bind_exchange", destination, source, routing_key, arguments)
        binding = Binding(False, destination, source, routing_key, arguments)
        self.connection.topology.bindings[binding] = None

    async def unbind_exchange(
        self, destination: str, source: str, routing_key: str = "", arguments: Arguments = None
    ) -> None:
        """Undo `bind_exchange`."""
        await self.call("unbind_exchange", destination, source, routing_key, arguments)
        binding = Binding(False, destination, source, routing_key, arguments)
        self.connection.topology.bindings.pop(binding, None)

    async def delete_exchange(self, name: str, if_unused: bool = False) -> None:
        """Delete an exchange; with `if_unused` not when it has bindings."""
        await self.call("delete_exchange", name, if_unused)
        self.connection.topology.forget_exchange(name)

    async def purge_queue(self, name: str) -> int:
        """Remove all ready messages of a queue; returns how many."""
        count: int = await self.call("purge_queue", name)
        return count

    async def delete_queue(self, name: str, if_unused: bool = False, if_empty: bool = False) -> int:
        """Delete a queue and return how many messages it held."""
        count: int = await self.call("delete_queue", name, if_unused, if_empty)
        self.connection.topology.forget_queue(name)
        return count
