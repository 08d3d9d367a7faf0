"""The thread that commits. Nothing here waits for a time, only for what the thread does."""

from __future__ import annotations

import errno
import logging
import threading
from typing import TYPE_CHECKING

import pytest

from faulty import FaultyFiles
from minibroker import Broker
from minibroker.durable.worker import ASLEEP, AWAKE, LAZY, LINGER, RETRY, Worker
from minibroker.errors import InternalError, LogError, PublisherBlocked
from minibroker.events import Blocked, Confirmed, Unblocked

from ..restarts import PERSISTENT, Restarts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minibroker.durable.committer import Committer
    from minibroker.local import LocalConnection

LONG = 60
"""Seconds after which a test fails, which nothing takes."""


@pytest.fixture
def files() -> FaultyFiles:
    return FaultyFiles()


@pytest.fixture
def threaded(files: FaultyFiles) -> Iterator[Broker]:
    """A broker on the clock of the system, with a thread that commits."""
    broker = Broker(data=files, blocked_timeout=LONG)
    broker.connect().channel().declare_queue("q", durable=True)
    broker.sync()
    yield broker
    files.heal()
    try:
        broker.close()
    except LogError:
        assert broker.closed


def committer_of(broker: Broker) -> Committer:
    assert broker._durability is not None
    return broker._durability.committer


def until(broker: Broker, condition: Callable[[], bool]) -> None:
    """Wait for what a commit brings about."""
    committer = committer_of(broker)
    with committer.lock:
        assert committer.changed.wait_for(condition, LONG)


def next_of(connection: LocalConnection) -> object:
    return connection.drain(LONG)


# -- with a thread


def test_what_nobody_waits_for_is_committed_all_the_same(threaded: Broker) -> None:
    committer = committer_of(threaded)
    before = committer.progress.syncs
    threaded.connect().channel().publish("", "q", b"m", PERSISTENT)
    until(threaded, lambda: committer.progress.syncs > before)
    assert committer.log.unsynced == 0


def test_confirms_come_without_anybody_draining(threaded: Broker) -> None:
    connection = threaded.connect()
    channel = connection.channel()
    channel.confirm_select()
    channel.publish("", "q", b"m", PERSISTENT)
    until(threaded, lambda: bool(connection.outbox))
    assert list(connection.outbox) == [Confirmed(channel, 1, True, True)]


def test_many_threads_that_wait_are_all_answered(threaded: Broker) -> None:
    tags: list[int] = []

    def run() -> None:
        connection = threaded.connect()
        channel = connection.channel()
        channel.confirm_select()
        for number in range(30):
            channel.publish("", "q", b"m", PERSISTENT)
            event = next_of(connection)
            assert isinstance(event, Confirmed)
            assert event.ok
            assert event.tag == number + 1
        tags.append(30)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert tags == [30] * 4


def test_sync_and_transactions_hurry_it(threaded: Broker, files: FaultyFiles) -> None:
    channel = threaded.connect().channel()
    channel.tx_select()
    for _ in range(20):
        channel.publish("", "q", b"m", PERSISTENT)
        channel.tx_commit()
        assert committer_of(threaded).log.unsynced == 0
    channel.tx_rollback()
    threaded.sync()
    left = files.after_power_cut(1)
    with Broker(data=left) as broker:
        assert broker.vhosts["/"].queues["q"].message_count == 20


def test_after_a_failure_it_tries_again_by_itself(threaded: Broker, files: FaultyFiles) -> None:
    connection = threaded.connect()
    channel = connection.channel()
    channel.confirm_select()
    files.fail(kinds={"sync"}, code=errno.EIO)
    channel.publish("", "q", b"m", PERSISTENT)
    assert next_of(connection) == Confirmed(channel, 1, True, False)
    assert next_of(connection) == Blocked("low on disk")
    assert next_of(connection) == Unblocked()
    channel.publish("", "q", b"m", PERSISTENT)
    assert next_of(connection) == Confirmed(channel, 2, True, True)


def test_publishers_wait_while_it_fails_and_go_on_when_it_does_not(
    threaded: Broker, files: FaultyFiles
) -> None:
    connection = threaded.connect()
    channel = connection.channel()
    files.fail(kinds={"sync"}, code=errno.EIO, times=None)
    channel.publish("", "q", b"m", PERSISTENT)
    assert next_of(connection) == Blocked("low on disk")
    with pytest.raises(PublisherBlocked, match="the log cannot be written"):
        channel.publish("", "q", b"m", PERSISTENT, timeout=0)
    with pytest.raises(InternalError, match="the log cannot be written"):
        threaded.sync()
    files.heal()
    channel.publish("", "q", b"m", PERSISTENT)
    threaded.sync()
    assert threaded.vhosts["/"].queues["q"].message_count == 2


def test_a_bug_stops_the_log_and_nothing_is_confirmed_any_more(
    threaded: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash() -> None:
        raise ZeroDivisionError("a bug")

    assert threaded._durability is not None
    connection = threaded.connect()
    channel = connection.channel()
    channel.confirm_select()
    monkeypatch.setattr(threaded._durability.upkeep, "commit", crash)
    with caplog.at_level(logging.CRITICAL):
        channel.publish("", "q", b"m", PERSISTENT)
        for _ in range(2):  # the first one may wait for the commit that ends by the bug
            with pytest.raises(InternalError, match="ZeroDivisionError: a bug"):
                threaded.sync()
    assert list(connection.outbox) == [Blocked("low on disk"), Confirmed(channel, 1, True, False)]
    with pytest.raises(PublisherBlocked):
        channel.publish("", "q", b"m", PERSISTENT, timeout=0)


def test_an_interval_is_kept_without_anybody_waiting(files: FaultyFiles) -> None:
    with Broker(data=files, fsync="interval:10ms") as broker:
        channel = broker.connect().channel()
        channel.declare_queue("q", durable=True)
        channel.publish("", "q", b"m", PERSISTENT)
        committer = committer_of(broker)
        until(broker, lambda: not committer.journal.has_work and not committer.log.unsynced)


def test_checkpoints_and_space_are_looked_after(files: FaultyFiles) -> None:
    with Broker(data=files, segment_size=4096) as broker:
        channel = broker.connect().channel()
        channel.declare_queue("q", durable=True)
        for _ in range(20):
            for _ in range(20):
                channel.publish("", "q", bytes(100), PERSISTENT)
            channel.purge_queue("q")
            broker.sync()
        until(broker, lambda: len(committer_of(broker).log.segments) < 5)


def test_a_broker_ends_its_thread_when_it_is_closed(files: FaultyFiles) -> None:
    before = threading.active_count()
    for _ in range(3):
        Broker(data=files).close()
    assert threading.active_count() == before


# -- when it is time, asked without a thread that runs


@pytest.fixture
def idle(world: Restarts) -> Iterator[tuple[Worker, list[float]]]:
    """A worker whose thread has ended, and the time that it sees."""
    world.channel().declare_queue("q", durable=True)
    world.broker.sync()
    now = [1000.0]
    worker = Worker(world.committer, world.upkeep, lambda: now[0])
    worker.stop()
    world.upkeep.now = world.committer.now = lambda: now[0]
    world.upkeep._seen = world.committer.progress.syncs
    yield worker, now
    world.committer.journal.on_work = lambda: None


def test_it_sleeps_when_there_was_nothing_to_do_for_a_while(
    idle: tuple[Worker, list[float]],
) -> None:
    worker, now = idle
    worker._busy_at = now[0]
    assert (worker._delay(), worker._state) == (LINGER, AWAKE)
    now[0] += 1
    assert (worker._delay(), worker._state) == (None, ASLEEP)


def test_work_that_nobody_waits_for_may_wait_longer(
    world: Restarts, idle: tuple[Worker, list[float]]
) -> None:
    worker, now = idle
    channel = world.channel()
    channel.publish("", "q", b"m", PERSISTENT)
    assert worker._delay() == pytest.approx(LAZY)
    now[0] += LAZY / 2
    assert worker._delay() == pytest.approx(LAZY / 2)
    channel.confirm_select()
    channel.publish("", "q", b"m", PERSISTENT)
    delay = worker._delay()
    assert delay is not None
    assert delay <= LINGER
    with world.committer.lock:
        worker._hurry()
    assert worker._delay() == 0


def test_work_wakes_it_once_and_only_if_it_sleeps_longer_than_that_may_wait(
    world: Restarts, idle: tuple[Worker, list[float]]
) -> None:
    worker, now = idle
    now[0] += 10
    worker._delay()
    channel = world.channel()
    states = []
    channel.publish("", "q", b"m", PERSISTENT)
    states.append(worker._state)
    channel.publish("", "q", b"m", PERSISTENT)
    states.append(worker._state)
    channel.confirm_select()
    channel.publish("", "q", b"m", PERSISTENT)
    states.append(worker._state)
    assert states == [1, 1, 2]


def test_while_somebody_else_commits_it_looks_again_soon(
    world: Restarts, idle: tuple[Worker, list[float]]
) -> None:
    worker, _ = idle
    with world.committer.exclusively():
        assert worker._delay() == LINGER


def test_after_a_failure_it_waits_a_moment(
    world: Restarts, idle: tuple[Worker, list[float]]
) -> None:
    worker, now = idle
    world.channel().publish("", "q", b"m", PERSISTENT)
    world.files.fail(kinds={"sync"}, code=errno.EIO)
    world.committer.commit()
    assert worker._delay() == pytest.approx(RETRY)
    now[0] += RETRY
    delay = worker._delay()
    assert delay is not None
    assert delay <= 0
    world.committer.commit()


def test_while_the_disk_is_full_it_looks_from_time_to_time_whether_it_still_is(
    world: Restarts, idle: tuple[Worker, list[float]]
) -> None:
    worker, _ = idle
    world.committer.low = True
    assert worker._delay() == pytest.approx(RETRY)
    world.channel().publish("", "q", b"m", PERSISTENT)
    assert worker._delay() == pytest.approx(LAZY)
    world.committer.low = False


def test_it_wakes_up_for_a_sync_and_for_upkeep(
    world: Restarts, idle: tuple[Worker, list[float]]
) -> None:
    worker, now = idle
    world.committer.policy = type(world.committer.policy).parse("interval:10s")
    world.committer.synced_at = now[0]
    world.channel().publish("", "q", b"m", PERSISTENT)
    world.committer.commit()
    now[0] += 2
    worker._busy_at = 0
    assert worker._delay() == pytest.approx(8)
    world.upkeep._checkpoint_due = 0
    assert worker._delay() == 0


def test_stopping_it_twice_does_nothing(idle: tuple[Worker, list[float]]) -> None:
    idle[0].stop()
