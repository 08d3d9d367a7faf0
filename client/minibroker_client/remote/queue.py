"""A queue that lies in another system, as a queue of the broker's model.

Knows nothing of how messages travel: that is the `Exchanger`, which collects what goes out and
what is settled, and leases what comes in.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from minibroker.lettered import Long
from minibroker.queues import BaseQueue, Entry
from minibroker.queues.consumers import Consumers
from minibroker.queues.entry import KeptEntry

from .driver import Leased

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.arguments import QueueDeclaration, QueueKind, QueueSettings
    from minibroker.channel.consuming import Consuming
    from minibroker.connection import Connection
    from minibroker.message import Message
    from minibroker.queues import Surroundings
    from minibroker.queues.consumers import Consumer

__all__ = ["Exchanger", "RemoteEntry", "RemoteQueue"]

T = TypeVar("T")
UNLIMITED_AT_ONCE = 500
"""How many messages a consumer without a prefetch limit has leased and not looked at, at most."""


class Exchanger(Protocol):
    """What moves messages between the queues here and the system."""

    def ask(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call the driver; when it has lost the system the connection ends with that."""
        raise NotImplementedError

    def goes_out(self, queue: RemoteQueue, message: Message, expires: int | None) -> None:
        """A message is to be put into a queue."""

    def comes_back(self, entries: list[Entry]) -> None:
        """Entries are to be given back."""

    def take_one(self, queue: RemoteQueue) -> RemoteEntry | None:
        """Lease one message, if there is one."""
        raise NotImplementedError

    def size(self, queue: RemoteQueue) -> int:
        """How many messages are ready."""
        raise NotImplementedError

    def purge(self, queue: RemoteQueue) -> int:
        """Remove what is ready."""
        raise NotImplementedError

    # -- the ledger of every queue

    def entered(self, entry: Entry) -> None:
        """Nothing to do: what enters lies elsewhere."""

    def handed(self, entry: Entry) -> None:
        """A consumer has it."""

    def left(self, entry: Entry) -> None:
        """It is settled."""


class RemoteEntry(KeptEntry):
    """A message that is leased."""

    __slots__ = ("deadline", "lease", "lost")

    queue: RemoteQueue

    def __init__(
        self, queue: RemoteQueue, lease: Leased, message: Message, deadline: float
    ) -> None:
        count = lease.deliveries
        super().__init__(queue, message, queue.seq, lease.expires, count > 0, count)
        self.lease = lease
        self.deadline = deadline
        """When the lease ends for certain, by this process' monotonic clock."""
        self.lost = False
        """Whether the system said that somebody else has it."""


class RemoteConsumers(Consumers):
    """Consumers of a queue that does not know what is ready: nobody is asked in vain."""

    __slots__ = ()

    def _catch_up(self) -> None:
        pass


class RemoteQueue(BaseQueue):
    """A queue whose messages lie in another system."""

    kind: ClassVar[QueueKind] = "classic"

    def __init__(
        self,
        declaration: QueueDeclaration,
        settings: QueueSettings,
        world: Surroundings,
        owner: Connection | None,
        exchanger: Exchanger,
    ) -> None:
        super().__init__(declaration, settings, world, owner)
        self.exchanger = exchanger
        self.ledger = exchanger
        self.consumers = RemoteConsumers()
        self.waiting = self.consumers.waiting
        self.ready: deque[RemoteEntry] = deque()
        """Leased, and on the way to a consumer."""

    # -- in

    def push(self, message: Message) -> bool:
        """Send it on its way. What the system refuses is found out when it is sent."""
        ttl, own = message.ttl, self.settings.message_ttl
        if own is not None and (ttl is None or own < ttl):
            ttl = own
        expires = None if ttl is None else self.world.now() + ttl
        message.position = -1  # which makes a confirm wait, as for the log
        self.exchanger.goes_out(self, message, expires)
        return True

    # -- out

    def arrived(self, entry: RemoteEntry) -> None:
        """A message was leased for a consumer of this queue, or is given up: expired, or in vain
        too often.
        """
        if not self.given_up(entry):
            self.ready.append(entry)

    def given_up(self, entry: RemoteEntry) -> bool:
        """Whether it is too late for a message, which is dead-lettered then."""
        limit = self.settings.delivery_limit
        if entry.expires is not None and entry.expires <= self.world.now():
            self.drop(entry, "expired")
        elif limit is not None and entry.deliveries > limit:
            self.drop(entry, "delivery_limit")
        else:
            return False
        return True

    def entry(self, lease: Leased, deadline: float) -> RemoteEntry:
        """The entry of a leased message."""
        self.seq += 1
        message = lease.message
        if lease.deliveries and self.settings.kind == "quorum":
            message = message.with_headers({"x-delivery-count": Long(lease.deliveries)})
        return RemoteEntry(self, lease, message, deadline)

    @property
    def hunger(self) -> int:
        """How many messages its consumers would take now."""
        wanted = -len(self.ready)
        shared: dict[Consuming, int] = {}
        for consumer in self.waiting:
            channel = consumer.channel
            limit = channel.shared_limit
            if limit is None or not consumer.shares:
                wanted += min(consumer.credit, UNLIMITED_AT_ONCE)
                continue
            left = shared.setdefault(channel, limit - channel.shared_held)
            some = min(consumer.credit, left)
            shared[channel] -= some
            wanted += some
        return min(wanted, UNLIMITED_AT_ONCE)

    def pump(self, resumed: Consumer | None = None) -> None:
        """Deal what was leased to waiting consumers, in turn."""
        if resumed is not None:
            self.consumers.admit((resumed,))
        while self.ready and self.waiting:
            self.deal(self.ready.popleft())

    def get(self) -> RemoteEntry | None:
        """Lease one message for `basic.get`."""
        while (entry := self.exchanger.take_one(self)) is not None:
            if not self.given_up(entry):
                return entry
        return None

    # -- back

    def requeue(self, entries: list[Entry], cause: str) -> None:
        """Give them back to the system, in their order."""
        self.exchanger.comes_back(entries)
        self.pump()

    def original(self, entry: Entry) -> Message:
        """The message as it was published, without the count that delivering it added."""
        assert isinstance(entry, RemoteEntry)
        return entry.lease.message

    def lose(self, consumer: Consumer) -> None:
        """A consumer leaves; after the last one nothing is kept for anybody."""
        super().lose(consumer)
        if not self.consumers.all:
            self.release()

    def release(self) -> None:
        """Nobody consumes here any more: give back what was leased for them."""
        if self.ready:
            entries: list[Entry] = list(self.ready)
            self.ready.clear()
            self.exchanger.comes_back(entries)

    def purge(self) -> int:
        """Remove what is ready."""
        return 0 if self.deleted else self.exchanger.purge(self)

    @property
    def message_count(self) -> int:
        """How many messages are ready, as far as the system knows."""
        return 0 if self.deleted else self.exchanger.size(self)

    def reconfigure(self, settings: QueueSettings) -> None:
        """There are no policies here."""
        self.settings = settings
