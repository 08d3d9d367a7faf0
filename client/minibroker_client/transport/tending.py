"""What the keeper does for a connection, in its own thread: sends, beats, listens for life."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .. import exceptions

if TYPE_CHECKING:
    from collections import deque

    from ..protocol.connection import ProtocolConnection
    from .wire import Wire

__all__ = ["SILENT", "TendedConnection"]

SILENT = 2
"""Intervals of heartbeats without a byte after which the broker is taken for gone."""
FOREVER = float("inf")


class TendedConnection:
    """The half of a `SocketConnection` that needs nobody to wait for it. See `keeper.Tended`."""

    guard: threading.Lock
    protocol: ProtocolConnection
    _where: str
    _wire: Wire
    _rest: deque[memoryview]
    _sent: float
    _heard: float
    _failure: Exception | None

    def _send(self) -> bool:
        """Send what goes without waiting; whether that is all. Under the guard. Raises OSError."""
        raise NotImplementedError

    def tend(self, now: float) -> bool:
        """See `Tended`."""
        busy = bool(self.protocol.size or self._rest)
        try:
            if self._beats_at() <= now:
                self.protocol.beat()
            if (self.protocol.size or self._rest) and self.guard.acquire(blocking=False):
                try:
                    self._send()
                finally:
                    self.guard.release()
            if self._silent_at() <= now:
                self._look_for_life(now)
        except (OSError, ValueError):  # the thread that uses it finds that out by itself
            pass
        return busy

    def _look_for_life(self, now: float) -> None:
        if self._wire.peek():  # nobody reads it just now
            self._heard = now
            return
        self._failure = exceptions.ConnectionLost(
            f"the connection to {self._where} was lost: nothing came for "
            f"{self.protocol.heartbeat * SILENT:g} seconds, heartbeats were missed"
        )
        self._wire.interrupt()

    def _beats_at(self) -> float:
        beat = self.protocol.heartbeat
        return self._sent + beat / 2 if beat else FOREVER

    def _silent_at(self) -> float:
        beat = self.protocol.heartbeat
        return self._heard + beat * SILENT if beat and self._failure is None else FOREVER

    def due(self) -> float:
        """See `Tended`."""
        return min(self._beats_at(), self._silent_at())

    def leave(self) -> None:
        """See `Tended`."""
        with self.guard:
            self._send()

    def forked(self) -> None:
        """See `Tended`."""
        self.guard = self.protocol.guard = threading.Lock()
        self._wire.close()
        self.protocol.out.clear()
        self._rest.clear()
        self.protocol.size = 0
        self.protocol.end(
            exceptions.ConnectionLost(
                f"the connection to {self._where} is that of the parent process: "
                "a forked child makes its own"
            )
        )
