"""Where the time comes from: the system, or a test. Knows nothing of what waits for it.

All times are milliseconds since the epoch, as integers.
"""

from __future__ import annotations

import math
import re
import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Clock", "Driver", "ManualClock", "SystemClock", "parse_duration"]

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))
# Each unit at most once, largest first: "1h30m", not "30m1h". [0-9] because \d takes any script.
_DURATION = re.compile("".join(rf"(?:([0-9]+(?:\.[0-9]+)?){unit})?" for unit, _ in _UNITS))


def parse_duration(duration: str | float) -> int:
    """A duration in milliseconds, rounded, from text such as "30m" or a number of seconds.

    Text is made of days `d`, hours `h`, minutes `m`, seconds `s` and milliseconds `ms`, largest
    first: "1h30m", "1.5s", "250ms". Raises ValueError that names what is negative or nonsense.
    """
    if isinstance(duration, str):
        match = _DURATION.fullmatch(duration)
        if match is None or not duration:
            raise ValueError(f"{duration!r} is not a duration such as '1h30m', '1.5s' or '250ms'")
        parts = zip(match.groups(), _UNITS, strict=True)
        return round(sum(float(number) * size for number, (_, size) in parts if number))
    if isinstance(duration, bool) or not isinstance(duration, int | float):
        raise ValueError(f"{duration!r} is neither seconds nor text such as '30m'")
    if not math.isfinite(duration) or duration < 0:
        raise ValueError(f"{duration!r} is not a duration: time only goes forward")
    return round(duration * 1000)


class Clock(Protocol):
    """What a broker asks for the time."""

    def now(self) -> int:
        """Milliseconds since the epoch. Never goes back. Thread-safe."""
        ...


class Driver(Protocol):
    """What a `ManualClock` moves forward: a broker with its timers."""

    def next_deadline(self) -> int | None:
        """When the next thing falls due, milliseconds since the epoch; None: nothing will."""
        ...

    def run_due(self, now: int) -> None:
        """Run all that is due at `now`, so that `next_deadline` is later, or None."""
        ...


class SystemClock:
    """The system's time, read once and then carried on by the monotonic clock. Thread-safe.

    A wall clock that is set forward by an hour would expire an hour's worth of messages at once.
    """

    __slots__ = ("_monotonic", "_offset")

    def __init__(
        self,
        wall: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Reads both clocks, in nanoseconds, now, and after that only `monotonic`."""
        self._monotonic = monotonic
        self._offset = wall() - monotonic()

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return (self._monotonic() + self._offset) // 1_000_000


class ManualClock:
    """A clock that stands still until `advance` moves it: time for tests. Thread-safe.

    Any number of brokers may share one; what falls due in them runs in the order of time.
    """

    __slots__ = ("_advancing", "_drivers", "_lock", "_now")

    def __init__(self, start: int = 1_767_225_600_000) -> None:
        """Starts at `start`, milliseconds since the epoch (the first instant of 2026, UTC)."""
        self._now = start
        self._drivers: list[Driver] = []
        self._lock = threading.Lock()
        self._advancing: int | None = None

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return self._now

    def attach(self, driver: Driver) -> None:
        """From now on `advance` also runs what falls due in `driver`."""
        self._drivers.append(driver)

    def detach(self, driver: Driver) -> None:
        """`advance` leaves `driver` alone from now on. One that is not attached is ignored."""
        if driver in self._drivers:
            self._drivers.remove(driver)

    def advance(self, duration: str | float) -> None:
        """Move on by `duration` ("30m", "1h30m", "1.5s", "250ms", "2d" or seconds).

        Whatever falls due on the way runs before this returns, in order, in this thread, with the
        clock standing exactly at its deadline; equal deadlines in the order in which their
        drivers were attached. 0 runs what is due now.

        Raises ValueError for what is no duration, and RuntimeError when something that `advance`
        runs calls it again. What a driver raises goes to the caller, and the clock stays at the
        deadline where that happened. Two threads that advance take turns.
        """
        milliseconds = parse_duration(duration)
        if self._advancing == threading.get_ident():
            raise RuntimeError(
                "ManualClock.advance was called from something that ManualClock.advance is "
                "running: schedule it instead, or advance after the outer call returned"
            )
        with self._lock:
            self._advancing = threading.get_ident()
            try:
                self._advance_to(self._now + milliseconds)
            finally:
                self._advancing = None

    def _advance_to(self, target: int) -> None:
        while True:
            earliest: int | None = None
            first: Driver | None = None
            for driver in tuple(self._drivers):
                deadline = driver.next_deadline()
                if deadline is not None and (earliest is None or deadline < earliest):
                    earliest, first = deadline, driver
            if first is None or earliest is None or earliest > target:
                break
            self._now = max(self._now, earliest)
            first.run_due(self._now)
        self._now = target
