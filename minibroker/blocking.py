"""How publishers wait at the gate of a broker, and how its connections are told of it.

Knows nothing of what is short.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .errors import PublisherBlocked
from .events import Blocked, Unblocked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .connection import Connection
    from .gate import Gate

__all__ = ["Blocking"]


class Blocking:
    """Lets threads wait at a gate. Called under the broker's lock.

    They wait up to `timeout` seconds (None: for ever) where they do not say themselves.
    """

    def __init__(
        self,
        gate: Gate,
        timeout: float | None,
        lock: threading.RLock,
        connections: Callable[[], Iterable[Connection]],
        assist: Callable[[], None] = lambda: None,
    ) -> None:
        self.gate = gate
        self.timeout = timeout
        self._changed = threading.Condition(lock)
        self._connections = connections
        self.assist = assist
        """Called before a thread waits: it may be the one who can open the gate."""
        gate.changed = self._tell
        gate.wait = self._wait
        gate.interrupt = self._changed.notify_all

    def _tell(self, words: str | None) -> None:
        for connection in self._connections():
            connection.send(Unblocked() if words is None else Blocked(words))

    def _wait(self, timeout: float | None, ended: Callable[[], bool]) -> None:
        seconds = self.timeout if timeout is None else timeout
        gate = self.gate
        self.assist()
        if not self._changed.wait_for(lambda: not gate.on or ended(), seconds):
            raise PublisherBlocked(
                f"{gate.detail}, and that did not change within {seconds} seconds"
            )
