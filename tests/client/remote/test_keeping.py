"""The keeper's thread: what it does is waited for, by events with a generous limit."""

from __future__ import annotations

import logging
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from minibroker.errors import ConnectionForced
from minibroker_client.remote import keeping
from minibroker_client.remote.keeping import Keeper

if TYPE_CHECKING:
    from collections.abc import Callable

    from .fake import FakeSide

LONG = 600.0
"""Seconds of a lease that needs nothing during a test."""
SHORT = 0.006
PATIENCE = 10


class Kept:
    """A connection as far as its keeper knows it."""

    def __init__(self) -> None:
        self.closed = False
        self.driver = SimpleNamespace(lease_seconds=LONG)
        self.held: dict[int, object] = {1: "something"}
        self.settled: list[object] = []
        self.returned: list[object] = []
        self.done: list[str] = []
        self.flushed = threading.Event()
        self.renewed = threading.Event()
        self.error: Exception | None = None

    def flush(self) -> None:
        self.settled.clear()
        self.done.append("flush")
        self.flushed.set()

    def renew(self) -> None:
        self.done.append("renew")
        self.renewed.set()
        if self.error is not None:
            raise self.error


def keeper_of(connection: Kept, lease: float) -> Keeper:
    connection.driver.lease_seconds = lease
    kept: Any = connection
    return Keeper(kept, lease)


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "minibroker-leases"]


def until_gone() -> None:
    for thread in threads():
        thread.join(PATIENCE)
    assert threads() == []


def stopped(keeper: Keeper) -> None:
    keeper.stop()
    until_gone()


def test_there_is_no_thread_before_something_is_held() -> None:
    keeper = keeper_of(Kept(), LONG)
    assert threads() == []
    keeper.hold()
    keeper.hold()
    assert len(threads()) == 1
    stopped(keeper)


def test_leases_are_renewed_while_nothing_else_happens() -> None:
    connection = Kept()
    keeper = keeper_of(connection, SHORT)
    keeper.hold()
    for _ in range(3):
        assert connection.renewed.wait(PATIENCE)
        connection.renewed.clear()
    stopped(keeper)
    assert "flush" not in connection.done


def test_leases_that_turn_out_to_be_shorter_are_renewed_more_often() -> None:
    connection = Kept()
    keeper = keeper_of(connection, LONG)
    connection.driver.lease_seconds = SHORT
    keeper.hold()
    keeper.settled()
    for _ in range(3):
        assert connection.renewed.wait(PATIENCE)
        connection.renewed.clear()
    stopped(keeper)


def test_what_was_settled_is_sent_a_moment_later_when_nothing_else_sends_it() -> None:
    connection = Kept()
    keeper = keeper_of(connection, LONG)
    keeper.hold()
    connection.settled.append("ack")
    keeper.settled()
    assert connection.flushed.wait(PATIENCE)
    stopped(keeper)


def test_the_moment_is_long_enough_for_others_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    connection = Kept()
    connection.settled.append("ack")

    class Clock:
        @staticmethod
        def sleep(seconds: float) -> None:
            slept.append(seconds)
            connection.settled.append("another")
            sent.append(list(connection.settled))

    sent: list[list[object]] = []
    monkeypatch.setattr(keeping, "time", Clock)
    keeper = keeper_of(connection, LONG)
    keeper.hold()
    keeper.settled()
    assert connection.flushed.wait(PATIENCE)
    stopped(keeper)
    assert slept[0] == keeping.MOMENT
    assert sent[0] == ["ack", "another"]
    assert connection.done[0] == "flush"


def test_a_failure_is_logged_and_the_thread_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    connection = Kept()
    connection.error = ConnectionForced("the cable was cut")
    keeper = keeper_of(connection, SHORT)
    with caplog.at_level(logging.WARNING):
        keeper.hold()
        for _ in range(2):
            assert connection.renewed.wait(PATIENCE)
            connection.renewed.clear()
        stopped(keeper)
    assert "leases could not be renewed" in caplog.messages[0]
    assert "the cable was cut" in caplog.messages[0]


def test_the_thread_ends_when_nothing_has_been_held_for_long_and_begins_again() -> None:
    connection = Kept()
    keeper = keeper_of(connection, SHORT)
    connection.held.clear()
    keeper.hold()
    until_gone()
    connection.renewed.clear()
    keeper.hold()
    assert connection.renewed.wait(PATIENCE)
    stopped(keeper)


@pytest.mark.parametrize("end", ["closed", "forgotten"])
def test_the_thread_ends_with_its_connection(end: str) -> None:
    connection: Kept | None = Kept()
    assert connection is not None
    keeper = keeper_of(connection, SHORT)
    keeper.hold()
    if end == "closed":
        connection.closed = True
    else:
        connection = None
    until_gone()
    del connection


def test_a_keeper_that_was_stopped_does_not_begin_again() -> None:
    keeper = keeper_of(Kept(), LONG)
    keeper.stop()
    keeper.hold()
    assert threads() == []


def test_an_ack_reaches_the_system_though_the_program_does_nothing_more(
    opened: Callable[..., FakeSide],
) -> None:
    side = opened()
    side.channel.declare_queue("q")
    acked = threading.Event()
    side.driver.before["ack"] = acked.set
    side.remote.keeper = keeper = Keeper(side.remote, LONG)
    for _ in range(2):
        side.publish("q")
    side.consume()
    side.drain_all()
    side.channel.ack(1)
    assert acked.wait(PATIENCE)
    stopped(keeper)


def test_what_is_leased_while_the_thread_is_ending_is_kept() -> None:
    connection = Kept()
    connection.held = {}
    keeper = keeper_of(connection, SHORT)

    class Lock:
        """The keeper's, at which a lease comes in between when the thread is about to end."""

        def __init__(self) -> None:
            self.inner = threading.Lock()

        def __enter__(self) -> None:
            if threading.current_thread().name == "minibroker-leases" and not connection.held:
                connection.held[1] = "leased"
                keeper.hold()
            self.inner.acquire()

        def __exit__(self, *_: object) -> None:
            self.inner.release()

    lock: Any = Lock()
    keeper._lock = lock
    keeper.hold()
    while not connection.held:
        connection.renewed.wait(0.01)
    for _ in range(3):
        connection.renewed.clear()
        assert connection.renewed.wait(PATIENCE)
    keeper.stop()
