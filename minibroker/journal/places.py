"""Where a durable queue, or an exchange that holds messages, reports what becomes of its entries.

A place is known in the log by its number. It remembers what happened since the last commit, and
loads from the log what its queue does not hold as objects.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

from ..errors import InternalError, LogDamaged
from ..message import copied, spilled
from ..properties import PERSISTENT
from ..queues import Queue, QuorumQueue, Stream
from ..queues.entry import KeptEntry
from ..queues.paged import HELD
from ..queues.quorum import QuorumEntry
from . import facts
from .messages import PENDING, decode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..message import Message
    from ..queues import Entry
    from ..queues.paged import Page
    from .journal import Journal

__all__ = [
    "ClassicPlace",
    "HeldEntry",
    "HeldPlace",
    "Place",
    "QueuePlace",
    "QuorumPlace",
    "StreamPlace",
]


OFTEN = 0xFF
"""Every 256th transient message is a reason to look at the queue."""
RECORD = 100
"""Bytes that a record takes besides the body, about."""


QueueT = TypeVar("QueueT", bound=Queue | Stream)


class Place:
    """A number in the log, and what happened to its entries since the last commit."""

    __slots__ = ("journal", "number", "settled", "touched")

    keeps_all: ClassVar[bool] = False
    """Whether messages are kept that were not published to outlive the broker."""

    def __init__(self, journal: Journal, number: int) -> None:
        self.journal = journal
        self.number = number
        self.settled: list[int] = []
        self.touched = False
        """Whether it is on the journal's list of places that have something to say."""

    def _touch(self) -> None:
        self.touched = True
        self.journal.touch(self)

    def entered(self, entry: Entry) -> None:
        """There is a new entry."""
        message = entry.message
        if message.properties.delivery_mode != PERSISTENT:
            if not self.keeps_all:
                if not entry.seq & OFTEN:
                    self.passed_over(entry)
                return
            # One of its own: queues that do not keep it would take its position for theirs.
            message = entry.message = copied(message)
        if not self.touched:
            self._touch()
        journal = self.journal
        if message.position:
            journal.entered_again(entry)
            return
        message.position = PENDING
        journal.items.append(entry)
        journal.room -= len(message.body) + RECORD
        if journal.room < 0:
            journal.is_full()

    def passed_over(self, entry: Entry) -> None:
        """Another 256 entries of transient messages have come, about."""

    def settle(self, seq: int, message: Message) -> None:
        """An entry is done with."""
        if message.position:
            if not self.touched:
                self._touch()
            self.settled.append(seq)
            self.journal.dropped.append(message)

    def records(self) -> list[tuple[int, bytes]]:
        """What happened since the last commit, besides new messages; it is forgotten here."""
        self.touched = False
        settled, self.settled = self.settled, []
        return [facts.settled(self.number, array("Q", settled))] if settled else []


class QueuePlace(Place, Generic[QueueT]):
    """What all kinds of queues report, and how their entries are loaded. See `queues.Place`."""

    __slots__ = ("delivered", "queue")

    queue: QueueT

    def __init__(self, journal: Journal, number: int) -> None:
        super().__init__(journal, number)
        self.delivered: list[int] = []

    # -- what happens to entries

    def handed(self, entry: Entry) -> None:
        """A consumer has an entry."""
        if entry.message.position:
            if not self.touched:
                self._touch()
            self.delivered.append(entry.seq)

    def left(self, entry: Entry) -> None:
        """The queue is done with an entry."""
        message = entry.message
        if message.position:
            if not self.touched:
                self._touch()
            self.settled.append(entry.seq)
            self.journal.dropped.append(message)

    def returned(self, entry: Entry, older: Entry, due: int | None, to_the_tail: bool) -> None:
        """Only quorum queues count."""

    def forget(self) -> None:
        """The queue is gone: what happened since the last commit does not matter."""
        self.settled = []
        self.delivered = []

    def records(self) -> list[tuple[int, bytes]]:
        """What happened since the last commit, besides new messages; it is forgotten here."""
        delivered, self.delivered = self.delivered, []
        # What is settled already need not be known to have been delivered.
        rest = set(delivered).difference(self.settled)
        said = [facts.delivered(self.number, array("Q", rest))] if rest else []
        return said + super().records()

    # -- what is not held as objects

    def can_park(self, entry: Entry) -> bool:
        """Whether the log has all there is to know of an entry: it never went out."""
        return entry.message.position > 0 and not (entry.redelivered or entry.deliveries)

    def passed_over(self, entry: Entry) -> None:
        """There may be so many that they have to be spilled, and be waited for."""
        if self.queue.message_count <= HELD:
            return
        if not self.touched:
            self._touch()
        self.journal.room -= (OFTEN + 1) * (len(entry.message.body) + RECORD)
        if self.journal.room < 0:
            self.journal.is_full()

    def spill(self, entries: Iterable[Entry]) -> bool:
        """Write transient messages into the log, so that they need not be held: whether any are.

        Entries that came back are passed over, as the log does not know that.
        """
        found = [
            entry
            for entry in entries
            if not (entry.message.position or entry.redelivered or entry.deliveries)
        ]
        journal, alarm = self.journal, self.journal.alarm
        for entry in found:
            if alarm is not None:
                alarm.left(entry)
            entry.message = spilled(entry.message)  # one of its own: other queues may hold it
            entry.message.position = PENDING
            if alarm is not None:
                alarm.entered(entry)
            journal.items.append(entry)
            journal.room -= len(entry.message.body) + RECORD
        if found and not self.touched:
            self._touch()
        return bool(found)

    def page_end(self, position: int) -> int:
        """A page lies in one segment, so that what it takes there is known."""
        return self.journal.log.find(position).end

    def parked(self, page: Page, entries: list[Entry]) -> None:
        """The entries of a page are not held in memory any more."""
        alarm = self.journal.alarm
        if alarm is not None:
            for entry in entries:
                alarm.left(entry)

    def load(self, page: Page) -> list[Entry]:
        """The entries of a page. Raises InternalError when the log cannot be read."""
        revive, number = self.queue.revive, self.number
        entries: list[Entry] = []
        try:
            read = self.journal.log.read(page.positions)
            for (_, payload), position in zip(read, page.positions, strict=True):
                message, seq, time = decode(payload, position, number)
                entries.append(revive(message, seq, time or None))
        except (LogDamaged, OSError, ValueError) as error:
            raise InternalError(f"{self.queue!r} cannot be read from the log: {error}") from error
        return entries

    def unparked(self, entries: list[Entry]) -> None:
        """Entries that were loaded are held in memory from now on."""
        alarm = self.journal.alarm
        if alarm is not None:
            for entry in entries:
                alarm.entered(entry)

    def discarded(self, page: Page) -> None:
        """The entries of a page are settled, without being loaded."""
        if not self.touched:
            self._touch()
        self.settled.extend(page.seqs)
        self.journal.dropped_pages.append(page)


class ClassicPlace(QueuePlace[Queue]):
    """The place of a classic queue: persistent messages alone are kept."""

    __slots__ = ()


class QuorumPlace(QueuePlace[QuorumQueue]):
    """The place of a quorum queue: every message is kept, and how often it came back."""

    __slots__ = ("came_back",)

    keeps_all = True

    def __init__(self, journal: Journal, number: int) -> None:
        super().__init__(journal, number)
        self.came_back: list[tuple[int, QuorumEntry, int | None, bool]] = []

    def entered(self, entry: Entry) -> None:
        """There is a new entry."""
        assert isinstance(entry, QuorumEntry)
        # The journal gets one of its own: delivering puts another message into the queue's.
        kept = KeptEntry(entry.queue, entry.message, entry.seq, entry.expires)
        super().entered(kept)
        entry.message = entry.published = kept.message

    def handed(self, entry: Entry) -> None:
        """A consumer has an entry."""
        if not self.touched:
            self._touch()
        self.delivered.append(entry.seq)

    def left(self, entry: Entry) -> None:
        """The queue is done with an entry."""
        self.settle(entry.seq, self.queue.original(entry))

    def returned(self, entry: Entry, older: Entry, due: int | None, to_the_tail: bool) -> None:
        """An entry came back as another one."""
        assert isinstance(older, QuorumEntry)
        if not self.touched:
            self._touch()
        self.came_back.append((entry.seq, older, due, to_the_tail))

    def records(self) -> list[tuple[int, bytes]]:
        """What happened since the last commit, besides new messages."""
        came_back, self.came_back = self.came_back, []
        # First what came back: settled and delivered are numbers that it may have got by that.
        rows = [_row(*each) for each in came_back]
        return [*([facts.returned(self.number, rows)] if rows else ()), *super().records()]


class StreamPlace(QueuePlace[Stream]):
    """The place of a stream: every message is kept, and only retention lets go of it."""

    __slots__ = ("let_go",)

    keeps_all = True

    def __init__(self, journal: Journal, number: int) -> None:
        super().__init__(journal, number)
        self.let_go = False

    def left(self, entry: Entry) -> None:
        """Retention let go of the oldest entry."""
        self.let_go = True
        if not self.touched:
            self._touch()
        self.journal.dropped.append(entry.message)

    def discarded(self, page: Page) -> None:
        """Retention let go of a page."""
        self.let_go = True
        if not self.touched:
            self._touch()
        self.journal.dropped_pages.append(page)

    def records(self) -> list[tuple[int, bytes]]:
        """Where the stream begins now, if that changed."""
        self.touched = False
        if not self.let_go:
            return []
        self.let_go = False
        return [facts.stream(self.number, self.queue.offsets.first, self.queue.size)]


class HeldEntry:
    """A message that an exchange holds, in the shape of an entry."""

    __slots__ = ("expires", "message", "queue", "seq")

    def __init__(self, queue: HeldPlace, message: Message, seq: int, expires: int) -> None:
        self.queue = queue
        self.message = message
        self.seq = seq
        self.expires = expires


class HeldPlace(Place):
    """The place of an exchange that holds messages until they are due."""

    __slots__ = ()

    @property
    def place(self) -> HeldPlace:
        """Itself: it stands where an entry has its queue."""
        return self

    def held(self, message: Message, arrival: int, due: int) -> None:
        """The exchange holds a message until a time."""
        self.entered(cast("Entry", HeldEntry(self, message, arrival, due)))

    def released(self, message: Message, arrival: int) -> None:
        """The exchange does not hold it any more."""
        self.settle(arrival, message)


def _row(seq: int, older: QuorumEntry, due: int | None, to_the_tail: bool) -> list[object]:
    message = older.published
    place = older.seq, message.position, message.share
    return [seq, *place, older.deliveries, older.acquired, due, to_the_tail]
