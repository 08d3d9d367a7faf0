"""Facts that no system keeps: for users who may send and receive, and declare nothing.

All connections of the process to one place share them. Another process has to declare the same.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

__all__ = ["LocalFacts"]


class LocalFacts:
    """The facts of one place. Thread-safe."""

    _places: dict[Hashable, LocalFacts] = {}  # noqa: RUF012 -- the process' own, under the lock
    _lock = threading.Lock()

    def __init__(self) -> None:
        """Use `of`."""
        self._facts: dict[str, str] = {}
        self._version = 0

    @classmethod
    def of(cls, place: Hashable) -> LocalFacts:
        """Those of a place."""
        with cls._lock:
            return cls._places.setdefault(place, cls())

    def version(self) -> object:
        """The number of changes."""
        return self._version

    def load(self) -> dict[str, str]:
        """All facts."""
        with self._lock:
            return dict(self._facts)

    def add(self, key: str, value: str) -> str:
        """Add a fact unless there is one; the value that is there."""
        with self._lock:
            if key not in self._facts:
                self._facts[key] = value
                self._version += 1
            return self._facts[key]

    def remove(self, keys: Sequence[str]) -> None:
        """Remove facts."""
        with self._lock:
            for key in keys:
                self._facts.pop(key, None)
            self._version += 1
