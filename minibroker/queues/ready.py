"""The ready entries of one queue, in the order in which they go out. Knows no rule but order.

`Fifo` for most queues, `Levels` for those with priorities, `TwoLevels` for quorum queues. Adding
and taking are O(1) for `Fifo` and O(log levels) for `Levels`, putting one back is O(log of those
that came back).
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, TypeAlias

from sortedcontainers import SortedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .entry import Entry
    from .paged import Piece

    NewFifo = Callable[[], "Fifo"]

__all__ = ["Fifo", "Levels", "Ready", "StrictLevels", "TwoLevels"]


class Fifo:
    """First in, first out.

    Entries leave only at the head, so every entry that comes back belongs before all that never
    left: those live in a heap of their own, by sequence number, which is empty nearly always.
    `append` is the deque's own method, which saves a Python call on the way in.
    """

    __slots__ = ("append", "fresh", "returned")

    append: Callable[[Entry], None]

    def __init__(self) -> None:
        self.fresh: deque[Entry] = deque()
        self.returned: list[tuple[int, Entry]] = []
        self.append = self.fresh.append

    def take(self) -> Entry | None:
        """Remove and return the head, None when there is none."""
        if self.returned:
            return heappop(self.returned)[1]
        return self.fresh.popleft() if self.fresh else None

    def head(self) -> Entry | None:
        """The entry that goes out next."""
        if self.returned:
            return self.returned[0][1]
        return self.fresh[0] if self.fresh else None

    def put_back(self, entry: Entry) -> None:
        """Return an entry that had been taken to its original place."""
        heappush(self.returned, (entry.seq, entry))

    def clear(self) -> list[Entry]:
        """Remove and return all, in order."""
        entries = list(self)
        self.fresh.clear()
        self.returned.clear()
        return entries

    def page_out(self, written: int) -> None:
        """Hold only the head, where something else can keep the rest: here nothing can."""

    def level_of(self, priority: int | None) -> int:
        """The priority that stands for all that go out together with one of this priority."""
        return 0

    def pieces(self) -> Iterator[tuple[int, bool, Piece]]:
        """All there is, loading nothing: its priority, whether it came back, object or page."""
        for _, entry in sorted(self.returned):
            yield 0, True, entry
        for entry in self.fresh:
            yield 0, False, entry

    def adopt(self, priority: int, pieces: list[Piece]) -> None:
        """Take over what was there before a restart, oldest first, of one such priority."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.returned) + len(self.fresh)

    def __iter__(self) -> Iterator[Entry]:
        for _, entry in sorted(self.returned):
            yield entry
        yield from self.fresh

    def _check(self) -> None:
        returned = self.returned.copy()
        heapify(returned)
        assert returned == self.returned, "the heap is out of order"
        numbers = [entry.seq for entry in self.fresh]
        assert numbers == sorted(set(numbers)), f"out of order: {numbers}"


class Levels:
    """By priority, highest first, and first in, first out within one priority.

    A missing priority counts as `default`, one above `top` as `top` (RabbitMQ documentation,
    "Priority Queue Support").
    """

    __slots__ = ("default", "levels", "new_fifo", "size", "top")

    def __init__(self, top: int, default: int = 0, new_fifo: NewFifo = Fifo) -> None:
        self.top = top
        self.default = default
        self.new_fifo = new_fifo
        self.size = 0
        self.levels: SortedDict[int, Fifo] = SortedDict()

    def level_of(self, priority: int | None) -> int:
        """The level of a priority."""
        return self.default if priority is None else min(priority, self.top)

    def _level(self, entry: Entry) -> Fifo:
        return self._at(self.level_of(entry.message.properties.priority))

    def _at(self, priority: int) -> Fifo:
        level: Fifo | None = self.levels.get(-priority)
        if level is None:
            level = self.levels[-priority] = self.new_fifo()
        return level

    def append(self, entry: Entry) -> None:
        """Add a new entry behind those of its priority."""
        self._level(entry).append(entry)
        self.size += 1

    def take(self) -> Entry | None:
        """Remove and return the head, None when there is none."""
        if not self.size:
            return None
        key, level = self.levels.peekitem(0)
        entry: Entry | None = level.take()
        if not level:
            del self.levels[key]
        self.size -= 1
        return entry

    def head(self) -> Entry | None:
        """The entry that goes out next: the oldest of the highest priority."""
        if not self.size:
            return None
        head: Entry | None = self.levels.peekitem(0)[1].head()
        return head

    def put_back(self, entry: Entry) -> None:
        """Return an entry that had been taken to its original place in its priority."""
        self._level(entry).put_back(entry)
        self.size += 1

    def clear(self) -> list[Entry]:
        """Remove and return all, in order."""
        entries = [entry for level in self.levels.values() for entry in level.clear()]
        self.levels.clear()
        self.size = 0
        return entries

    def page_out(self, written: int) -> None:
        """As each level does."""
        for level in self.levels.values():
            level.page_out(written)

    def pieces(self) -> Iterator[tuple[int, bool, Piece]]:
        """See `Fifo`."""
        for key, level in self.levels.items():
            for _, came_back, piece in level.pieces():
                yield -key, came_back, piece

    def adopt(self, priority: int, pieces: list[Piece]) -> None:
        """Take over what was there before a restart on one level."""
        level = self._at(priority)
        before = len(level)
        level.adopt(priority, pieces)
        self.size += len(level) - before

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[Entry]:
        for level in self.levels.values():
            yield from level

    def _check(self) -> None:
        assert self.size == sum(map(len, self.levels.values())), "size is off"
        for key, level in self.levels.items():
            assert level, f"empty level {-key}"
            level._check()


class StrictLevels(Levels):
    """By priority, and whatever came back goes out before all that did not (RabbitMQ 4.3)."""

    __slots__ = ("returned",)

    def __init__(self, top: int, default: int = 0, new_fifo: NewFifo = Fifo) -> None:
        super().__init__(top, default, new_fifo)
        self.returned = Fifo()

    def take(self) -> Entry | None:
        """Remove and return the head, None when there is none."""
        return self.returned.take() or super().take()

    def head(self) -> Entry | None:
        """The entry that goes out next."""
        return self.returned.head() or super().head()

    def put_back(self, entry: Entry) -> None:
        """Return an entry that had been taken: it goes out before all new ones."""
        self.returned.put_back(entry)

    def clear(self) -> list[Entry]:
        """Remove and return all, in order."""
        return [*self.returned.clear(), *super().clear()]

    def pieces(self) -> Iterator[tuple[int, bool, Piece]]:
        """See `Fifo`."""
        for _, entry in sorted(self.returned.returned):
            yield 0, True, entry
        yield from super().pieces()

    def __len__(self) -> int:
        return len(self.returned) + self.size

    def __iter__(self) -> Iterator[Entry]:
        yield from self.returned
        yield from super().__iter__()

    def _check(self) -> None:
        super()._check()
        self.returned._check()


HIGH = 5
"""From this priority on a message of a quorum queue is a high one (RabbitMQ 4.0 to 4.2)."""
TURNS = 3
"""Two high ones, then a normal one."""


class TwoLevels:
    """High and normal entries, two to one; whatever came back goes out before both."""

    __slots__ = ("high", "normal", "returned", "turn")

    def __init__(self, new_fifo: NewFifo = Fifo) -> None:
        self.high = new_fifo()
        self.normal = new_fifo()
        self.returned = Fifo()
        self.turn = 0

    def level_of(self, priority: int | None) -> int:
        """`HIGH`, or 0 for a normal one."""
        return HIGH if (priority or 0) >= HIGH else 0

    def append(self, entry: Entry) -> None:
        """Add a new entry behind those of its level."""
        self._at(self.level_of(entry.message.properties.priority)).append(entry)

    def _at(self, priority: int) -> Fifo:
        return self.high if priority == HIGH else self.normal

    def _next(self) -> Fifo:
        if self.returned:
            return self.returned
        if self.high and (self.turn < TURNS - 1 or not self.normal):
            return self.high
        return self.normal

    def take(self) -> Entry | None:
        """Remove and return the head, None when there is none."""
        level = self._next()
        if level is not self.returned:
            both = bool(self.high) and bool(self.normal)
            self.turn = (self.turn + 1) % TURNS if both else 0
        return level.take()

    def head(self) -> Entry | None:
        """The entry that goes out next."""
        return self._next().head()

    def put_back(self, entry: Entry) -> None:
        """Return an entry that had been taken: it goes out before all new ones."""
        self.returned.put_back(entry)

    def clear(self) -> list[Entry]:
        """Remove and return all."""
        levels = (self.returned, self.high, self.normal)
        entries = [entry for level in levels for entry in level.clear()]
        self.turn = 0
        return entries

    def page_out(self, written: int) -> None:
        """As each level does."""
        self.high.page_out(written)
        self.normal.page_out(written)

    def pieces(self) -> Iterator[tuple[int, bool, Piece]]:
        """See `Fifo`."""
        for priority, level in ((0, self.returned), (HIGH, self.high), (0, self.normal)):
            for _, came_back, piece in level.pieces():
                yield priority, came_back, piece

    def adopt(self, priority: int, pieces: list[Piece]) -> None:
        """Take over what was there before a restart on one level."""
        self._at(priority).adopt(priority, pieces)

    def __len__(self) -> int:
        return len(self.returned) + len(self.high) + len(self.normal)

    def __iter__(self) -> Iterator[Entry]:
        yield from self.returned
        yield from self.high
        yield from self.normal

    def _check(self) -> None:
        for level in (self.returned, self.high, self.normal):
            level._check()


Ready: TypeAlias = Fifo | Levels | TwoLevels
"""What a queue keeps its ready entries in."""
