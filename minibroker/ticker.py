"""The one thread of a broker on the system's clock: it sleeps to the next deadline.

Knows nothing of what falls due. It starts with the first deadline, and a broker that is dropped
without being closed takes it along.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .clock import Clock, Driver

__all__ = ["Ticker"]


class Ticker:
    """Runs a driver's due work on time. Thread-safe."""

    def __init__(self, driver: Driver, clock: Clock) -> None:
        self._earlier = threading.Event()
        self._driver = weakref.ref(driver, lambda _: self._earlier.set())
        self._clock = clock
        self._thread: threading.Thread | None = None
        self._stopped = False

    @property
    def running(self) -> bool:
        """Whether there is a thread."""
        return self._thread is not None and self._thread.is_alive()

    def earlier(self, deadline: int) -> None:
        """The earliest deadline became earlier, or there is one now.

        Called under the broker's lock, so no two callers start a thread.
        """
        self._earlier.set()
        if self._thread is None and not self._stopped:
            self._thread = threading.Thread(target=self._run, name="minibroker-ticker", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait until it has ended. Not to be called under the lock."""
        self._stopped = True
        self._earlier.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while not self._stopped:
            self._earlier.clear()
            wait = self._run_due()
            if self._driver() is None:
                return  # before waiting: its end may have been told before `clear`
            if wait is None or wait > 0:
                self._earlier.wait(wait)

    def _run_due(self) -> float | None:
        """Run what is due; the seconds until the next deadline, None without one."""
        driver = self._driver()
        if driver is None:
            return None
        driver.run_due(self._clock.now())
        deadline = driver.next_deadline()
        return None if deadline is None else (deadline - self._clock.now()) / 1000
