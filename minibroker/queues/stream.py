"""The stream: entries stay when they are read, and every consumer reads from its own offset.

Knows nothing of exchanges. Source: RabbitMQ documentation, "Streams and Super Streams": reading
needs a prefetch limit and acks, acks only return credit, retention works from the head.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from ..lettered import Long
from .base import BaseQueue
from .entry import Entry
from .offsets import Offsets, StreamEntry

if TYPE_CHECKING:
    from ..arguments import QueueDeclaration, QueueKind, QueueSettings
    from ..connection import Connection
    from ..message import Message
    from ..timers import Timer
    from .base import Ledger, Place, Surroundings
    from .consumers import Consumer
    from .paged import Page

__all__ = ["Stream", "StreamEntry"]


class Stream(BaseQueue):
    """A stream. Entries are counted from offset 0."""

    __slots__ = ("aging", "offsets", "positions", "retained", "size")

    kind: ClassVar[QueueKind] = "stream"

    def __init__(
        self,
        declaration: QueueDeclaration,
        settings: QueueSettings,
        world: Surroundings,
        owner: Connection | None = None,
        place: Place | None = None,
    ) -> None:
        self.offsets = Offsets(place)
        self.size = 0
        """Bytes of the bodies."""
        self.positions: dict[Consumer, int] = {}
        """The offset that each consumer reads next."""
        self.aging: Timer | None = None
        """When the oldest entry is over `x-max-age`."""
        super().__init__(declaration, settings, world, owner, place)
        self.retained: Ledger | None = self.ledger
        self.ledger = None  # acks settle nothing here: retention alone tells the ledger

    @property
    def message_count(self) -> int:
        """How many entries the stream holds."""
        return len(self.offsets)

    def push(self, message: Message) -> bool:
        """Append a message, and let go of the oldest ones over the retention limits."""
        entry = StreamEntry(self, message, self.offsets.next, self.world.now())
        if self.retained is not None:
            self.retained.entered(entry)
        self.offsets.append(entry)
        self.size += len(message.body)
        self._retain(entry.time)
        self.pump()
        return True

    # -- reading

    def subscribe(self, consumer: Consumer) -> None:
        """A new reader, which says where to begin."""
        self.positions[consumer] = self._offset(consumer)
        super().subscribe(consumer)

    def lose(self, consumer: Consumer) -> None:
        """A reader leaves."""
        self.positions.pop(consumer, None)
        super().lose(consumer)

    def _offset(self, consumer: Consumer) -> int:
        """The offset that `x-stream-offset` means; without one a reader gets what comes next."""
        spec = consumer.settings.stream_offset
        if spec is None or spec == "next":
            return self.offsets.next
        if spec == "first":
            return self.offsets.first
        if spec == "last":
            return max(self.offsets.next - 1, self.offsets.first)
        if isinstance(spec, datetime):
            return self._offset_at(int(spec.timestamp() * 1000))
        if isinstance(spec, timedelta):
            return self._offset_at(self.world.now() - spec // timedelta(milliseconds=1))
        return max(int(spec), self.offsets.first)

    def _offset_at(self, time: int) -> int:
        offsets = range(self.offsets.first, self.offsets.next)
        return self.offsets.first + bisect_left(
            offsets, time, key=lambda offset: self.offsets.at(offset).time
        )

    def pump(self, resumed: Consumer | None = None) -> None:
        """Give every reader with credit what it has not read yet."""
        if resumed is not None:
            self.consumers.admit((resumed,))
        for consumer in list(self.waiting):
            while consumer in self.waiting:
                position = max(self.positions[consumer], self.offsets.first)
                if position >= self.offsets.next:
                    break
                self.positions[consumer] = position + 1
                self._deal_to(consumer, self.offsets.at(position))

    def _deal_to(self, consumer: Consumer, stored: Entry) -> None:
        # `deal` serves the first in turn; reading has no turns, so this one goes first.
        self.waiting.remove(consumer)
        self.waiting.appendleft(consumer)
        message = stored.message.with_headers({"x-stream-offset": Long(stored.seq)})
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
        while (
            age is not None
            and self.message_count
            and self.offsets.at(self.offsets.first).time + age <= now
        ):
            self._let_go()
        if age is not None and self.message_count:
            if self.aging is None:
                self.aging = self.world.timers.new(self._retain)
            self.aging.set(self.offsets.at(self.offsets.first).time + age)
        elif self.aging is not None:
            self.aging.clear()

    def _let_go(self) -> None:
        # Who counts what is in memory has heard that the others are not.
        told = self.retained if self.offsets.oldest_is_held else self.place
        entry = self.offsets.let_go()
        self.size -= len(entry.message.body)
        if told is not None:
            told.left(entry)

    def purge(self) -> int:
        """Remove all entries; offsets go on from where they were."""
        count = self.message_count
        held = self.offsets.clear()
        self.size = 0
        if self.retained is not None:
            for entry in held:
                self.retained.left(entry)
        self._retain(self.world.now())
        return count

    # -- what is held, and what was there before a restart

    def page_out(self, written: int) -> None:
        """Hold only the newest entries; all before the position `written` can be read."""
        self.offsets.page_out(written)

    def revive(self, message: Message, seq: int, time: int | None) -> StreamEntry:
        """An entry that was not held as an object for a while, or comes from before a restart."""
        return StreamEntry(self, message, seq, time or 0)

    def restore(self, pages: list[Page], next_offset: int, size: int) -> None:
        """Take over what was there before a restart: its pages, and the bytes of their bodies."""
        self.offsets.adopt(pages, next_offset)
        self.size = size
        self._retain(self.world.now())

    def reconfigure(self, settings: QueueSettings) -> None:
        """A policy changed the retention."""
        self.settings = settings
        self._retain(self.world.now())

    def _check(self) -> None:
        super()._check()
        self.offsets._check()
        entries = map(self.offsets.at, range(self.offsets.first, self.offsets.next))
        assert self.size == sum(len(entry.message.body) for entry in entries), "size is off"
        assert set(self.positions) == set(self.consumers.all), "a reader without a position"
