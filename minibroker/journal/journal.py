"""The journal: what has to outlive the process, as records that wait for the next commit.

The model reports here, under the broker's lock; `take` gives everything since the last commit to
whoever writes. Knows no thread and no disk, but the positions that records will have in the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..exchanges import DelayedExchange, Exchange
from ..message import copied
from ..store import FRAME_END, FRAME_HEADER, record
from . import facts, kinds
from .messages import MOST_PLACES, PENDING, Encoder, Several, encoded
from .places import ClassicPlace, HeldPlace, QueuePlace, QuorumPlace, StreamPlace

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..alarm import Alarm
    from ..arguments import QueueDeclaration
    from ..channel.state import ChannelState
    from ..exchanges import Binding
    from ..message import Message
    from ..properties import Properties
    from ..queues import BaseQueue, Entry
    from ..queues.paged import Page
    from ..store import Log
    from .facts import Fact
    from .messages import Item
    from .places import Place

__all__ = ["Batch", "Journal"]

SAID = 1 << 61
PLACES: dict[str, type[ClassicPlace | QuorumPlace | StreamPlace]] = {
    "classic": ClassicPlace,
    "quorum": QuorumPlace,
    "stream": StreamPlace,
}


@dataclass(slots=True, eq=False)
class Batch:
    """Everything since the last commit: one frame of the log."""

    position: int
    """Where the frame begins."""
    parts: list[bytes]
    """Records, to be joined."""
    confirms: dict[ChannelState, int]
    """Which publishes wait for the commit: the last one of each channel."""
    queues: list[BaseQueue]
    """The queues that something happened to."""
    entries: int
    """How many places the new messages have."""
    weight: int
    """Bytes of the new messages."""
    dropped: list[Message]
    """Messages of which a place is done with."""
    dropped_pages: list[Page]
    """Pages of which all places are done with."""


class Journal:
    """See `host.Journal`. Not thread-safe: the broker's lock is held around every call.

    What is reported is kept as it is, and becomes records when a batch is taken: a loop over a
    thousand messages takes a third of the time that a thousand calls do.
    """

    def __init__(
        self,
        log: Log,
        next_place: int,
        alarm: Alarm | None = None,
        compress_over: int | None = None,
    ) -> None:
        """`next_place` is the number of the next place, `alarm` who counts what is in memory.

        Bodies of `compress_over` bytes or more are compressed; None: none.
        """
        self.log = log
        self.alarm = alarm
        self.next_place = next_place
        self.items: list[Item] = []
        """New entries and other facts, in order."""
        self.confirms: dict[ChannelState, int] = {}
        """The publishes that wait for the commit: the last one of each channel."""
        self.touched: list[Place] = []
        self.dropped: list[Message] = []
        self.dropped_pages: list[Page] = []
        self.on_work: Callable[[], None] = lambda: None
        """Called when there is something to commit, or somebody waits for it."""
        self.waiter: Callable[[], None] = lambda: None
        """Waits for the commit of everything so far."""
        self.most = SAID - 1
        """Bytes waiting for a commit above which `on_full` is called, once for each batch."""
        self.room = self.most
        """What is left of them: whoever adds a message takes its bytes off, and calls `is_full`
        when there is none."""
        self.on_full: Callable[[], None] = lambda: None
        self._told = False
        self._encoder = Encoder(compress_over)
        self._frame = log.end

    # -- messages

    def entered_again(self, entry: Entry) -> None:
        """A place got an entry of a message that has a place already: they share its record.

        If something was reported in between, the message gets a record more, as a copy: what it
        caused in one queue happened before it came to the next one.
        """
        message = entry.message
        items = self.items
        last = items[-1] if items else None
        is_last = getattr(last, "message", None) is message
        if is_last and type(last) is Several and len(last.entries) < MOST_PLACES:
            last.entries.append(entry)
        elif is_last and type(last) is not Several:
            items[-1] = Several(message, [last, entry])
        else:
            message = entry.message = copied(message)
            message.position = PENDING
            items.append(entry)

    def is_full(self) -> None:
        """So much waits for the commit that those who add to it should wait."""
        self.room += 2 * SAID  # so that it is said once for each batch
        self.on_full()

    def prepare(self, properties: Properties) -> None:
        """Encode properties; see `host.Journal`."""
        encoded(properties)

    def awaited(self) -> None:
        """The first publisher since the last commit waits for the next one, or is about to."""
        self.on_work()

    def wait(self) -> None:
        """Wait for the commit of everything so far."""
        self.waiter()

    # -- what there is

    def append(self, fact: Fact) -> None:
        """Add a record."""
        self.items.append(fact)
        if not self._told:
            self._tell()

    def _tell(self) -> None:
        self._told = True
        self.on_work()

    def touch(self, place: Place) -> None:
        """A place has something to say when the next batch is taken."""
        self.touched.append(place)
        if not self._told:
            self._tell()

    def exchange_added(self, vhost: str, exchange: Exchange) -> None:
        """See `host.Journal`."""
        place = 0
        if isinstance(exchange, DelayedExchange):
            place = self.next_place
            self.next_place += 1
            exchange.place = HeldPlace(self, place)
        self.append(facts.exchange_added(vhost, exchange, place))

    def exchange_removed(self, vhost: str, exchange: Exchange) -> None:
        """See `host.Journal`."""
        self.append(facts.exchange_removed(vhost, exchange.name))

    def new_place(self, declaration: QueueDeclaration) -> QueuePlace[Any]:
        """See `host.Journal`."""
        kind = str(declaration.arguments.get("x-queue-type", "classic"))
        self.next_place += 1
        return self.place(kind, self.next_place - 1)

    def place(self, kind: str, number: int) -> QueuePlace[Any]:
        """The place of that number, for a queue of that kind."""
        return PLACES[kind](self, number)

    def queue_added(self, queue: BaseQueue) -> None:
        """See `host.Journal`."""
        self.append(facts.queue_added(queue, number_of(queue)))

    def queue_removed(self, queue: BaseQueue) -> None:
        """See `host.Journal`."""
        place = queue.place
        assert isinstance(place, QueuePlace)
        place.forget()  # what became of its entries is said by that it is gone
        self.append(facts.queue_removed(place.number))

    def bound(self, vhost: str, binding: Binding) -> None:
        """See `host.Journal`."""
        to_queue = not isinstance(binding.destination, Exchange)
        self.append(facts.bound(kinds.BOUND, vhost, binding, to_queue))

    def unbound(self, vhost: str, binding: Binding) -> None:
        """See `host.Journal`."""
        to_queue = not isinstance(binding.destination, Exchange)
        self.append(facts.bound(kinds.UNBOUND, vhost, binding, to_queue))

    # -- committing

    @property
    def size(self) -> int:
        """Bytes of messages that wait for the commit, about."""
        return self.most - (self.room if self.room < SAID else self.room - 2 * SAID)

    @property
    def has_work(self) -> bool:
        """Whether anything happened since the last commit."""
        return bool(self.items or self.touched)

    def take(self) -> Batch:
        """Everything since the last commit. What happens from now on is the next one."""
        items, self.items = self.items, []
        position, parts, entries, weight = self._encoder.encode(items, self._frame + FRAME_HEADER)
        queues: list[BaseQueue] = []
        touched, self.touched = self.touched, []
        for place in touched:
            for fact in place.records():
                data = record.encode(*fact)
                parts.append(data)
                position += len(data)
            if isinstance(place, QueuePlace):
                queues.append(place.queue)
        batch = Batch(
            self._frame,
            parts,
            self.confirms,
            queues,
            entries,
            weight,
            self.dropped,
            self.dropped_pages,
        )
        self.confirms = {}
        self.dropped, self.dropped_pages = [], []
        self.room = self.most
        self._told = False
        if parts:
            self._frame = position + FRAME_END
        return batch


def number_of(queue: BaseQueue) -> int:
    """The number of a queue's place."""
    assert isinstance(queue.place, QueuePlace)
    return queue.place.number
