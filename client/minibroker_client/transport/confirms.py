"""Which publishes of a channel were confirmed. Knows no transport: it is told what was answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Confirms"]


class Confirms:
    """The publishes in confirm mode that have no answer yet, and the refused ones."""

    __slots__ = ("_nacked", "_outstanding", "last", "on_answer")

    def __init__(self) -> None:
        self._outstanding: dict[int, None] = {}
        self._nacked: set[int] = set()
        self.last = 0
        """The number of the last publish."""
        self.on_answer: Callable[[], None] | None = None
        """Called whenever something was answered."""

    def __len__(self) -> int:
        """How many wait for their answer."""
        return len(self._outstanding)

    def published(self, number: int) -> None:
        """A message was published with this sequence number: they go up."""
        self.last = number
        self._outstanding[number] = None

    def answered(self, number: int, multiple: bool, ok: bool) -> None:
        """The broker answered for it; with `multiple`, for all up to it. `ok` False: refused.

        Number 0 with `multiple` means all.
        """
        outstanding = self._outstanding
        if not multiple:
            numbers = [number] if number in outstanding else []
        elif number == 0 or number >= self.last:
            numbers = list(outstanding)
        else:
            numbers = []
            for each in outstanding:  # in ascending order
                if each > number:
                    break
                numbers.append(each)
        for each in numbers:
            del outstanding[each]
        if not ok:
            self._nacked.update(numbers)
        if self.on_answer is not None:
            self.on_answer()

    def waits(self, number: int) -> bool:
        """Whether its answer is still to come."""
        return number in self._outstanding

    def take(self, number: int) -> bool:
        """The answer: True for an ack. It is forgotten."""
        refused = number in self._nacked
        self._nacked.discard(number)
        return not refused

    def take_refused(self) -> list[int]:
        """All that were refused, in ascending order. They are forgotten."""
        refused, self._nacked = sorted(self._nacked), set()
        return refused
