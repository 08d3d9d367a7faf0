"""What a system has to do so that queues can lie in it. Knows no system and no rule of AMQP.

A driver belongs to one connection. Its methods block; `renew`, `ack` and `nack` may come from
another thread than the others, also while `lease` waits. Times are milliseconds where they are
integers and seconds where they are floats; `expires` is milliseconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minibroker.message import Message

__all__ = [
    "MIB",
    "Driver",
    "DriverError",
    "Facts",
    "Features",
    "Leased",
    "Outgoing",
    "Put",
    "QueueInfo",
    "Refused",
]

MIB = 1 << 20


class DriverError(Exception):
    """The system cannot be reached, or does not do what it must: the connection is lost.

    What a driver raises of its library's errors. The text is shown to the user.
    """


@dataclass(frozen=True, slots=True)
class Features:
    """What the system does by itself, or the driver honestly for it; what is False is refused."""

    priority: bool = False
    """`x-max-priority`: higher first; without it there is a queue for each level (`levels`)."""
    highest_priority: int = 255
    """The highest `x-max-priority`."""
    strict_order: bool = False
    """A message that is requeued comes again before all that are behind it."""
    delivery_count: bool = True
    """It knows how often a message was handed out."""
    fenced: bool = True
    """A late `ack` is told so, and does not settle another's lease."""
    wake_up: bool = False
    """`lease` sleeps until something comes; without it, it looks again and again."""
    max_message_size: int = 128 * MIB
    """Bytes of body that it takes."""
    longest_wait: float = 1.0
    """Seconds that `lease` is asked to wait at most: after that others' declarations are read."""
    batch: int = 100
    """How many messages one call of `put`, `ack` or `nack` takes at best."""
    refresh: float = 0.0
    """Seconds for which what is declared is believed to be as it was read; 0: `put` tells."""


class QueueInfo(NamedTuple):
    """A queue as it was declared."""

    name: str
    arguments: Mapping[str, Any]
    """`x-max-priority` and so on, checked."""


class Outgoing(NamedTuple):
    """A message on its way into one queue."""

    queue: str
    message: Message
    expires: int | None = None
    """When it expires."""
    delay: int = 0
    """For how many milliseconds nobody may lease it."""


class Leased(NamedTuple):
    """A message that this connection has until `ack`, `nack`, or the end of its lease."""

    queue: str
    token: Any
    """What the driver settles it by: a new one with each lease."""
    message: Message
    deliveries: int = 0
    """How often it was handed out before."""
    expires: int | None = None
    """When it expires, as it was put."""
    due: int | None = None
    """Nobody may have it before, where the system itself does not see to that."""


class Refused(NamedTuple):
    """A message of a batch that the system did not take."""

    place: int
    """Its number in the batch, from 0."""
    reason: str


@dataclass(slots=True)
class Put:
    """The answer to `put`."""

    version: object = None
    """That of what is declared, see `Facts.version`; None where that costs another call."""
    refused: list[Refused] = field(default_factory=list)
    """The others are there for good."""


class Facts(Protocol):
    """What is declared, as texts by key that all clients of the system see."""

    def version(self) -> object:
        """Another value after each change of the facts; None where that cannot be told."""
        ...

    def load(self) -> dict[str, str]:
        """All facts."""
        ...

    def add(self, key: str, value: str) -> str:
        """Add a fact unless there is one of that key; the value that is there then.

        Keys are up to a few hundred characters, values a little longer.
        """
        ...

    def remove(self, keys: Sequence[str]) -> None:
        """Remove facts; those that are not there are passed over."""
        ...


class Driver(Protocol):
    """One connection to a system. Each method raises `DriverError` when it is lost."""

    features: Features

    @property
    def lease_seconds(self) -> float:
        """How long a lease lasts unless it is renewed."""
        ...

    @property
    def facts(self) -> Facts:
        """What is declared there."""
        ...

    # -- queues

    def know(self, queue: QueueInfo) -> None:
        """A queue is there, or comes: called before it is used. Asks the system for nothing."""
        ...

    def declare(self, queue: QueueInfo) -> None:
        """Make what the queue needs in the system, unless it is there."""
        ...

    def delete(self, queue: str) -> None:
        """Delete it with its messages, if it is there."""
        ...

    def size(self, queue: str) -> int:
        """How many messages could be leased now, as far as the system knows."""
        ...

    def purge(self, queue: str) -> int:
        """Delete those, and return how many that were."""
        ...

    # -- messages

    def put(self, batch: Sequence[Outgoing]) -> Put:
        """Add messages to queues, in order; they are safe where the system keeps things safe."""
        ...

    def lease(self, wanted: Sequence[tuple[str, int]], wait: float) -> list[Leased]:
        """Take up to so many messages of each queue, waiting up to `wait` seconds for the first.

        Receiving and leasing is one step of the system. It may return early with nothing.
        """
        ...

    def ack(self, leases: Sequence[Leased]) -> list[Leased]:
        """Delete messages for good; returns those whose lease was lost, which stay."""
        ...

    def nack(self, leases: Sequence[Leased], delay: int = 0) -> None:
        """Give messages back at once, or so many milliseconds later; lost ones are passed over."""
        ...

    def renew(self, leases: Sequence[Leased]) -> list[Leased]:
        """Begin `lease_seconds` anew; returns those whose lease was lost."""
        ...

    def close(self) -> None:
        """End it. Raises nothing."""
        ...
