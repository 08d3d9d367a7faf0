"""Deadlines of one broker, in order. Knows no clock: the time is a number that is passed in.

A `Timer` belongs to whoever waits for something (a queue's head that expires, an idle queue, an
unacked delivery); `Timers` holds those that are set and runs what falls due. Setting and clearing
cost O(log n) of the timers that are set. Nothing here is thread-safe: the broker's lock is held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sortedcontainers import SortedList

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Timer", "Timers"]


class Timer:
    """One deadline and what is called at it, made by `Timers.new`. Not thread-safe."""

    __slots__ = ("_callback", "_order", "_timers", "when")

    def __init__(self, timers: Timers, callback: Callable[[int], None]) -> None:
        self._timers = timers
        self._callback = callback
        self._order = 0
        self.when: int | None = None
        """The deadline in milliseconds since the epoch, None while the timer is not set. Read only:
        change it with `set` and `clear`."""

    def set(self, when: int) -> None:
        """Call back at `when` (milliseconds since the epoch), instead of when it was set for.

        A deadline in the past falls due at the next `run_due`. Setting the deadline that is set
        already changes nothing, not even the order among equal deadlines.
        """
        if self.when == when:
            return
        if self.when is not None:
            self.clear()
        self._timers._add(self, when)

    def clear(self) -> None:
        """Do not call back. Clearing a timer that is not set does nothing."""
        if self.when is not None:
            self._timers._deadlines.remove((self.when, self._order, self))
            self.when = None

    def __repr__(self) -> str:
        return f"<Timer at {self.when} for {self._callback!r}>"


class Timers:
    """All timers of one broker that are set, in order of deadline and then of setting."""

    __slots__ = ("_deadlines", "_order", "on_earlier")

    def __init__(self) -> None:
        # The order is unique, so two timers are never compared with each other.
        self._deadlines: SortedList[tuple[int, int, Timer]] = SortedList()
        self._order = 0
        self.on_earlier: Callable[[int], None] | None = None
        """Called with the earliest deadline (milliseconds) when setting a timer made it earlier
        than it was, or made it the only one: whoever sleeps until `next` has to wake up."""

    def new(self, callback: Callable[[int], None]) -> Timer:
        """A timer that is not set yet; `callback` gets the time at which it is run, in
        milliseconds since the epoch.
        """
        return Timer(self, callback)

    @property
    def next(self) -> int | None:
        """The earliest deadline in milliseconds since the epoch, None when nothing is set."""
        return self._deadlines[0][0] if self._deadlines else None

    def __len__(self) -> int:
        return len(self._deadlines)

    def run_due(self, now: int) -> int | None:
        """Call back everything that is due at `now` (milliseconds since the epoch).

        In order of deadline, and of setting among equal ones, including what the callbacks set
        for `now` or earlier. A timer counts as not set while its callback runs, which may set it
        again. Returns the next deadline or None. What a callback raises goes to the caller; the
        timers behind it stay set and run next time.
        """
        deadlines = self._deadlines
        while deadlines and deadlines[0][0] <= now:
            timer = deadlines.pop(0)[2]
            timer.when = None
            timer._callback(now)
        return self.next

    def _add(self, timer: Timer, when: int) -> None:
        earlier = not self._deadlines or when < self._deadlines[0][0]
        self._order += 1
        timer.when, timer._order = when, self._order
        self._deadlines.add((when, self._order, timer))
        if earlier and self.on_earlier is not None:
            self.on_earlier(when)

    def _check(self) -> None:
        entries = list(self._deadlines)
        assert entries == sorted(entries, key=lambda entry: entry[:2]), "out of order"
        for when, order, timer in entries:
            assert timer._timers is self, f"{timer!r} is a stranger"
            assert (timer.when, timer._order) == (when, order), f"{timer!r} is not at {when}"
