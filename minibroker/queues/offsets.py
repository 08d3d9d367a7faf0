"""The entries of a stream by offset, of which only the newest need to be held as objects.

Knows nothing of who reads or of how long entries are kept. What is not held is pages: a `Place`
loads the one that somebody reads.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from typing import TYPE_CHECKING, cast

from .entry import Entry
from .paged import HELD, HELD_BYTES, PAGE, PAGE_BYTES, Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..message import Message
    from .base import BaseQueue, Place

__all__ = ["Offsets", "StreamEntry"]


class StreamEntry(Entry):
    """A message at its offset in a stream (`seq` is the offset)."""

    __slots__ = ("time",)

    def __init__(self, queue: BaseQueue, message: Message, seq: int, time: int) -> None:
        super().__init__(queue, message, seq)
        self.time = time
        """Milliseconds since the epoch at which it was published."""

    @property
    def expires(self) -> int:  # type: ignore[override]  # a stream's entries expire by their age
        """The time as the log keeps it, in the place of an expiry."""
        return self.time


COMPACT = 1024
"""Places of entries that are gone are reclaimed when there are so many, and as many as there are
entries left: amortised O(1), where a deque would make reading by offset O(n)."""
LOADED = 16
"""Pages that stay loaded: so many readers may read at different offsets without loading twice."""


class Offsets:
    """Entries from offset `first` up to `next`, without a gap."""

    __slots__ = ("_gone", "_held", "_loaded", "_pages", "_place", "first", "next")

    def __init__(self, place: Place | None) -> None:
        self._place = place
        self.first = 0
        self.next = 0
        """The offset of the entry that comes next."""
        self._pages: list[Page] = []
        self._held: list[StreamEntry | None] = []
        """The newest ones; the first `_gone` places are empty."""
        self._gone = 0
        self._loaded: OrderedDict[int, list[StreamEntry]] = OrderedDict()
        """Pages that somebody read, by their first offset."""

    def __len__(self) -> int:
        return self.next - self.first

    def append(self, entry: StreamEntry) -> None:
        """Add the entry of offset `next`."""
        self._held.append(entry)
        self.next += 1

    def at(self, offset: int) -> StreamEntry:
        """The entry at an offset that is there. Raises as `Place.load`."""
        place = offset - self.next
        if place >= self._gone - len(self._held):
            entry = self._held[place]
            assert entry is not None, f"nothing at offset {offset}"
            return entry
        page = self._pages[bisect_right(self._pages, offset, key=_first) - 1]
        return self._load(page)[offset - _first(page)]

    def _load(self, page: Page) -> list[StreamEntry]:
        first = _first(page)
        loaded = self._loaded.get(first)
        if loaded is None:
            assert self._place is not None
            loaded = cast("list[StreamEntry]", self._place.load(page))
            self._loaded[first] = loaded
            if len(self._loaded) > LOADED:
                self._loaded.popitem(last=False)
        else:
            self._loaded.move_to_end(first)
        return loaded

    @property
    def oldest_is_held(self) -> bool:
        """Whether the oldest entry is held as an object, and not only read from the log."""
        return not self._pages

    def let_go(self) -> StreamEntry:
        """Remove and return the oldest entry. Raises as `Place.load`."""
        entry = self.at(self.first)
        self.first += 1
        if self._pages:
            page = self._pages[0]
            if self.first > page.seqs[-1]:
                self._loaded.pop(_first(page), None)
                del self._pages[0]
        else:
            self._held[self._gone] = None
            self._gone += 1
            if self._gone >= COMPACT and self._gone >= len(self):
                del self._held[: self._gone]
                self._gone = 0
        return entry

    # -- what is held

    def page_out(self, written: int) -> None:
        """Turn the oldest of what is held into pages, where the log has it before `written`."""
        if self._place is None:
            return
        while len(self._held) - self._gone > HELD + PAGE or self._weighs_too_much():
            entries = self._oldest(written)
            if not entries:
                return
            page = Page.of(list[Entry](entries))
            self._place.parked(page, list[Entry](entries))
            self._pages.append(page)
            del self._held[: self._gone + len(entries)]
            self._gone = 0

    def _weighs_too_much(self) -> bool:
        held = len(self._held) - self._gone
        newest = self._held[-1] if held > 1 else None
        return newest is not None and held * len(newest.message.body) > 2 * HELD_BYTES

    def _oldest(self, written: int) -> list[StreamEntry]:
        entries: list[StreamEntry] = []
        end = size = 0
        assert self._place is not None
        for entry in self._held[self._gone : self._gone + PAGE]:
            assert entry is not None
            position = entry.message.position
            if not 0 < position < written or size >= PAGE_BYTES or (entries and position >= end):
                break
            if not entries:
                end = self._place.page_end(position)
            entries.append(entry)
            size += len(entry.message.body)
        return entries

    def adopt(self, pages: list[Page], next_offset: int) -> None:
        """Take over what was there before a restart, for an empty stream."""
        self._pages = pages
        self.next = next_offset
        self.first = _first(pages[0]) if pages else next_offset

    def pieces(self) -> Iterator[Page | Entry]:
        """Everything in order, as objects or pages; of the first page some may be gone."""
        yield from self._pages
        for entry in self._held[self._gone :]:
            assert entry is not None
            yield entry

    def clear(self) -> list[StreamEntry]:
        """Remove all; returns those that were held, the place is told of the others."""
        held: list[StreamEntry] = []
        if self._pages and self.first > _first(self._pages[0]):
            assert self._place is not None
            for _ in range(self._pages[0].seqs[-1] - self.first + 1):
                self._place.left(self.let_go())
        for page in self._pages:
            assert self._place is not None
            self._place.discarded(page)
        held += [entry for entry in self._held[self._gone :] if entry is not None]
        self._pages.clear()
        self._held.clear()
        self._loaded.clear()
        self._gone = 0
        self.first = self.next
        return held

    def _check(self) -> None:
        offsets = [offset for page in self._pages for offset in page.seqs if offset >= self.first]
        offsets += [entry.seq for entry in self._held[self._gone :] if entry is not None]
        assert offsets == list(range(self.first, self.next)), "offsets have gaps"


def _first(page: Page) -> int:
    return page.seqs[0]
