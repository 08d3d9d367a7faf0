"""What every kind of queue is: a name, its consumers, and the hand-over of an entry.

Knows nothing of how entries are kept or ordered, of exchanges, or of channels beyond the few
fields that a delivery touches.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from .consumers import Consumers
from .ledgers import both

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..arguments import QueueDeclaration, QueueKind, QueueSettings
    from ..connection import Connection
    from ..message import Message
    from ..profile import Profile
    from ..timers import Timer, Timers
    from .consumers import Consumer
    from .entry import Entry
    from .paged import Page

__all__ = ["BaseQueue", "Ledger", "Place", "Surroundings"]

DELIVERY_BYTES = 200
"""What a delivery counts besides its body where the outbox of a connection is bounded."""


class Ledger(Protocol):
    """Where a queue reports what it holds, for those who count or keep it."""

    def entered(self, entry: Entry) -> None:
        """The queue took responsibility for an entry."""

    def handed(self, entry: Entry) -> None:
        """A consumer has the entry, and has to settle it."""

    def left(self, entry: Entry) -> None:
        """The entry is settled, or dropped: the queue is done with it."""


class Place(Ledger, Protocol):
    """What a durable queue reports to, and gets its entries back from."""

    keeps_all: ClassVar[bool]
    """Whether messages are kept that were not published to outlive the broker."""
    queue: BaseQueue
    """Set by the queue when it is made."""

    def returned(self, entry: Entry, older: Entry, due: int | None, to_the_tail: bool) -> None:
        """An entry came back as another one, ready at once or `due` at a time (milliseconds)."""

    def can_park(self, entry: Entry) -> bool:
        """Whether the log has all there is to know of an entry."""
        raise NotImplementedError

    def spill(self, entries: Iterable[Entry]) -> bool:
        """Write transient messages into the log, so that they need not be held: whether any are."""
        raise NotImplementedError

    def page_end(self, position: int) -> int:
        """The position at which a page that begins at another one has to end."""
        raise NotImplementedError

    def parked(self, page: Page, entries: list[Entry]) -> None:
        """The entries of a page are not held in memory any more."""

    def unparked(self, entries: list[Entry]) -> None:
        """Entries that were loaded are held in memory from now on."""

    def load(self, page: Page) -> list[Entry]:
        """The entries of a page. Raises InternalError when the log cannot be read."""
        raise NotImplementedError

    def discarded(self, page: Page) -> None:
        """The entries of a page are settled, without being loaded."""


@dataclass(slots=True, eq=False)
class Surroundings:
    """What a queue is given by its virtual host: time, and ways to speak upwards."""

    now: Callable[[], int]
    """Milliseconds since the epoch."""
    timers: Timers
    profile: Profile
    dead_letter: Callable[[BaseQueue, Message, str], None]
    """Called with the queue, the message and the reason; the queue is consistent by then."""
    unused: Callable[[BaseQueue], None]
    """The queue expired, or lost its last consumer and is auto-delete: remove it."""
    ledger: Ledger | None = None
    """Who counts the entries of all queues."""


class BaseQueue(ABC):
    """A queue of any kind. Not thread-safe: the broker's lock is held around every call."""

    __slots__ = (
        "consumers",
        "declaration",
        "declared",
        "deleted",
        "expiry",
        "lasting",
        "ledger",
        "name",
        "owner",
        "place",
        "seq",
        "settings",
        "unacked",
        "waiting",
        "world",
    )

    kind: ClassVar[QueueKind]
    """The value of `x-queue-type` that makes one."""
    keeps: ClassVar[bool] = True
    """Whether an entry that no consumer can take stays where it is."""
    keeps_places: ClassVar[bool] = False
    """Whether a consumer that has credit again in time keeps its place in the turn."""

    def __init__(
        self,
        declaration: QueueDeclaration,
        settings: QueueSettings,
        world: Surroundings,
        owner: Connection | None = None,
        place: Place | None = None,
    ) -> None:
        self.name = declaration.name
        self.declaration = declaration
        self.lasting = declaration.lasting
        """Whether it outlives the broker."""
        self.declared = settings
        """The settings of the arguments alone."""
        self.settings = settings
        """The settings in force: those of the arguments, merged with the policies that apply."""
        self.world = world
        self.owner = owner
        """The connection that an exclusive queue belongs to."""
        self.place = place
        """Where the queue keeps what has to outlive the process."""
        if place is not None:
            place.queue = self
        self.ledger = both(world.ledger, place)
        self.seq = 0
        """The number of the last entry."""
        self.consumers = Consumers(settings.single_active_consumer, self.keeps_places)
        self.waiting = self.consumers.waiting
        self.unacked = 0
        self.deleted = False
        self.expiry: Timer | None = None
        self.touch()

    # -- what each kind does its own way

    @abstractmethod
    def push(self, message: Message) -> bool:
        """Take a message in. False: refused, the publisher gets a nack."""

    @abstractmethod
    def pump(self, resumed: Consumer | None = None) -> None:
        """Deal ready entries, in order, to waiting consumers, in turn.

        `resumed` is a consumer of the queue that was paused and has credit again.
        """

    @abstractmethod
    def get(self) -> Entry | None:
        """Take the head for `basic.get`, None when nothing is ready."""

    @abstractmethod
    def requeue(self, entries: list[Entry], cause: str) -> None:
        """Return entries that were handed out to their original places.

        `cause` is `nack`, `reject`, `recover` or `lost` (the channel ended).
        """

    @abstractmethod
    def purge(self) -> int:
        """Remove what is ready, without dead-lettering it; how many entries that was."""

    def page_out(self, written: int) -> None:  # noqa: B027 -- most queues keep nothing elsewhere
        """Hold only the head of the backlog; all before the position `written` can be read."""

    @property
    @abstractmethod
    def message_count(self) -> int:
        """How many entries are ready."""

    @abstractmethod
    def reconfigure(self, settings: QueueSettings) -> None:
        """A policy changed what applies to the queue."""

    # -- settling

    def settle(self, entry: Entry) -> None:
        """An entry that was handed out is done with."""
        if self.ledger is not None:
            self.ledger.left(entry)

    def drop(self, entry: Entry, reason: str) -> None:
        """Dead-letter an entry that has left its place, if there is a dead-letter exchange."""
        self.settle(entry)
        if self.settings.dead_letter_exchange is not None:
            self.world.dead_letter(self, self.original(entry), reason)

    def original(self, entry: Entry) -> Message:
        """The message of an entry as it was published, without what delivering it added."""
        return entry.message

    # -- consumers

    def deal(self, entry: Entry) -> None:
        """Hand an entry to the consumer whose turn it is."""
        waiting = self.waiting
        consumer = waiting[0]
        channel = consumer.channel
        entry.consumer = consumer
        channel.last_tag = entry.tag = tag = channel.last_tag + 1
        if consumer.no_ack:
            if self.ledger is not None:
                self.ledger.left(entry)
        else:
            if self.ledger is not None:
                self.ledger.handed(entry)
            channel.unacked[tag] = entry
            self.unacked += 1
            consumer.credit -= 1
        if self.consumers.several:
            self.consumers.served(consumer)
        elif not consumer.credit:
            waiting.popleft()
            consumer.paused = True
            self.consumers.emptied = self.seq
        if channel.watches and not consumer.no_ack:
            channel.delivered(entry)
        connection = channel.connection
        connection.outbox.append(entry)
        connection.room -= len(entry.message.body) + DELIVERY_BYTES
        if connection.room < 0 and not connection.congested:
            connection.congest()
        if connection.wake is not None:
            connection.wake()

    def subscribe(self, consumer: Consumer) -> None:
        """A new consumer, checked and ready to be served."""
        self.consumers.add(consumer)
        self.touch()
        self.pump()

    def unsubscribe(self, consumer: Consumer) -> None:
        """A consumer leaves; what it holds unacked stays so."""
        self.lose(consumer)
        if not self.deleted:
            self.pump()

    def lose(self, consumer: Consumer) -> None:
        """A consumer leaves. Nothing is dealt yet: what it holds may come back first."""
        before = len(self.consumers)
        self.consumers.remove(consumer)
        if before and not self.consumers.all and self.declaration.auto_delete:
            self.world.unused(self)
            return
        self.touch()

    # -- life and death

    def touch(self) -> None:
        """The queue was used: its `x-expires` begins anew.

        It runs while there is no consumer; declaring and `basic.get` count as use, publishing
        does not (RabbitMQ documentation, "Queue TTL").
        """
        if self.settings.expires is None or self.consumers.all or self.deleted:
            if self.expiry is not None:
                self.expiry.clear()
            return
        if self.expiry is None:
            self.expiry = self.world.timers.new(lambda _: self.world.unused(self))
        self.expiry.set(self.world.now() + self.settings.expires)

    def delete(self) -> list[Consumer]:
        """The queue is gone, with all that it holds; returns the consumers it had."""
        self.deleted = True
        self.touch()
        self.purge()
        return self.consumers.clear()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def _check(self) -> None:
        self.consumers._check()
        assert self.waiting is self.consumers.waiting
        assert self.unacked >= 0, f"{self.unacked} unacked"
