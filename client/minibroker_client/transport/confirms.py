"""Which publishes of a channel were confirmed. Knows no transport: it is told what was answered."""

from __future__ import annotations

__all__ = ["Confirms"]


class Confirms:
    """The publishes in confirm mode that have no answer yet, and the refused ones."""

    __slots__ = ("_nacked", "_outstanding")

    def __init__(self) -> None:
        self._outstanding: set[int] = set()
        self._nacked: set[int] = set()

    def published(self, number: int) -> None:
        """A message was published with this sequence number."""
        self._outstanding.add(number)

    def answered(self, number: int, multiple: bool, ok: bool) -> None:
        """The broker answered for it; with `multiple`, for all up to it. `ok` False: refused."""
        numbers = {number}
        if multiple:
            numbers = {each for each in self._outstanding if each <= number}
        self._outstanding -= numbers
        if not ok:
            self._nacked |= numbers

    def waits(self, number: int) -> bool:
        """Whether its answer is still to come."""
        return number in self._outstanding

    def take(self, number: int) -> bool:
        """The answer: True for an ack. It is forgotten."""
        refused = number in self._nacked
        self._nacked.discard(number)
        return not refused
