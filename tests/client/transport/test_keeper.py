from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from minibroker_client.transport.keeper import Keeper

if TYPE_CHECKING:
    import pytest


class Tended:
    """Something to look after, which says when it was."""

    def __init__(self, *, busy: int = 0, fails: bool = False) -> None:
        self.busy = busy
        self.fails = fails
        self.looked = threading.Semaphore(0)
        self.left = self.is_forked = False

    def tend(self, now: float) -> bool:
        self.looked.release()
        if self.fails:
            raise KeyError("broken")
        self.busy -= 1
        return self.busy > 0

    def due(self) -> float:
        return float("inf")

    def leave(self) -> None:
        self.left = True
        if self.fails:
            raise KeyError("broken")

    def forked(self) -> None:
        self.is_forked = True


def looked(tended: Tended, times: int) -> bool:
    return all(tended.looked.acquire(timeout=20) for _ in range(times))


def test_what_has_something_to_send_is_looked_at_again_and_again() -> None:
    keeper = Keeper()
    tended = Tended(busy=5)
    keeper.add(tended)
    assert looked(tended, 5)
    keeper.remove(tended)


def test_who_sleeps_is_woken() -> None:
    keeper = Keeper()
    tended = Tended()
    keeper.add(tended)
    assert looked(tended, 1)
    while keeper.awake:
        threading.Event().wait(0.01)
    keeper.wake()
    assert looked(tended, 1)
    keeper.remove(tended)


def test_one_that_fails_does_not_keep_the_others_from_being_looked_at(
    caplog: pytest.LogCaptureFixture,
) -> None:
    keeper = Keeper()
    broken, whole = Tended(fails=True), Tended()
    keeper.add(broken)
    keeper.add(whole)
    assert looked(broken, 2)
    assert looked(whole, 1)
    assert "looking after" in caplog.text
    keeper.remove(broken)
    keeper.remove(whole)


def test_the_thread_ends_with_the_last_connection_and_comes_again() -> None:
    keeper = Keeper()
    first = Tended()
    keeper.add(first)
    thread = keeper._thread
    assert thread is not None
    keeper.remove(first)
    thread.join(20)
    assert not thread.is_alive()
    second = Tended()
    keeper.add(second)
    assert looked(second, 1)
    keeper.remove(second)


def test_the_end_of_the_process_and_a_fork_reach_all() -> None:
    keeper = Keeper()
    broken, whole = Tended(fails=True), Tended()
    keeper._tended.update((broken, whole))
    keeper.leave()
    assert broken.left
    assert whole.left
    keeper.forked()
    assert whole.is_forked
    assert not list(keeper._tended)
