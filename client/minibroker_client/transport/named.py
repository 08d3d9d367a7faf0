"""Brokers that a whole process shares by name. Knows no broker but how to make and close one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NamedBrokers"]


class Closable(Protocol):
    """What can be shared."""

    def close(self) -> None:
        """End it."""


BrokerT = TypeVar("BrokerT", bound=Closable)


class NamedBrokers(Generic[BrokerT]):
    """Brokers by name, counted by who uses them. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: dict[str, int] = {}
        self._brokers: dict[str, BrokerT] = {}

    def acquire(self, name: str, make: Callable[[], BrokerT]) -> BrokerT:
        """The broker of that name, made if there is none; `release` it when done."""
        with self._lock:
            if name not in self._brokers:
                self._brokers[name] = make()
            self._users[name] = self._users.get(name, 0) + 1
            return self._brokers[name]

    def release(self, name: str) -> None:
        """One user less; after the last one the broker is closed and the name free."""
        with self._lock:
            self._users[name] -= 1
            if self._users[name]:
                return
            del self._users[name]
            # Closed under the lock: one made anew may need what this one gives free by it.
            self._brokers.pop(name).close()

    def names(self) -> list[str]:
        """The names in use, in alphabetical order."""
        with self._lock:
            return sorted(self._brokers)
