"""The thread that looks after all connections over sockets of this process.

It sends what was left to be sent together with more that did not come, sends heartbeats, and finds
connections whose other side is gone. So none of these needs the help of who uses the connection,
who may be busy with a message for as long as that takes. There is one thread as long as there are
connections; a forked child begins anew.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from contextlib import suppress
from typing import Protocol

__all__ = ["Keeper", "Tended", "keeper"]

logger = logging.getLogger(__name__)
TICK = 0.002
"""Seconds between two looks while something is going on."""
CALM = 0.25
"""Seconds without anything to send after which it sleeps until it is woken."""


class Tended(Protocol):
    """A connection that is looked after."""

    def tend(self, now: float) -> bool:
        """Do what is due at a time of `time.monotonic`; whether there was something to send."""
        ...

    def due(self) -> float:
        """When it has to be looked at next, a time of `time.monotonic`."""
        ...

    def leave(self) -> None:
        """The process ends: send what is to be sent."""
        ...

    def forked(self) -> None:
        """In a forked child the connection is the parent's."""
        ...


class Keeper:
    """See the module. Thread-safe."""

    def __init__(self) -> None:
        self.awake = False
        """Whether it looks at everything within a tick, without being woken."""
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._thread: threading.Thread | None = None
        self._tended: weakref.WeakSet[Tended] = weakref.WeakSet()

    def add(self, connection: Tended) -> None:
        """Look after a connection from now on, as long as it lives."""
        with self._lock:
            self._tended.add(connection)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="minibroker-keeper", daemon=True
                )
                self._thread.start()
        self.wake()

    def remove(self, connection: Tended) -> None:
        """Do not look after it any more."""
        with self._lock:
            self._tended.discard(connection)
        self._event.set()

    def wake(self) -> None:
        """There is something to do."""
        self._event.set()

    def _run(self) -> None:
        calm_from = 0.0
        while True:
            now = time.monotonic()
            if self._look(now):
                calm_from = now + CALM
            self.awake = now < calm_from
            if self.awake:
                time.sleep(TICK)
                continue
            # Whoever wrote before `awake` was False relied on it: look once more.
            if self._look(now):
                continue
            with self._lock:
                due = min((each.due() for each in self._tended), default=None)
                if due is None:
                    self._thread = None
                    return
            self._event.wait(min(max(0.0, due - now), 3600.0))
            self._event.clear()
            calm_from = time.monotonic() + CALM

    def _look(self, now: float) -> bool:
        with self._lock:
            tended = list(self._tended)
        busy = False
        for each in tended:
            try:
                busy |= each.tend(now)
            except Exception:  # the others are looked after all the same
                logger.exception("looking after %r", each)
        return busy

    def leave(self) -> None:
        """The process ends."""
        for each in list(self._tended):
            with suppress(Exception):
                each.leave()

    def forked(self) -> None:
        """In a forked child the connections are the parent's, and the thread is not there."""
        tended = list(self._tended)
        self.__init__()  # type: ignore[misc]  # the locks may be held for ever by who is not here
        for each in tended:
            each.forked()


keeper = Keeper()
if hasattr(os, "register_at_fork"):  # not where there is no fork
    os.register_at_fork(after_in_child=keeper.forked)
atexit.register(keeper.leave)
