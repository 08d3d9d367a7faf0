"""What was declared on a connection, to be declared again on a new one. Knows no transport.

Recorded are the calls with their arguments. What is deleted is forgotten, with its bindings; an
auto-delete queue also when its last consumer here is cancelled, as the broker deletes it then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Binding", "Topology"]


class Binding(NamedTuple):
    """A binding of a queue, or of an exchange, to an exchange."""

    of_queue: bool
    destination: str
    source: str
    routing_key: str
    arguments: Mapping[str, Any] | None

    def __hash__(self) -> int:
        return hash((*self[:4], repr(self.arguments)))


class Topology:
    """Exchanges, queues and bindings, in the order in which they came. One thread at a time."""

    def __init__(self) -> None:
        self.exchanges: dict[str, dict[str, Any]] = {}
        """Arguments of `declare_exchange` by name."""
        self.queues: dict[str, dict[str, Any]] = {}
        """Arguments of `declare_queue` by the name that the queue got; `name` among them is that
        which was asked for, empty for one that the broker named."""
        self.bindings: dict[Binding, None] = {}

    def forget_exchange(self, name: str) -> None:
        """An exchange was deleted."""
        self.exchanges.pop(name, None)
        for each in list(self.bindings):
            if each.source == name or (not each.of_queue and each.destination == name):
                del self.bindings[each]

    def forget_queue(self, name: str) -> None:
        """A queue was deleted, or is going to be."""
        self.queues.pop(name, None)
        for each in list(self.bindings):
            if each.of_queue and each.destination == name:
                del self.bindings[each]

    def consumer_left(self, queue: str) -> None:
        """The last consumer of a queue on this connection was cancelled."""
        if self.queues.get(queue, {}).get("auto_delete"):
            self.forget_queue(queue)

    def rename(self, old: str, new: str) -> None:
        """The broker has given a queue another name."""
        self.queues[new] = self.queues.pop(old)
        renamed = (
            each._replace(destination=new) if each.of_queue and each.destination == old else each
            for each in self.bindings
        )
        self.bindings = dict.fromkeys(renamed)

    def exchange_steps(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What is to be called on a channel of a new connection first."""
        for name, arguments in list(self.exchanges.items()):
            yield "declare_exchange", {"name": name, **arguments}

    def binding_steps(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """As `exchange_steps`, once exchanges and queues are there."""
        for each in list(self.bindings):
            arguments = {"routing_key": each.routing_key, "arguments": each.arguments}
            if each.of_queue:
                names = {"queue": each.destination, "exchange": each.source}
                yield "bind_queue", {**names, **arguments}
            else:
                names = {"destination": each.destination, "source": each.source}
                yield "bind_exchange", {**names, **arguments}
