"""What all exchange types share: their bindings. Knows nothing of publishing, queues or channels.

An exchange says which destinations a message goes to; following exchanges, counting every queue
once and alternate exchanges are the router's business. None of this is thread-safe: the broker's
lock is held by whoever calls.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias

from ..fields import type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Sequence

    from ..fields import FieldValue, Table
    from ..message import Message
    from ..profile import Profile
    from ..queues.base import BaseQueue
    from ..timers import Timers

__all__ = [
    "Binding",
    "Destination",
    "Exchange",
    "ExchangeDeclaration",
    "ExchangeSurroundings",
    "HoldingPlace",
    "canonical",
]

Destination: TypeAlias = "BaseQueue | Exchange"
"""Where a binding leads to. Compared by identity."""

Identity: TypeAlias = "tuple[Destination, str, Hashable]"


@dataclass(slots=True, eq=False)
class ExchangeDeclaration:
    """What an exchange is declared with. `arguments` belongs to the exchange from then on."""

    name: str
    type: str = "direct"
    durable: bool = False
    auto_delete: bool = False
    internal: bool = False
    arguments: Table = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class ExchangeSurroundings:
    """What a virtual host lends to its exchanges.

    `now` gives milliseconds since the epoch. `release` takes a message that an exchange held and
    whose time has come: it routes it from that exchange and puts it into the queues.
    """

    profile: Profile
    timers: Timers
    now: Callable[[], int]
    release: Callable[[Exchange, Message], None]


@dataclass(slots=True, eq=False)
class Binding:
    """A way from an exchange to a destination. Unchanging; `arguments` are not copied.

    `identity` is equal for what AMQP takes for the same binding of one exchange. `place` grows
    with the order in which the exchange got its bindings.
    """

    source: Exchange
    destination: Destination
    routing_key: str
    arguments: Table
    identity: Identity = field(init=False, repr=False)
    place: int = field(init=False, repr=False, default=0)

    def __post_init__(self) -> None:
        self.identity = _identity(self.destination, self.routing_key, self.arguments)

    @property
    def lasting(self) -> bool:
        """Whether it outlives the broker: between ends that do (SEMANTICS 125)."""
        return self.source.lasting and self.destination.lasting


class HoldingPlace(Protocol):
    """What a durable exchange that holds messages reports to."""

    def held(self, message: Message, arrival: int, due: int) -> None:
        """It holds a message until a time (milliseconds since the epoch)."""

    def released(self, message: Message, arrival: int) -> None:
        """It does not hold the message any more."""


class Exchange(ABC):
    """A named rule from messages to destinations.

    `alternate` is the name of the alternate exchange in force: the argument, until the virtual
    host sets it from a policy. `memo` is filled and emptied by the router; reading it is the
    fast path of publishing. Where `routes_by_key` is false the destinations depend on more than
    the routing keys, so that no walk across the exchange may be remembered.
    """

    __slots__ = (
        "_bindings",
        "_by_destination",
        "_next_place",
        "alternate",
        "arguments",
        "auto_delete",
        "durable",
        "internal",
        "memo",
        "name",
        "place",
        "routes_by_key",
    )

    type: ClassVar[str]

    def __init__(self, declaration: ExchangeDeclaration, world: ExchangeSurroundings) -> None:
        self.name = declaration.name
        self.durable = declaration.durable
        self.auto_delete = declaration.auto_delete
        self.internal = declaration.internal
        self.arguments = declaration.arguments
        alternate = declaration.arguments.get("alternate-exchange")
        self.alternate: str | None = alternate if isinstance(alternate, str) else None
        self.memo: dict[str, tuple[BaseQueue, ...]] = {}
        self.routes_by_key = True
        self.place: HoldingPlace | None = None
        """Where it keeps what it holds, if that has to outlive the process."""
        self._bindings: dict[Identity, Binding] = {}
        self._by_destination: dict[Destination, dict[Identity, Binding]] = {}
        self._next_place = 0

    @property
    def lasting(self) -> bool:
        """Whether it outlives the broker."""
        return self.durable

    def bind(self, binding: Binding) -> bool:
        """Add a binding; False if there is the same already. O(1).

        Raises `PreconditionFailed`, before anything changes, for what this type cannot match.
        """
        if binding.identity in self._bindings:
            return False
        self.validate(binding)
        self._next_place += 1
        binding.place = self._next_place
        self._bindings[binding.identity] = binding
        self._by_destination.setdefault(binding.destination, {})[binding.identity] = binding
        self._add(binding)
        return True

    def find(self, destination: Destination, routing_key: str, arguments: Table) -> Binding | None:
        """The binding like this that there is. O(1)."""
        return self._bindings.get(_identity(destination, routing_key, arguments))

    def leads_to(self, destination: Destination) -> bool:
        """Whether there is any binding to a destination. O(1)."""
        return destination in self._by_destination

    def unbind(self, destination: Destination, routing_key: str, arguments: Table) -> bool:
        """Remove a binding; False if there is none like it. O(1)."""
        binding = self._bindings.pop(_identity(destination, routing_key, arguments), None)
        if binding is None:
            return False
        others = self._by_destination[destination]
        del others[binding.identity]
        if not others:
            del self._by_destination[destination]
        self._remove(binding)
        return True

    def unbind_all(self, destination: Destination) -> int:
        """Remove all bindings to a destination, and say how many. O(those removed)."""
        removed = self._by_destination.pop(destination, {})
        for identity, binding in removed.items():
            del self._bindings[identity]
            self._remove(binding)
        return len(removed)

    @property
    def bindings(self) -> Collection[Binding]:
        """All bindings in the order in which they were added. A view: not to be kept."""
        return self._bindings.values()

    @property
    def is_bound(self) -> bool:
        """Whether there is any binding from this exchange."""
        return bool(self._bindings)

    @abstractmethod
    def match(self, message: Message, keys: tuple[str, ...]) -> Sequence[Destination]:
        """The destinations of a message with these routing keys, the message's own first.

        In the order of the bindings for each key; a destination may come more than once.
        """

    def holds(self, message: Message) -> bool:
        """Whether `hold` would keep the message; nothing is kept by asking."""
        return False

    def hold(self, message: Message) -> bool:
        """Keep the message for later if this type does that; False: route it now."""
        return False

    def delete(self) -> None:  # noqa: B027 -- most types hold nothing
        """Give up what the exchange holds, as it was deleted."""

    def validate(self, binding: Binding) -> None:  # noqa: B027 -- most types take any binding
        """Raise `PreconditionFailed` for a binding that this type cannot match."""

    def _add(self, binding: Binding) -> None:  # noqa: B027 -- some types match `bindings`
        """Take a new binding into what `match` looks at."""

    def _remove(self, binding: Binding) -> None:  # noqa: B027 -- some types match `bindings`
        """Take a binding out of what `match` looks at."""

    def _check(self) -> None:
        """Assert the invariants; for tests."""
        grouped = 0
        for destination, group in self._by_destination.items():
            assert group
            assert all(binding.destination is destination for binding in group.values())
            assert all(self._bindings[identity] is group[identity] for identity in group)
            grouped += len(group)
        assert grouped == len(self._bindings)
        places = [binding.place for binding in self._bindings.values()]
        assert places == sorted(set(places))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {len(self.bindings)} bindings>"


def canonical(value: FieldValue) -> Hashable:
    """A hashable form of a field value, equal for equal values of one AMQP type only.

    Python takes 1, 1.0, True and Decimal(1) for equal; AMQP does not. Raises TypeError for what
    no field can hold.
    """
    kind = type_name(value)
    if isinstance(value, Mapping):
        return kind, tuple((key, canonical(value[key])) for key in sorted(value))
    if isinstance(value, list | tuple):
        return kind, tuple(canonical(member) for member in value)
    if isinstance(value, datetime):
        return kind, int(value.timestamp())
    if isinstance(value, float):
        return kind, repr(value)
    return kind, bytes(value) if isinstance(value, bytearray) else value


def _identity(destination: Destination, routing_key: str, arguments: Table) -> Identity:
    # Nearly all bindings have no arguments, and the empty tuple is not what any table becomes.
    return destination, routing_key, canonical(arguments) if arguments else ()
