"""How long deliveries of one channel have been unacked, without a time stamp on each.

Every so often the channel notes the time and its last delivery tag: all tags up to there are at
least that old. A note costs nothing per message, where a time stamp would cost 100 ns each.
RabbitMQ checks at intervals as well (RabbitMQ documentation, "Delivery Acknowledgement Timeout").
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..queues.entry import Entry
    from ..timers import Timer, Timers

__all__ = ["Timeouts"]

CHECKS = 30
"""How often a delivery is looked at within its timeout: it may overstay by a thirtieth."""


class Timeouts:
    """The notes of one channel. Times are milliseconds since the epoch."""

    __slots__ = ("notes", "step", "timer")

    def __init__(self) -> None:
        self.notes: deque[tuple[int, int]] = deque()
        self.step = 0
        self.timer: Timer | None = None

    @property
    def running(self) -> bool:
        """Whether somebody looks at the deliveries every so often."""
        return bool(self.notes)

    def watch(
        self, timers: Timers, now: int, last_tag: int, timeout: int, check: Callable[[int], None]
    ) -> None:
        """An entry with this timeout was handed out just now; `check` is called in steps."""
        if self.timer is None:
            self.timer = timers.new(check)
        step = max(timeout // CHECKS, 1)
        if not self.running:
            self.notes.append((now, last_tag))
            self.step = step
        elif step >= self.step:
            return
        self.step = step
        self.timer.set(now + step)

    def overdue(
        self, now: int, unacked: dict[int, Entry], timeout_of: Callable[[Entry], int | None]
    ) -> tuple[Entry, int] | None:
        """A delivery that is unacked for longer than its timeout, and that timeout."""
        notes = iter(self.notes)
        note = next(notes, None)
        for tag, entry in unacked.items():
            while note is not None and note[1] < tag:
                note = next(notes, None)
            if note is None:
                return None
            timeout = timeout_of(entry)
            if timeout is not None and now - note[0] >= timeout:
                return entry, timeout
        return None

    def note(self, now: int, last_tag: int, first_unacked: int) -> None:
        """Nothing is overdue: remember the time, and look again after a step."""
        assert self.timer is not None
        while self.notes and self.notes[0][1] < first_unacked:
            self.notes.popleft()
        if not self.notes or self.notes[-1][1] < last_tag:
            self.notes.append((now, last_tag))
        self.timer.set(now + self.step)

    def stop(self) -> None:
        """Nothing is unacked, or the channel is closed."""
        self.notes.clear()
        if self.timer is not None:
            self.timer.clear()
