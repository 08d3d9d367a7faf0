"""Two who want to know what a queue holds. Knows neither of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Ledger
    from .entry import Entry

__all__ = ["both"]


def both(first: Ledger | None, second: Ledger | None) -> Ledger | None:
    """The ledger that tells both, or the only one of them that there is."""
    if first is None or second is None:
        return first or second
    return _Both(first, second)


class _Both:
    __slots__ = ("_first", "_second")

    def __init__(self, first: Ledger, second: Ledger) -> None:
        self._first = first
        self._second = second

    def entered(self, entry: Entry) -> None:
        self._second.entered(entry)  # the journal, which may put another message into the entry
        self._first.entered(entry)

    def handed(self, entry: Entry) -> None:
        self._first.handed(entry)
        self._second.handed(entry)

    def left(self, entry: Entry) -> None:
        self._first.left(entry)
        self._second.left(entry)
