"""The half of a channel that declares, binds and deletes: AMQP's methods as calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minibroker.wire.amqp import spec

from ..transport.base import Declared
from .state import ChannelState

if TYPE_CHECKING:
    from ..transport.base import Arguments

__all__ = ["Declaring"]


class Declaring(ChannelState):
    """Declares, binds, unbinds, purges and deletes."""

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
    ) -> Any:
        """exchange.declare."""
        method = spec.ExchangeDeclare(
            name, type, passive, durable, auto_delete, internal, False, dict(arguments or {})
        )
        return self.call(method)

    def delete_exchange(self, name: str, if_unused: bool = False) -> Any:
        """exchange.delete."""
        return self.call(spec.ExchangeDelete(name, if_unused))

    def bind_exchange(
        self, destination: str, source: str, routing_key: str = "", arguments: Arguments = None
    ) -> Any:
        """exchange.bind."""
        fields = destination, source, routing_key, False, dict(arguments or {})
        return self.call(spec.ExchangeBind(*fields))

    def unbind_exchange(
        self, destination: str, source: str, routing_key: str = "", arguments: Arguments = None
    ) -> Any:
        """exchange.unbind."""
        fields = destination, source, routing_key, False, dict(arguments or {})
        return self.call(spec.ExchangeUnbind(*fields))

    def declare_queue(
        self,
        name: str = "",
        *,
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: Arguments = None,
    ) -> Any:
        """queue.declare."""
        method = spec.QueueDeclare(
            name, passive, durable, exclusive, auto_delete, False, dict(arguments or {})
        )
        return self.call(method, lambda answer: Declared(*answer))

    def bind_queue(
        self, queue: str, exchange: str, routing_key: str = "", arguments: Arguments = None
    ) -> Any:
        """queue.bind."""
        fields = queue, exchange, routing_key, False, dict(arguments or {})
        return self.call(spec.QueueBind(*fields))

    def unbind_queue(
        self, queue: str, exchange: str, routing_key: str = "", arguments: Arguments = None
    ) -> Any:
        """queue.unbind."""
        return self.call(spec.QueueUnbind(queue, exchange, routing_key, dict(arguments or {})))

    def purge_queue(self, name: str) -> Any:
        """queue.purge."""
        return self.call(spec.QueuePurge(name), _count)

    def delete_queue(self, name: str, if_unused: bool = False, if_empty: bool = False) -> Any:
        """queue.delete."""
        return self.call(spec.QueueDelete(name, if_unused, if_empty), _count)


def _count(answer: spec.QueuePurgeOk | spec.QueueDeleteOk) -> int:
    return answer.message_count
