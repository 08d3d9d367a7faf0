"""What a queue keeps ready, in memory or as pages of the log, and gets back at a restart.

Knows nothing of what moves entries, nor of where pages lie: that is a `Place`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from .base import BaseQueue
from .entry import Entry, KeptEntry
from .paged import PagedFifo
from .ready import Fifo, Levels

if TYPE_CHECKING:
    from ..arguments import QueueDeclaration, QueueSettings
    from ..connection import Connection
    from ..message import Message
    from .base import Place, Surroundings
    from .paged import Piece
    from .ready import Ready

__all__ = ["KeptQueue"]


class KeptQueue(BaseQueue):
    """A queue with ready entries, which may outlive the process."""

    __slots__ = ("expiring", "ready", "ready_bytes", "weighs")

    def __init__(
        self,
        declaration: QueueDeclaration,
        settings: QueueSettings,
        world: Surroundings,
        owner: Connection | None = None,
        place: Place | None = None,
    ) -> None:
        self.expiring = False
        """Whether an entry with an expiry entered since the queue was last empty."""
        self.ready_bytes = 0
        """Bytes of ready bodies, kept while a limit on them applies."""
        self.weighs = False
        super().__init__(declaration, settings, world, owner, place)
        self.ready: Ready = self._make_ready()

    def _make_ready(self) -> Ready:
        top = self.settings.max_priority
        return self._new_fifo() if top is None else Levels(top, 0, self._new_fifo)

    def _new_fifo(self) -> Fifo:
        return Fifo() if self.place is None else PagedFifo(self.place)

    @property
    def message_count(self) -> int:
        """How many entries are ready."""
        return len(self.ready)

    @abstractmethod
    def _arm(self) -> None:
        """Set the deadline of the head."""

    def page_out(self, written: int) -> None:
        """Hold only the head of the backlog; all before the position `written` can be read."""
        self.ready.page_out(written)

    def revive(self, message: Message, seq: int, expires: int | None) -> Entry:
        """An entry that was not held as an object for a while, or comes from before a restart."""
        if expires is None:
            return Entry(self, message, seq)
        return KeptEntry(self, message, seq, expires)

    def restore(
        self, levels: dict[int, list[Piece]], came_back: list[Entry], seq: int, expiring: bool
    ) -> None:
        """Take over what was there before a restart, for an empty queue that nobody knows yet.

        `levels` are what never went out, by the priority of `Ready.level_of`; `came_back` is what
        did, and goes out first. `seq` was the last sequence number.
        """
        self.seq = seq
        for priority, pieces in levels.items():
            if pieces:
                self.ready.adopt(priority, pieces)
        for entry in came_back:
            self.ready.put_back(entry)
        if self.weighs:
            self.ready_bytes = sum(len(entry.message.body) for entry in self.ready)
        # What was unacked when the queue was written down did not count as expiring there.
        self.expiring = expiring or any(entry.expires is not None for entry in came_back)
        if self.expiring:
            self._arm()
