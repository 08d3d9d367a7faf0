"""The direct exchange and the default exchange. Knows nothing of the other types.

Source: AMQP 0-9-1 section 3.1.3.1; SEMANTICS 26, 41 and 47.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

from ..errors import AccessRefused
from .exchange import Binding, Exchange, ExchangeDeclaration

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from ..fields import Table
    from ..message import Message
    from ..queues.base import BaseQueue
    from .exchange import Destination, ExchangeSurroundings, Identity

__all__ = ["DefaultExchange", "DirectExchange"]


class DirectExchange(Exchange):
    """A message goes where the binding key is its routing key. Binding and matching are O(1)."""

    __slots__ = ("_table",)

    type: ClassVar[str] = "direct"

    def __init__(self, declaration: ExchangeDeclaration, world: ExchangeSurroundings) -> None:
        super().__init__(declaration, world)
        # A dict per key: adding to a tuple instead is quadratic where one key has many bindings,
        # and the router remembers a tuple anyway.
        self._table: dict[str, dict[Identity, Binding]] = {}

    def match(self, message: Message, keys: tuple[str, ...]) -> Sequence[Destination]:
        """The destinations whose binding key is one of the keys."""
        table = self._table
        return [
            binding.destination for key in keys if key in table for binding in table[key].values()
        ]

    def _add(self, binding: Binding) -> None:
        self._table.setdefault(binding.routing_key, {})[binding.identity] = binding

    def _remove(self, binding: Binding) -> None:
        bound = self._table[binding.routing_key]
        del bound[binding.identity]
        if not bound:
            del self._table[binding.routing_key]

    def _check(self) -> None:
        super()._check()
        assert all(self._table.values())
        found = [binding for bound in self._table.values() for binding in bound.values()]
        assert sorted(binding.place for binding in found) == [b.place for b in self.bindings]
        for key, bound in self._table.items():
            assert all(binding.routing_key == key for binding in bound.values())


class DefaultExchange(Exchange):
    """The exchange without a name: the routing key is the name of the queue.

    The virtual host keeps `memo` complete, queue name to `(queue,)`; the router leaves it alone.
    `fallback` is asked for a key that is no queue's name: the direct reply-to addresses.
    """

    __slots__ = ("fallback",)

    type: ClassVar[str] = "direct"

    def __init__(self, world: ExchangeSurroundings) -> None:
        super().__init__(ExchangeDeclaration("", durable=True), world)
        self.routes_by_key = False
        self.fallback: Callable[[str], BaseQueue | None] | None = None

    def bind(self, binding: Binding) -> NoReturn:
        """Raises `AccessRefused`: every queue is bound here by its name, and only so."""
        raise _refusal()

    def unbind(self, destination: Destination, routing_key: str, arguments: Table) -> NoReturn:
        """Raises `AccessRefused`: the bindings here cannot be removed."""
        raise _refusal()

    @property
    def bindings(self) -> Collection[Binding]:
        """One for each queue, by its name (41). O(queues)."""
        return [Binding(self, queue, name, {}) for name, (queue,) in self.memo.items()]

    def match(self, message: Message, keys: tuple[str, ...]) -> Sequence[Destination]:
        """The queues that have one of the keys as their name, or as their reply-to address."""
        found: list[Destination] = []
        for key in keys:
            queues = self.memo.get(key)
            if queues is not None:
                found.extend(queues)
            elif self.fallback is not None and (queue := self.fallback(key)) is not None:
                found.append(queue)
        return found

    def _check(self) -> None:
        super()._check()
        assert not self.is_bound
        for name, queues in self.memo.items():
            assert [queue.name for queue in queues] == [name]


def _refusal() -> AccessRefused:
    return AccessRefused("operation not permitted on the default exchange")
