"""Facts in Redis: one hash, and a counter of its changes that is cheap to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .scripts import ADD_FACT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["RedisFacts"]


class RedisFacts:
    """The facts of one prefix. `ask` is the driver's way to call the client. Thread-safe."""

    def __init__(self, ask: Callable[..., Any], client: Any, prefix: str) -> None:
        self._ask = ask
        self._client = client
        self._hash = f"{prefix}:facts"
        self.counter = f"{prefix}:version"
        """The key of the counter."""
        self._add = client.register_script(ADD_FACT)

    def version(self) -> object:
        """The counter of changes."""
        return self._ask(self._client.get, self.counter) or b""

    def load(self) -> dict[str, str]:
        """All facts."""
        found = self._ask(self._client.hgetall, self._hash)
        return {key.decode(): value.decode() for key, value in found.items()}

    def add(self, key: str, value: str) -> str:
        """HSETNX, and count."""
        there: bytes = self._ask(self._add, keys=[self._hash, self.counter], args=[key, value])
        return there.decode()

    def remove(self, keys: Sequence[str]) -> None:
        """HDEL, and count."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hdel(self._hash, *keys)
        pipeline.incr(self.counter)
        self._ask(pipeline.execute)
