"""Which publishes of a channel were confirmed. Knows no transport: it is told what was answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Confirms"]


class Confirms:
    """The publishes in confirm mode that have no answer yet, and the refused ones."""

    __slots__ = ("_few", "_nacked", "_outstanding", "_waiting", "last")

    def __init__(self) -> None:
        self._outstanding: dict[int, None] = {}
        self._nacked: set[int] = set()
        self._waiting: dict[int, Callable[[], None]] = {}
        self._few: list[tuple[int, Callable[[], None]]] = []
        self.last = 0
        """The number of the last publish."""

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
        numbers = self._meant(number, multiple)
        for each in numbers:
            del outstanding[each]
        if not ok:
            self._nacked.update(numbers)
        if self._waiting:
            for each in numbers:
                callback = self._waiting.pop(each, None)
                if callback is not None:
                    callback()
        if self._few:
            few, self._few = self._few, []
            for most, callback in few:
                self.when_few(most, callback)

    def _meant(self, number: int, multiple: bool) -> list[int]:
        outstanding = self._outstanding
        if not multiple:
            return [number] if number in outstanding else []
        if number == 0 or number >= self.last:
            return list(outstanding)
        numbers = []
        for each in outstanding:  # in ascending order
            if each > number:
                break
            numbers.append(each)
        return numbers

    def when_answered(self, number: int, callback: Callable[[], None]) -> None:
        """Call back once, when a publish is answered; at once if it is. One callback for each."""
        if number in self._outstanding:
            self._waiting[number] = callback
        else:
            callback()

    def when_few(self, most: int, callback: Callable[[], None]) -> None:
        """Call back once, when no more than so many have no answer; at once if it is so."""
        if len(self._outstanding) > most:
            self._few.append((most, callback))
        else:
            callback()

    def abandon(self) -> None:
        """There will be no answers any more: whoever waits is called back."""
        callbacks = [*self._waiting.values(), *(callback for _, callback in self._few)]
        self._waiting.clear()
        self._few.clear()
        for callback in callbacks:
            callback()

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
