"""What is kept of a publish, and where: the protocol of stores, and the one in memory."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Kept", "MemoryStore", "Store"]


class Kept(NamedTuple):
    """A message as it was published."""

    exchange: str
    routing_key: str
    body: bytes
    values: dict[str, Any]
    """Its properties by AMQP's names; `message_id` is always there."""
    mandatory: bool


class Store(Protocol):
    """Messages in the order in which they were published. One thread at a time."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    @property
    def size(self) -> int:
        """Bytes of all bodies."""
        ...

    def add(self, kept: Kept) -> int:
        """Keep a message; what it is called by here. Raises OSError or OperationalError."""
        ...

    def done(self, key: int) -> None:
        """The broker has it."""
        ...

    def pending(self) -> Iterator[tuple[int, Kept]]:
        """All that are kept, in order."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


class MemoryStore:
    """Keeps messages as long as the process lives."""

    def __init__(self) -> None:
        self._kept: dict[int, Kept] = {}
        self._keys = count(1)
        self.size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, kept: Kept) -> int:
        """Keep a message."""
        key = next(self._keys)
        self._kept[key] = kept
        self.size += len(kept.body)
        return key

    def done(self, key: int) -> None:
        """The broker has it."""
        self.size -= len(self._kept.pop(key).body)

    def pending(self) -> Iterator[tuple[int, Kept]]:
        """All that are kept, in order."""
        return iter(list(self._kept.items()))

    def close(self) -> None:
        """Nothing to let go of."""
