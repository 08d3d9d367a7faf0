"""The declaring half of a channel on a channel of a broker in this process. Knows no error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from .base import Declared

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.channel import Channel

    from .base import Arguments

__all__ = ["Declarations", "table"]

P = ParamSpec("P")
T = TypeVar("T")


def table(arguments: Arguments) -> dict[str, Any] | None:
    """A copy: what is declared must not change when the caller's mapping does."""
    return None if arguments is None else dict(arguments)


class Declarations:
    """Declares, binds and deletes on the broker's own channel, `inner`."""

    inner: Channel

    def call(self, method: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the broker, dealing with errors; `method` is its name in AMQP: for subclasses."""
        raise NotImplementedError

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
        """exchange.declare."""
        self.call(
            "exchange.declare",
            self.inner.declare_exchange,
            name,
            type,
            passive=passive,
            durable=durable,
            auto_delete=auto_delete,
            internal=internal,
            arguments=table(arguments),
        )

    def delete_exchange(self, name: str, if_unused: bool = False) -> None:
        """exchange.delete."""
        self.call("exchange.delete", self.inner.delete_exchange, name, if_unused)

    def bind_exchange(
        self, destination: str, source: str, routing_key: str = "", arguments: Arguments = None
    ) -> None:
        """exchange.bind."""
        bind = self.inner.bind_exchange
        self.call("exchange.bind", bind, destination, source, routing_key, table(arguments))

    def unbind_exchange(
        self, destination: str, source: str, routing_key: str = "", arguments: Arguments = None
    ) -> None:
        """exchange.unbind."""
        unbind = self.inner.unbind_exchange
        self.call("exchange.unbind", unbind, destination, source, routing_key, table(arguments))

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
        """queue.declare."""
        declared = self.call(
            "queue.declare",
            self.inner.declare_queue,
            name,
            passive=passive,
            durable=durable,
            exclusive=exclusive,
            auto_delete=auto_delete,
            arguments=table(arguments),
        )
        return Declared(declared.queue, declared.message_count, declared.consumer_count)

    def bind_queue(
        self, queue: str, exchange: str, routing_key: str = "", arguments: Arguments = None
    ) -> None:
        """queue.bind."""
        bind = self.inner.bind_queue
        self.call("queue.bind", bind, queue, exchange, routing_key, table(arguments))

    def unbind_queue(
        self, queue: str, exchange: str, routing_key: str = "", arguments: Arguments = None
    ) -> None:
        """queue.unbind."""
        unbind = self.inner.unbind_queue
        self.call("queue.unbind", unbind, queue, exchange, routing_key, table(arguments))

    def purge_queue(self, name: str) -> int:
        """queue.purge."""
        return self.call("queue.purge", self.inner.purge_queue, name)

    def delete_queue(self, name: str, if_unused: bool = False, if_empty: bool = False) -> int:
        """queue.delete."""
        return self.call("queue.delete", self.inner.delete_queue, name, if_unused, if_empty)
