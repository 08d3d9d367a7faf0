"""What a broker does about its memory alarm: tells connections, and lets publishers wait.

Knows nothing of what is counted: that is `alarm`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .alarm import REASON, Alarm
from .errors import PublisherBlocked
from .events import Blocked, Unblocked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .connection import Connection

__all__ = ["MemoryLimit"]


class MemoryLimit:
    """The memory limit of one broker, in bytes. Called under the broker's lock.

    Publishers wait up to `timeout` seconds (None: for ever) where they do not say themselves.
    """

    def __init__(
        self,
        limit: int,
        timeout: float | None,
        lock: threading.RLock,
        connections: Callable[[], Iterable[Connection]],
    ) -> None:
        if limit < 0:
            raise ValueError(f"memory_limit must not be negative: {limit}")
        self.timeout = timeout
        self._over = threading.Condition(lock)
        self.alarm = Alarm(limit, self._changed, self._wait, self._over.notify_all)
        self._connections = connections

    def _changed(self, on: bool) -> None:
        for connection in self._connections():
            connection.send(Blocked(REASON) if on else Unblocked())
        if not on:
            self._over.notify_all()

    def _wait(self, timeout: float | None, ended: Callable[[], bool]) -> None:
        seconds = self.timeout if timeout is None else timeout
        alarm = self.alarm
        if not self._over.wait_for(lambda: not alarm.on or ended(), seconds):
            raise PublisherBlocked(
                f"{REASON}: the queues hold {alarm.used} bytes, the limit is {alarm.limit}, "
                f"and that did not change within {seconds} seconds"
            )
