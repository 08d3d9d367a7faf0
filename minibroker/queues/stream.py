"""The stream: entries stay when they are read, and every consumer reads from its own offset.

Knows nothing of exchanges. Source: RabbitMQ documentation, "Streams and Super Streams": reading
needs a prefetch limit and acks, acks only return credit, retention works from the head.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from .base import BaseQueue
from .entry import Entry

if TYPE_CHECKING:
    from ..arguments import QueueDeclaration, QueueKind, QueueSettings
    from ..connection import Connection
    from ..message import Message
    from ..timers import Timer
    from .base import Surroundings
    from .consumers import Consumer

__all__ = ["Stream", "StreamEntry"]


class StreamEntry(Entry):
    """A message at its offset in a stream (`seq` is the offset)."""

    __slots__ = ("time",)

    def __init__(self, queue: BaseQueue, message: Message, seq: int, time: int) -> None:
        super().__init__(queue, message, seq)
        self.time = time
        """Milliseconds since the epoch at which it was published."""


COMPACT = 1024
"""Places of entries that retention removed are reclaimed when there are so many, and as many as
there are entries left: amortised O(1), where a deque would make reading by offset O(n)."""


class Stream(BaseQueue):
    """A stream. Entries are counted from offset 0; `first` is the lowest that is still there."""

    __slots__ = ("aging", "gone", "log", "next_offset", "positions", "size")

    kind: ClassVar[QueueKind] = "stream"

    def __init__(
        self,
        declaration: QueueDeclaration,
        settings: QueueSettings,
        world: Surroundings,
        owner: Connection | None = None,
    ) -> None:
        self.log: list[StreamEntry | None] = []
        """By offset; the first `gone` places are empty."""
        self.gone = 0
        self.next_offset = 0
        self.size = 0
        """Bytes of the bodies."""
        self.positions: dict[Consumer, int] = {}
        """The offset that each consumer reads next."""
        self.aging: Timer | None = None
        """When the oldest entry is over `x-max-age`."""
        super().__init__(declaration, settings, world, owner)
        self.ledger = None  # acks settle nothing here: retention alone tells the ledger

    @property
    def message_count(self) -> int:
        """How many entries the stream holds."""
        return len(self.log) - self.gone

    @property
    def first(self) -> int:
        """The lowest offset that is there, or the next one."""
        return self.next_offset - self.message_count

    def at(self, offset: int) -> StreamEntry:
        """The entry at an offset from `first` up to the last one."""
        entry = self.log[offset - self.next_offset]
        assert entry is not None, f"nothing at offset {offset}"
        return entry

    def push(self, message: Message) -> bool:
        """Append a message, and let go of the oldest ones over the retention limits."""
        entry = StreamEntry(self, message, self.next_offset, self.world.now())
        self.next_offset += 1
        self.log.append(entry)
        self.size += len(message.body)
        if self.world.ledger is not None:
            self.world.ledger.entered(entry)
        self._retain(entry.time)
        self.pump()
        return True

    # -- reading

    def subscribe(self, consumer: Consumer) -> None:
        """A new reader, which says where to begin."""
        self.positions[consumer] = self._offset(consumer)
        super().subscribe(consumer)

    def unsubscribe(self, consumer: Consumer) -> None:
        """A reader leaves."""
        self.positions.pop(consumer, None)
        super().unsubscribe(consumer)

    def _offset(self, consumer: Consumer) -> int:
        """The offset that `x-stream-offset` means; without one a reader gets what comes next."""
        spec = consumer.settings.stream_offset
        if spec is None or spec == "next":
            return self.next_offset
        if spec == "first":
            return self.first
        if spec == "last":
            return max(self.next_offset - 1, self.first)
        if isinstance(spec, datetime):
            return self._offset_at(int(spec.timestamp() * 1000))
        if isinstance(spec, timedelta):
            return self._offset_at(self.world.now() - spec // timedelta(milliseconds=1))
        return max(int(spec), self.first)

    def _offset_at(self, time: int) -> int:
        offsets = range(self.first, self.next_offset)
        return self.first + bisect_left(offsets, time, key=lambda offset: self.at(offset).time)

    def pump(self, resumed: Consumer | None = None) -> None:
        """Give every reader with credit what it has not read yet."""
        if resumed is not None:
            self.consumers.admit(resumed)
        for consumer in list(self.waiting):
            while consumer in self.waiting:
                position = max(self.positions[consumer], self.first)
                if position >= self.next_offset:
                    break
                self.positions[consumer] = position + 1
                self._deal_to(consumer, self.at(position))

    def _deal_to(self, consumer: Consumer, stored: Entry) -> None:
        # `deal` serves the first in turn; reading has no turns, so this one goes first.
        self.waiting.remove(consumer)
        self.waiting.appendleft(consumer)
        message = stored.message.with_headers({"x-stream-offset": stored.seq})
        self.deal(Entry(self, message, stored.seq))

    def get(self) -> Entry | None:
        """Streams have no `basic.get`; `refusals` says so before it comes to this."""
        return None

    def requeue(self, entries: list[Entry], cause: str) -> None:
        """Nothing left the stream, so nothing comes back; the credit is returned already."""
        self.pump()

    def drop(self, entry: Entry, reason: str) -> None:
        """Rejecting an entry of a stream is acking it: it stays for the other readers."""

    # -- retention

    def _retain(self, now: int) -> None:
        limit, age = self.settings.max_length_bytes, self.settings.max_age
        while limit is not None and self.size > limit and self.message_count > 1:
            self._let_go()
        while age is not None and self.message_count and self.at(self.first).time + age <= now:
            self._let_go()
        self._compact()
        if age is not None and self.message_count:
            if self.aging is None:
                self.aging = self.world.timers.new(self._retain)
            self.aging.set(self.at(self.first).time + age)
        elif self.aging is not None:
            self.aging.clear()

    def _let_go(self) -> None:
        entry = self.at(self.first)
        self.log[self.gone] = None
        self.gone += 1
        self.size -= len(entry.message.body)
        if self.world.ledger is not None:
            self.world.ledger.left(entry)

    def _compact(self) -> None:
        if self.gone >= COMPACT and self.gone >= self.message_count:
            del self.log[: self.gone]
            self.gone = 0

    def purge(self) -> int:
        """Remove all entries; offsets go on from where they were."""
        count = self.message_count
        while self.message_count:
            self._let_go()
        self._retain(self.world.now())
        return count

    def reconfigure(self, settings: QueueSettings) -> None:
        """A policy changed the retention."""
        self.settings = settings
        self._retain(self.world.now())

    def _check(self) -> None:
        super()._check()
        entries = [self.at(offset) for offset in range(self.first, self.next_offset)]
        offsets = [entry.seq for entry in entries]
        assert offsets == list(range(self.first, self.next_offset)), "offsets have gaps"
        assert self.size == sum(len(entry.message.body) for entry in entries), "size is off"
        assert set(self.positions) == set(self.consumers.all), "a reader without a position"
