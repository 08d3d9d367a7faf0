"""The thread that keeps time. Whole brokers on the system's clock: `test_threads`."""

from __future__ import annotations

import gc
import threading

from minibroker.ticker import Ticker

PATIENCE = 10.0


class FastClock:
    """A clock that the test moves; waits are short because deadlines are in the past."""

    def __init__(self) -> None:
        self.time = 1000

    def now(self) -> int:
        """Milliseconds."""
        return self.time


class Work:
    """A driver with a list of deadlines."""

    def __init__(self, *deadlines: int) -> None:
        self.deadlines = sorted(deadlines)
        self.ran: list[int] = []
        self.idle = threading.Event()

    def next_deadline(self) -> int | None:
        """The earliest."""
        if not self.deadlines:
            self.idle.set()
            return None
        return self.deadlines[0]

    def run_due(self, now: int) -> None:
        """Note what was due."""
        while self.deadlines and self.deadlines[0] <= now:
            self.ran.append(self.deadlines.pop(0))


def test_no_thread_starts_before_there_is_a_deadline() -> None:
    work = Work()
    ticker = Ticker(work, FastClock())
    assert not ticker.running
    ticker.stop()
    assert not ticker.running


def test_what_is_due_runs_in_order_and_the_thread_then_waits() -> None:
    work = Work(900, 1000, 950)
    ticker = Ticker(work, FastClock())
    ticker.earlier(900)
    assert work.idle.wait(PATIENCE)
    assert work.ran == [900, 950, 1000]
    assert ticker.running
    ticker.stop()
    assert not ticker.running


def test_an_earlier_deadline_wakes_the_thread() -> None:
    work, clock = Work(900), FastClock()
    ticker = Ticker(work, clock)
    ticker.earlier(900)
    assert work.idle.wait(PATIENCE)
    work.idle.clear()
    work.deadlines = [1000]
    ticker.earlier(1000)
    assert work.idle.wait(PATIENCE)
    assert work.ran == [900, 1000]
    ticker.stop()


def test_it_does_not_start_again_after_it_was_stopped() -> None:
    work = Work(900)
    ticker = Ticker(work, FastClock())
    ticker.stop()
    ticker.earlier(900)
    assert not ticker.running
    assert work.ran == []


def test_it_ends_with_its_driver() -> None:
    work = Work(900)
    idle = work.idle
    ticker = Ticker(work, FastClock())
    ticker.earlier(900)
    assert idle.wait(PATIENCE)
    thread = next(each for each in threading.enumerate() if each.name == "minibroker-ticker")
    del work
    gc.collect()
    thread.join(PATIENCE)
    assert not ticker.running


def test_stopping_from_its_own_thread_does_not_wait_for_itself() -> None:
    class Suicidal(Work):
        def run_due(self, now: int) -> None:
            super().run_due(now)
            ticker.stop()

    work = Suicidal(900)
    ticker = Ticker(work, FastClock())
    ticker.earlier(900)
    assert work.idle.wait(PATIENCE)
    ticker.stop()
    assert work.ran == [900]
    assert not ticker.running
