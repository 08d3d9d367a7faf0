"""The quorum queue: it counts how often an entry came back, and gives up on it at a limit.

There is no cluster here, so nothing is replicated: this is what a client of a quorum queue sees.
Source: RabbitMQ documentation, "Quorum Queues" (poison messages, priorities, delayed retry).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..lettered import Long
from .entry import KeptEntry
from .queue import Queue
from .ready import StrictLevels, TwoLevels

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..arguments import QueueKind
    from ..message import Message
    from ..timers import Timer
    from .base import BaseQueue
    from .consumers import Consumer
    from .entry import Entry
    from .ready import Ready

__all__ = ["QuorumEntry", "QuorumQueue", "count_consumers"]

DEFAULT_PREFETCH = 2000
"""What no limit means here."""
DEFAULT_PRIORITY = 4
TOP_PRIORITY = 31


class QuorumEntry(KeptEntry):
    """An entry of a quorum queue, which knows its message without the headers of its delivery."""

    __slots__ = ("acquired", "published")

    published: Message
    acquired: int


class QuorumQueue(Queue):
    """A quorum queue."""

    __slots__ = ("delayed",)

    kind: ClassVar[QueueKind] = "quorum"
    keeps_places: ClassVar[bool] = False
    drops_before_dealing: ClassVar[bool] = False
    looks_behind: ClassVar[bool] = True

    def _make_ready(self) -> Ready:
        self.delayed: dict[QuorumEntry, Timer] = {}
        """Returned entries that wait for their retry."""
        self.consumers.by_priority = self.world.profile.quorum_takeover_by_priority
        priorities = self.world.profile.quorum_priorities
        if priorities == "strict":
            return StrictLevels(TOP_PRIORITY, DEFAULT_PRIORITY, self._new_fifo)
        return TwoLevels(self._new_fifo) if priorities == "two-levels" else super()._make_ready()

    def _choose_path(self) -> None:
        super()._choose_path()
        self.plain = False

    def _enter(self, message: Message) -> QuorumEntry:
        plain = super()._enter(message)
        return self._kept(message, plain.seq, plain.expires)

    def revive(
        self,
        message: Message,
        seq: int,
        expires: int | None,
        deliveries: int = 0,
        acquired: int = 0,
    ) -> QuorumEntry:
        """An entry that was not held as an object for a while, or comes from before a restart."""
        return self._kept(message, seq, expires, deliveries, acquired)

    def _kept(
        self,
        message: Message,
        seq: int,
        expires: int | None,
        deliveries: int = 0,
        acquired: int = 0,
    ) -> QuorumEntry:
        entry = QuorumEntry(self, message, seq, expires, acquired > 0, deliveries)
        entry.published = message
        entry.acquired = acquired
        return entry

    def original(self, entry: Entry) -> Message:
        """The message without its delivery count, which does not travel on with it."""
        return entry.published if isinstance(entry, QuorumEntry) else entry.message

    # -- out

    def subscribe(self, consumer: Consumer) -> None:
        """A new consumer; one without a prefetch limit gets one."""
        if not consumer.no_ack and not consumer.prefetch:
            consumer.credit = DEFAULT_PREFETCH
        super().subscribe(consumer)

    def deal(self, entry: Entry) -> None:
        """Hand an entry to the next consumer, with its delivery count once it came back."""
        self._count_in_headers(entry, show_none=False)
        super().deal(entry)

    def get(self) -> Entry | None:
        """Take the head for `basic.get`, with its delivery count from 0 on."""
        entry = super().get()
        if entry is not None:
            self._count_in_headers(entry, show_none=True)
        return entry

    def _count_in_headers(self, entry: Entry, show_none: bool) -> None:
        assert isinstance(entry, QuorumEntry)
        counts = {"x-delivery-count": Long(entry.deliveries)}
        if not self.world.profile.nack_counts_delivery:  # then the two numbers differ
            counts["x-acquired-count"] = Long(entry.acquired)
        shown = {name: count for name, count in counts.items() if count or show_none}
        if shown:
            entry.message = entry.published.with_headers(shown)

    # -- back

    def requeue(self, entries: list[Entry], cause: str) -> None:
        """Return entries, one delivery older; those over the delivery limit are given up.

        With a delivery limit they go out before all that did not come back; without one, only if
        the consumer was lost, and behind all others otherwise (RabbitMQ 3.10, observed).
        """
        counts = cause != "nack" or self.world.profile.nack_counts_delivery
        limit = self.settings.delivery_limit
        to_the_tail = limit is None and cause != "lost"
        back: list[KeptEntry] = []
        given_up: list[Entry] = []
        for entry in entries:
            assert isinstance(entry, QuorumEntry)
            self.seq += 1  # they stand in the order in which they came back
            older = self._kept(
                entry.published,
                self.seq,
                entry.expires,
                entry.deliveries + counts,
                entry.acquired + 1,
            )
            delay = self._delay_of(older, cause)
            due = self.world.now() + delay if delay else None
            if self.place is not None:
                self.place.returned(entry, older, due, to_the_tail)
            if limit is not None and older.deliveries > limit:
                given_up.append(older)
            elif due is not None:
                self.hold(older, due)
            else:
                back.append(older)
        self._put_back(back, self.ready.append if to_the_tail else self.ready.put_back)
        for entry in given_up:
            self.drop(entry, "delivery_limit")

    def _delay_of(self, entry: Entry, cause: str) -> int:
        """Milliseconds that a returned entry waits (delayed retry, RabbitMQ 4.3)."""
        settings = self.settings
        kind = settings.delayed_retry_type
        if kind == "disabled":
            return 0
        if kind != "all" and (kind == "returned") != (cause == "nack"):
            return 0
        delay = (settings.delayed_retry_min or 0) * max(entry.deliveries, 1)
        longest = settings.delayed_retry_max
        return delay if longest is None else min(delay, longest)

    def hold(self, entry: QuorumEntry, due: int) -> None:
        """Let a returned entry wait for its retry until a time (milliseconds since the epoch)."""

        def release(now: int) -> None:  # noqa: ARG001 -- the signature of a timer's callback
            del self.delayed[entry]
            self._put_back([entry], self.ready.put_back)

        timer = self.delayed[entry] = self.world.timers.new(release)
        timer.set(due)

    def purge(self) -> int:
        """Remove what is ready or waits for its retry."""
        held = len(self.delayed)
        for entry, timer in self.delayed.items():
            timer.clear()
            self.settle(entry)
        self.delayed.clear()
        return super().purge() + held


def count_consumers(queue: BaseQueue, handed_out: Iterable[Entry]) -> int:
    """How many hold or may get something, as RabbitMQ's quorum queues count (observed).

    `handed_out` is what is unacked anywhere in the virtual host. Cancelled consumers count while
    they hold something, and so does each `basic.get`; those that stand by for the single active
    consumer do not.
    """
    holders: set[object] = {
        (consumer.channel, consumer.tag) for consumer in queue.consumers.all if consumer.active
    }
    if queue.unacked:
        for entry in handed_out:
            if entry.queue is queue:
                consumer = entry.consumer
                holders.add(entry if consumer is None else (consumer.channel, consumer.tag))
    return len(holders)
