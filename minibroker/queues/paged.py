"""Ready entries first in, first out, of which only the head is held as objects.

What lies behind it is pages: the numbers of its entries and where their messages are in the log.
Knows nothing of the log: a `Place` loads a page when its turn comes.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence
from heapq import heappop
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from ..message import MarkedMessage, Message
from .entry import Entry
from .ready import Fifo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .base import Place

__all__ = ["HELD", "HELD_BYTES", "PAGE", "PAGE_BYTES", "Page", "PagedFifo", "Piece", "first_number"]

PAGE = 128
"""Entries in a page, at the most: 16 bytes each, where an entry as an object takes 350."""
PAGE_BYTES = 256 << 10
"""Bytes of a page's messages after which it takes no more."""
PLAIN = {Entry}
"""The types of entries of which the log knows everything."""
WHOLE = {Message, MarkedMessage}
"""The types of messages that outlive the process, if they are in the log."""
HELD = 512
"""Entries at the head, and as many at the tail, that are held as objects."""
HELD_BYTES = 512 << 10
"""Bytes of bodies that are held there, about."""


class Page:
    """Neighbouring entries of one queue, all in one segment of the log. Unchanging."""

    __slots__ = ("positions", "seqs", "spilled", "weight")

    def __init__(
        self, seqs: Sequence[int], positions: array[int], weight: int, spilled: bool = False
    ) -> None:
        self.seqs = seqs
        """In ascending order; a range where there are no gaps, which takes no room."""
        self.positions = positions
        """Where the messages are in the log, in ascending order."""
        self.weight = weight
        """Bytes that the entries take in the log."""
        self.spilled = spilled
        """Whether the messages are in the log only to be out of memory."""

    @classmethod
    def of(cls, entries: list[Entry]) -> Page:
        """The page of entries whose messages are in the log."""
        positions = array("Q", [entry.message.position for entry in entries])
        weight = sum(entry.message.share for entry in entries)
        return cls(_numbers(entries), positions, weight, entries[0].message.spilled)

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        return f"<Page of {len(self)} entries from {self.seqs[0]} on>"


Piece: TypeAlias = Page | Entry
"""What lies behind the head: a page, or an entry of which the log does not know everything."""


class PagedFifo(Fifo):
    """First in, first out: `fresh` is the head, then come the pieces `behind` it, then `tail`."""

    __slots__ = ("behind", "paged", "place", "tail")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.behind: deque[Piece] = deque()
        self.paged = 0
        """How many entries those are."""
        self.tail: deque[Entry] = deque()

    # -- out

    def take(self) -> Entry | None:
        """Remove and return the head, None when there is none. Raises as `Place.load`."""
        if self.returned:
            return heappop(self.returned)[1]
        if not self.fresh:
            self._refill()
        return self.fresh.popleft() if self.fresh else None

    def head(self) -> Entry | None:
        """The entry that goes out next. Raises as `Place.load`."""
        if self.returned:
            return self.returned[0][1]
        if not self.fresh:
            self._refill()
        return self.fresh[0] if self.fresh else None

    def _refill(self) -> None:
        if self.behind:
            piece = self.behind[0]
            # Loaded before anything changes: it may fail, and be tried again.
            entries = [piece] if not isinstance(piece, Page) else self.place.load(piece)
            if isinstance(piece, Page):
                self.place.unparked(entries)
            self.behind.popleft()
            self.paged -= len(entries)
            self.fresh.extend(entries)
        elif self.tail:
            self.fresh, self.tail = self.tail, self.fresh
            self.append = self.fresh.append

    # -- what is held

    def page_out(self, written: int) -> None:
        """Turn what lies behind the head into pages, where the log has it before `written`."""
        source = self.fresh if self.append == self.fresh.append else self.tail
        if not _is_too_much(source):
            return
        if source is self.fresh:
            self._split()
        while len(self.tail) >= PAGE or _is_too_much(self.tail):
            piece = self._next_piece(written)
            if piece is None:
                return
            self.behind.append(piece)
            self.paged += len(piece) if isinstance(piece, Page) else 1

    def _split(self) -> None:
        """Keep the head, and let the rest be the tail, which new entries join."""
        kept: deque[Entry] = deque()
        size = 0
        while self.fresh and len(kept) < PAGE and size < PAGE_BYTES:
            entry = self.fresh.popleft()
            kept.append(entry)
            size += len(entry.message.body)
        self.fresh, self.tail = kept, self.fresh
        self.append = self.tail.append

    def _next_piece(self, written: int) -> Piece | None:
        """The next piece off the tail; None if what comes there is not in the log yet."""
        tail, place = self.tail, self.place
        page = self._whole_page(written)
        if page is not None:
            return page
        entries: list[Entry] = []
        end = size = 0
        while tail and len(entries) < PAGE and size < PAGE_BYTES:
            entry = tail[0]
            position = entry.message.position
            if position < 0 or position >= written:
                break  # it will be there with a later commit
            if not place.can_park(entry):
                if entries or place.spill(tail):
                    break  # what was spilled will be there with a later commit
                return tail.popleft()
            if not entries:
                end = place.page_end(position)
            elif position >= end or entry.message.spilled != entries[0].message.spilled:
                break
            entries.append(tail.popleft())
            size += len(entry.message.body)
        if not entries:
            return None
        page = Page.of(entries)
        place.parked(page, entries)
        return page

    def _whole_page(self, written: int) -> Page | None:
        """A page of plain entries, as nearly all are: without a look at each."""
        tail = self.tail
        if len(tail) < PAGE:
            return None
        popleft = tail.popleft
        entries = [popleft() for _ in range(PAGE)]
        messages = [entry.message for entry in entries]
        positions = array("q", [message.position for message in messages])
        weight = sum([message.share for message in messages if message.position > 0])
        if (
            {*map(type, entries)} != PLAIN
            or not WHOLE.issuperset(map(type, messages))
            or min(positions) <= 0
            or positions[-1] >= min(written, self.place.page_end(positions[0]))
            or weight > 2 * PAGE_BYTES
        ):
            tail.extendleft(reversed(entries))
            return None
        page = Page(_numbers(entries), positions, weight)
        self.place.parked(page, entries)
        return page

    def adopt(self, priority: int, pieces: list[Piece]) -> None:
        """Take over what was there before a restart, oldest first; for an empty one."""
        self.behind.extend(pieces)
        self.paged = sum(len(piece) if isinstance(piece, Page) else 1 for piece in pieces)
        if pieces:
            self.append = self.tail.append

    def pieces(self) -> Iterator[tuple[int, bool, Piece]]:
        """All there is, loading nothing: its priority, whether it came back, object or page."""
        yield from super().pieces()
        for piece in chain(self.behind, self.tail):
            yield 0, False, piece

    def clear(self) -> list[Entry]:
        """Remove all. Returns those that were held; the place is told of the pages."""
        held: list[Entry] = []
        for _, _, piece in self.pieces():
            if isinstance(piece, Page):
                self.place.discarded(piece)
            else:
                held.append(piece)
        self.fresh.clear()
        self.returned.clear()
        self.behind.clear()
        self.tail.clear()
        self.paged = 0
        self.append = self.fresh.append
        return held

    def __len__(self) -> int:
        return len(self.returned) + len(self.fresh) + self.paged + len(self.tail)

    def __iter__(self) -> Iterator[Entry]:
        for _, _, piece in self.pieces():
            if isinstance(piece, Page):
                yield from self.place.load(piece)
            else:
                yield piece

    def _check(self) -> None:
        super()._check()
        numbers: list[int] = []
        for piece in (*self.fresh, *self.behind, *self.tail):
            numbers += piece.seqs if isinstance(piece, Page) else [piece.seq]
        assert numbers == sorted(set(numbers)), f"out of order: {numbers}"
        counted = sum(len(piece) if isinstance(piece, Page) else 1 for piece in self.behind)
        assert counted == self.paged, f"{self.paged} paged, {counted} there"
        joins = self.tail if self.behind or self.tail else None
        assert joins is None or self.append == joins.append, "new entries would push in"


def first_number(piece: Piece) -> int:
    """The lowest number of an entry in it."""
    return piece.seqs[0] if isinstance(piece, Page) else piece.seq


def _numbers(entries: list[Entry]) -> Sequence[int]:
    """The numbers of entries that follow one another."""
    numbers = range(entries[0].seq, entries[-1].seq + 1)
    if len(numbers) == len(entries):
        return numbers
    return array("Q", [entry.seq for entry in entries])


def _is_too_much(entries: deque[Entry]) -> bool:
    """Whether this is more than is held as objects; its bytes are told by both ends."""
    held = len(entries)
    if held < 2:
        return False
    first, last = len(entries[0].message.body), len(entries[-1].message.body)
    return held > HELD or held * (max(first, last)) > HELD_BYTES
