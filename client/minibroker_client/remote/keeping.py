"""The thread that keeps a connection's leases while its program works on the messages.

It also sends what was settled a moment ago and not followed by anything. It lives only while
something is held, and ends by itself.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING
from weakref import ref

if TYPE_CHECKING:
    from .connection import RemoteConnection

__all__ = ["Keeper"]

logger = logging.getLogger(__name__)
MOMENT = 0.02
"""Seconds after which what was settled is sent, if nothing else sends it."""


class Keeper:
    """Keeps one connection's leases. Thread-safe."""

    def __init__(self, connection: RemoteConnection, lease_seconds: float) -> None:
        # Not to be what keeps a connection alive that its program has forgotten.
        self._connection = ref(connection)
        self._pause = lease_seconds / 6
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._running = False
        self._stopped = False

    def hold(self) -> None:
        """Something is leased: see that it stays so."""
        with self._lock:
            if not self._running and not self._stopped:
                self._running = True
                run = threading.Thread(target=self._run, name="minibroker-leases", daemon=True)
                run.start()

    def settled(self) -> None:
        """Something was settled, and lies here until it is sent."""
        self._wake.set()

    def stop(self) -> None:
        """There is nothing to keep any more."""
        self._stopped = True
        self._wake.set()

    def _run(self) -> None:
        idle = 0
        while not self._stopped:
            if self._wake.wait(self._pause):
                self._wake.clear()
                time.sleep(MOMENT)
            connection = self._connection()
            if connection is None or connection.closed:
                return
            # A driver learns how long leases really are when it has one.
            self._pause = connection.driver.lease_seconds / 6
            idle = 0 if _has_work(connection) else idle + 1
            if idle > 60 and self._ends(connection):
                return
            self._keep(connection)
            del connection

    def _ends(self, connection: RemoteConnection) -> bool:
        """Whether there still is nothing to do: from then on `hold` begins anew."""
        with self._lock:
            self._running = _has_work(connection)
            return not self._running

    def _keep(self, connection: RemoteConnection) -> None:
        try:
            if connection.settled or connection.returned:
                connection.flush()
            connection.renew()
        except Exception as error:  # noqa: BLE001 -- the program meets it at its next call
            logger.warning("leases could not be renewed: %s", error)


def _has_work(connection: RemoteConnection) -> bool:
    return bool(connection.held or connection.settled)
