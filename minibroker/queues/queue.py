"""The classic queue: ready entries meet waiting consumers, and limits and deadlines apply.

Knows nothing of exchanges or of how a dead-lettered message travels on. Between two calls either
no consumer is waiting or no entry is ready; a queue speaks to its surroundings only in that state.
Source: RabbitMQ documentation, "Time-To-Live", "Queue Length Limit", "Priority Queue Support".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .consumers import ASKED
from .entry import Entry, KeptEntry
from .kept import KeptQueue
from .ready import Fifo

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..arguments import QueueDeclaration, QueueKind, QueueSettings
    from ..connection import Connection
    from ..message import Message
    from ..timers import Timer
    from .base import Place, Surroundings
    from .consumers import Consumer

__all__ = ["Queue"]


class Queue(KeptQueue):
    """A classic queue.

    `plain` says that no rule but order applies to new messages; publishing to such a queue is the
    path that the call budget counts.
    """

    __slots__ = ("deadline", "plain")

    kind: ClassVar[QueueKind] = "classic"
    keeps_places: ClassVar[bool] = True
    drops_before_dealing: ClassVar[bool] = True
    """Of a requeue into a full queue: whether the limits come before the waiting consumers."""

    looks_behind: ClassVar[bool] = False
    """Whether an entry behind others may expire as it comes in, because its priority has put it
    before them; RabbitMQ's classic queues do not look (`rabbit_amqqueue_process`)."""

    def __init__(
        self,
        declaration: QueueDeclaration,
        settings: QueueSettings,
        world: Surroundings,
        owner: Connection | None = None,
        place: Place | None = None,
    ) -> None:
        self.deadline: Timer | None = None
        self.plain = True
        super().__init__(declaration, settings, world, owner, place)
        self._choose_path()

    def _choose_path(self) -> None:
        settings = self.settings
        self.weighs = settings.max_length_bytes is not None
        limited = settings.max_length is not None or self.weighs
        self.plain = not limited and settings.message_ttl is None

    # -- in

    def push(self, message: Message) -> bool:
        """Take a message in. False: refused, the publisher gets a nack."""
        if not self.plain or message.ttl is not None:
            return self._push_by_rules(message)
        self.seq = seq = self.seq + 1
        entry = Entry(self, message, seq)
        if self.ledger is not None:
            self.ledger.entered(entry)
        if self.waiting:
            self.deal(entry)
        else:
            self.ready.append(entry)
        return True

    def _push_by_rules(self, message: Message) -> bool:
        overflow = self.settings.overflow
        if overflow != "drop-head" and self._overflows(1, len(message.body)):
            if overflow == "reject-publish-dlx" and self.settings.dead_letter_exchange is not None:
                self.world.dead_letter(self, message, "maxlen")
            return False
        entry = self._enter(message)
        if self.ledger is not None:
            self.ledger.entered(entry)
        if self.waiting:
            self.deal(entry)
            return True
        self.ready.append(entry)
        if self.weighs:
            self.ready_bytes += len(message.body)
        dropped = self._over_limits()
        for given_up in dropped:
            self.drop(given_up, "maxlen")
        if self.expiring and (dropped or self.looks_behind or len(self.ready) == 1):
            self._expire(self.world.now())
        return True

    def _enter(self, message: Message) -> Entry:
        """A new entry, with its expiry: the earlier of queue TTL and message expiration."""
        self.seq = seq = self.seq + 1
        ttl = self.settings.message_ttl
        if message.ttl is not None:
            ttl = message.ttl if ttl is None else min(ttl, message.ttl)
        if ttl is None:
            return Entry(self, message, seq)
        self.expiring = True
        return KeptEntry(self, message, seq, self.world.now() + ttl)

    def requeue(self, entries: list[Entry], cause: str) -> None:
        """Return entries that were handed out to their original places."""
        self._put_back(
            [
                KeptEntry(self, entry.message, entry.seq, entry.expires, redelivered=True)
                for entry in entries
            ],
            self.ready.put_back,
        )

    def _put_back(self, entries: list[KeptEntry], put: Callable[[Entry], None]) -> None:
        for entry in entries:
            put(entry)
            if self.weighs:
                self.ready_bytes += len(entry.message.body)
            if entry.expires is not None:
                self.expiring = True
        dropped = self._over_limits() if self.drops_before_dealing else []
        if self.expiring:
            self._arm()
        self.pump()
        for given_up in dropped:
            self.drop(given_up, "maxlen")
        self._settle_down()

    # -- out

    def pump(self, resumed: Consumer | None = None) -> None:
        """Deal ready entries, in order, to waiting consumers, in turn."""
        waiting, ready = self.waiting, self.ready
        if resumed is not None:
            if self.consumers.several:
                self.consumers.admit((resumed,))
            else:  # `admit` without the call: this is on the path of every ack at prefetch 1
                resumed.paused = False
                waiting.append(resumed)
        if self.expiring:
            self._deal_unexpired()
        while waiting:
            entry = ready.take()
            if entry is None:
                break
            if self.weighs:
                self.ready_bytes -= len(entry.message.body)
            self.deal(entry)

    def _deal_unexpired(self) -> None:
        """Deal as `pump` does, where entries may be due. What is due goes last of all."""
        now = self.world.now()
        looks = self.looks_behind or _is_due(self.deadline, now)
        expired: list[Entry] = []
        while self.waiting and (entry := self._take()) is not None:
            if looks and entry.expires is not None and entry.expires <= now:
                expired.append(entry)
                continue
            self.deal(entry)
            looks = True
        self._arm()
        for entry in expired:
            self.drop(entry, "expired")
        if looks and self.expiring:
            self._expire(now)

    def get(self) -> Entry | None:
        """Take the head for `basic.get`, None when nothing is ready."""
        if self.expiring:
            now = self.world.now()
            if self.looks_behind or _is_due(self.deadline, now):
                self._expire(now)
        entry = self._take()
        if self.expiring:
            self._arm()
        return entry

    def expire_head(self) -> None:
        """Drop what is due at the head, without waiting for its deadline to be noticed."""
        if self.expiring:
            self._expire(self.world.now())

    def _take(self) -> Entry | None:
        entry = self.ready.take()
        if entry is not None:
            self.consumers.emptied = ASKED  # in vain, or it would not have been here
            if self.weighs:
                self.ready_bytes -= len(entry.message.body)
        return entry

    def purge(self) -> int:
        """Remove what is ready, without dead-lettering it; how many entries that was."""
        count = len(self.ready)
        if count:
            self.consumers.emptied = ASKED
        held = self.ready.clear()
        self.ready_bytes = 0
        if self.ledger is not None:
            for entry in held:
                self.ledger.left(entry)
        self._arm()
        return count

    # -- limits and deadlines

    def _settle_down(self) -> None:
        """After entries came in: those over the limits leave, and those that are due expire."""
        for entry in self._over_limits():
            self.drop(entry, "maxlen")
        if self.expiring:
            self._expire(self.world.now())

    def _over_limits(self) -> list[Entry]:
        """The entries at the head that there is no room for, which have left their places."""
        taken: list[Entry] = []
        if self.settings.overflow == "drop-head":
            while self.ready and self._overflows(0, 0):
                entry = self._take()
                assert entry is not None
                taken.append(entry)
        return taken

    def _overflows(self, entries: int, size: int) -> bool:
        """Whether this much more is over a limit. Bodies and ready entries count, no others."""
        settings = self.settings
        if settings.max_length is not None and len(self.ready) + entries > settings.max_length:
            return True
        limit = settings.max_length_bytes
        return limit is not None and self.ready_bytes + size > limit

    def _arm(self) -> None:
        """Set the deadline of the head: classic queues expire only there."""
        head = self.ready.head()
        if head is None:
            self.expiring = False
        if head is None or head.expires is None:
            if self.deadline is not None:
                self.deadline.clear()
            return
        if self.deadline is None:
            self.deadline = self.world.timers.new(self._expire)
        if self.deadline.when != head.expires:
            self.deadline.set(head.expires)

    def _expire(self, now: int) -> None:
        expired: list[Entry] = []
        while (head := self.ready.head()) is not None:
            if head.expires is None or head.expires > now:
                break
            self._take()
            expired.append(head)
        self._arm()
        for entry in expired:
            self.drop(entry, "expired")

    def reconfigure(self, settings: QueueSettings) -> None:
        """A policy changed what applies: limits at once, a TTL to what is published from now on."""
        before, self.settings = self.settings, settings
        self._choose_path()
        if self.weighs:
            self.ready_bytes = sum(len(entry.message.body) for entry in self.ready)
        if before.expires != settings.expires:
            self.touch()
        self._settle_down()

    def _check(self) -> None:
        super()._check()
        self.ready._check()
        assert not (self.waiting and self.ready), "a consumer waits while entries are ready"
        if self.weighs:
            weight = sum(len(entry.message.body) for entry in self.ready)
            assert self.ready_bytes == weight, f"{self.ready_bytes} bytes kept, {weight} there"
        if not self.expiring:
            assert all(entry.expires is None for entry in self.ready), "an expiry nobody watches"
        head = self.ready.head()
        due = None if head is None else head.expires
        # An entry of a higher priority may have pushed in before the one that the deadline is for.
        if due is not None and isinstance(self.ready, Fifo):
            assert self.deadline is not None, "no deadline"
            assert self.deadline.when == due, "deadline off"


def _is_due(deadline: Timer | None, now: int) -> bool:
    """Whether the head is to be looked at before it goes out; see `looks_behind`."""
    return deadline is not None and deadline.when is not None and deadline.when <= now
