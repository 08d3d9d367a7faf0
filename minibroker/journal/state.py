"""What a broker was when its log ended: built from a checkpoint and the records after it.

Plain data. Knows neither files nor the objects of the model: `restore` makes those of it.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..queues.paged import Page

__all__ = ["BindingKey", "Level", "PlaceState", "QueueState", "Row", "State"]

MANY = 1 << 16
"""Settled entries after which those that are known one by one are forgotten."""

BindingKey = tuple[str, str, bool, str, str, bytes]
"""Virtual host, source, whether to a queue, destination, routing key, arguments."""


def _numbers() -> array[int]:
    return array("Q")


@dataclass(slots=True)
class Level:
    """Entries of one priority in the order of their numbers: whole pages, and then single ones."""

    pages: list[Page] = field(default_factory=list)
    seqs: array[int] = field(default_factory=_numbers)
    positions: array[int] = field(default_factory=_numbers)
    shares: array[int] = field(default_factory=_numbers)

    def forget(self, gone: set[int]) -> None:
        """Drop the single entries with these numbers."""
        kept = [place for place, seq in enumerate(self.seqs) if seq not in gone]
        self.seqs = array("Q", [self.seqs[place] for place in kept])
        self.positions = array("Q", [self.positions[place] for place in kept])
        self.shares = array("Q", [self.shares[place] for place in kept])


@dataclass(slots=True)
class Row:
    """An entry that came back to a quorum queue, and what the queue counted."""

    position: int
    share: int
    deliveries: int
    acquired: int
    due: int | None
    """When its retry is (milliseconds since the epoch); None: it waits for nothing."""
    to_the_tail: bool


@dataclass(slots=True)
class PlaceState:
    """The entries of one queue, or the messages that one exchange holds."""

    by_priority: bool = False
    """Whether the entries are kept apart by priority."""
    is_stream: bool = False
    levels: dict[int, Level] = field(default_factory=dict)
    """By the priority in the records; by 0 where that is all the same."""
    settled: set[int] = field(default_factory=set)
    delivered: set[int] = field(default_factory=set)
    rows: dict[int, Row] = field(default_factory=dict)
    last_seq: int = 0
    expiring: bool = False
    """Whether an entry may have an expiry."""
    first: int = 0
    """The first offset of a stream."""
    size: int = 0
    """Bytes of the bodies in a stream."""

    def level(self, priority: int) -> Level:
        """The level of a priority."""
        key = priority if self.by_priority else 0
        level = self.levels.get(key)
        if level is None:
            level = self.levels[key] = Level()
        return level

    def settle(self, seqs: array[int]) -> None:
        """Entries are done with."""
        self.settled.update(seqs)
        if self.rows:
            for seq in seqs:
                self.rows.pop(seq, None)
        if len(self.settled) > MANY:
            self._forget_settled()

    def _forget_settled(self) -> None:
        """Drop what is settled; what stands in pages is looked at in the end."""
        for level in self.levels.values():
            level.forget(self.settled)
        self.delivered -= self.settled
        if not any(level.pages for level in self.levels.values()):
            self.settled.clear()

    def come_back(self, row: list[Any]) -> None:
        """An entry came back with another number."""
        old, new, *counts = row
        self.rows.pop(old, None)
        self.settled.add(old)
        self.rows[new] = Row(*counts)
        self.last_seq = max(self.last_seq, new)


@dataclass(slots=True)
class QueueState:
    """A durable queue."""

    place: int
    vhost: str
    name: str
    auto_delete: bool
    server_named: bool
    kind: str
    by_priority: bool
    arguments: bytes
    """As AMQP encodes a table."""


@dataclass(slots=True)
class State:
    """Everything that outlived the process; lists are the values of records, see `facts`."""

    vhosts: dict[str, None] = field(default_factory=lambda: {"/": None})
    exchanges: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    queues: dict[int, QueueState] = field(default_factory=dict)
    """By the number of their place."""
    bindings: dict[BindingKey, None] = field(default_factory=dict)
    users: dict[str, list[Any]] = field(default_factory=dict)
    passwords: dict[str, list[Any]] = field(default_factory=dict)
    permissions: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    policies: dict[tuple[str, str, bool], list[Any]] = field(default_factory=dict)
    limits: dict[str | None, list[Any]] = field(default_factory=dict)
    places: dict[int, PlaceState] = field(default_factory=dict)
    next_place: int = 1
    _bound: dict[tuple[str, bool, str], dict[BindingKey, None]] = field(default_factory=dict)
    """The bindings of each end: virtual host, whether it is a queue, name."""

    def add_place(self, number: int, place: PlaceState) -> None:
        """There is a place; numbers are never used again."""
        self.places[number] = place
        self.next_place = max(self.next_place, number + 1)

    def bind(self, key: BindingKey) -> None:
        """There is a binding."""
        self.bindings[key] = None
        for end in _ends(key):
            self._bound.setdefault(end, {})[key] = None

    def unbind(self, key: BindingKey) -> None:
        """It is gone; one that there is not is ignored."""
        if key in self.bindings:
            del self.bindings[key]
            for end in _ends(key):
                self._bound[end].pop(key, None)

    def remove_end(self, vhost: str, is_queue: bool, name: str) -> None:
        """A queue or exchange is gone: its bindings are, too."""
        for key in list(self._bound.pop((vhost, is_queue, name), ())):
            del self.bindings[key]
            for end in _ends(key):
                if end in self._bound:
                    self._bound[end].pop(key, None)

    def remove_exchange(self, vhost: str, name: str) -> None:
        """An exchange is gone, with what it held."""
        values = self.exchanges.pop((vhost, name), None)
        if values is not None:
            self.places.pop(values[-1], None)
        self.remove_end(vhost, False, name)

    def remove_queue(self, place: int) -> None:
        """A queue is gone, with its entries."""
        queue = self.queues.pop(place, None)
        self.places.pop(place, None)
        if queue is not None:
            self.remove_end(queue.vhost, True, queue.name)

    def remove_user(self, name: str) -> None:
        """A user is gone, with its permissions."""
        self.users.pop(name, None)
        self.passwords.pop(name, None)
        for key in [key for key in self.permissions if key[0] == name]:
            del self.permissions[key]

    def remove_vhost(self, name: str) -> None:
        """A virtual host is gone, with all that is in it."""
        self.vhosts.pop(name, None)
        self.limits.pop(name, None)
        for place in [each.place for each in self.queues.values() if each.vhost == name]:
            self.remove_queue(place)
        for vhost, exchange in [key for key in self.exchanges if key[0] == name]:
            self.remove_exchange(vhost, exchange)
        for key in [key for key in self.bindings if key[0] == name]:
            self.unbind(key)  # those between predeclared exchanges
        for user in [key for key in self.permissions if key[1] == name]:
            del self.permissions[user]
        for policy in [key for key in self.policies if key[0] == name]:
            del self.policies[policy]


def _ends(key: BindingKey) -> tuple[tuple[str, bool, str], tuple[str, bool, str]]:
    vhost, source, to_queue, destination, _, _ = key
    return (vhost, False, source), (vhost, to_queue, destination)
