"""Commits, what is confirmed by them, and what happens when the disk fails."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from minibroker.durable import committer as module
from minibroker.durable.policy import SyncPolicy
from minibroker.errors import InternalError, PublisherBlocked
from minibroker.events import Blocked, Confirmed, Unblocked

from ..described import accounted, described
from ..restarts import PERSISTENT, Restarts

if TYPE_CHECKING:
    from minibroker import ManualClock
    from minibroker.channel import Channel


@pytest.fixture
def channel(world: Restarts) -> Channel:
    """A channel with confirms, and a durable queue `q` on the disk."""
    world.options["blocked_timeout"] = 0
    channel = world.channel()
    channel.declare_queue("q", durable=True)
    channel.confirm_select()
    world.broker.sync()
    return channel


def publish(channel: Channel, *bodies: str, timeout: float | None = None) -> None:
    for body in bodies:
        channel.publish("", "q", body.encode(), PERSISTENT, timeout=timeout)


def events(channel: Channel) -> list[Any]:
    """What the connection was told, taken out."""
    outbox = channel.connection.outbox
    found = list(outbox)
    outbox.clear()
    return found


def fail(world: Restarts, *kinds: str, times: int | None = 1) -> None:
    world.files.fail(kinds=kinds or ("sync",), code=errno.EIO, times=times)


# -- a commit


def test_a_commit_confirms_what_was_published_before_it_and_nothing_else(
    world: Restarts, channel: Channel
) -> None:
    publish(channel, "a", "b")
    assert world.committer.commit()
    publish(channel, "c")
    assert events(channel) == [Confirmed(channel, 2, True, True)]
    assert world.committer.commit()
    assert events(channel) == [Confirmed(channel, 3, True, True)]


def test_a_channel_that_is_closed_hears_nothing(world: Restarts, channel: Channel) -> None:
    publish(channel, "a")
    channel.close()
    world.broker.sync()
    assert events(channel) == []


def test_a_commit_of_nothing_writes_nothing(world: Restarts, channel: Channel) -> None:
    before = world.files.count
    assert world.committer.commit()
    world.broker.sync()
    assert world.files.count == before


def test_who_drains_commits_for_itself(world: Restarts) -> None:
    world.channel().declare_queue("q", durable=True)
    connection = world.broker.connect()
    channel = connection.channel()
    channel.confirm_select()
    publish(channel, "a")
    assert connection.drain(0) == Confirmed(channel, 1, True, True)
    with pytest.raises(TimeoutError):
        connection.drain(0)


def test_one_at_a_time_commits(world: Restarts, channel: Channel) -> None:
    committer = world.committer
    with committer.exclusively() as mine:
        assert mine
        assert not committer.commit()
        with committer.exclusively(wait=False) as second:
            assert not second
        assert committer.busy
    assert not committer.busy
    with committer.exclusively(wait=False) as mine:
        assert mine


def test_who_waits_for_its_turn_gets_it(world: Restarts, channel: Channel) -> None:
    committer = world.committer
    turns: list[bool] = []

    def wait() -> None:
        with committer.exclusively() as mine:
            turns.append(mine)

    thread = threading.Thread(target=wait)
    with committer.exclusively():
        thread.start()
        assert turns == []
    thread.join(30)
    assert turns == [True]


@pytest.mark.parametrize("how", ["sync", "drain"])
def test_who_waits_while_another_one_commits_commits_after_it(
    world: Restarts, channel: Channel, how: str
) -> None:
    committer = world.committer
    connection = world.broker.connect()
    mine = connection.channel()
    mine.confirm_select()
    begun = threading.Event()
    found: list[object] = []

    def wait() -> None:
        publish(mine, "m")
        begun.set()
        if how == "sync":
            world.broker.sync()
        else:
            found.append(connection.drain(60))
        found.append(committer.journal.has_work)

    thread = threading.Thread(target=wait)
    with committer.exclusively():
        thread.start()
        assert begun.wait(60)
        committer.write()
    thread.join(60)
    assert found[-1] is False
    if how == "drain":
        assert found[0] == Confirmed(mine, 1, True, True)


def test_a_forked_child_commits_nothing(
    world: Restarts, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(channel, "a")
    before = world.files.count
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -5)
        assert not world.committer.commit()
        with world.committer.exclusively() as mine:
            assert not mine
        world.broker.sync()
        world.committer.assist()
    assert (events(channel), world.files.count) == ([], before)


# -- when it is synced


def syncs(world: Restarts) -> int:
    return sum(each.startswith("sync") for each in world.files.history)


def test_always_is_before_anything_is_confirmed(world: Restarts, channel: Channel) -> None:
    before = syncs(world)
    publish(channel, "a")
    world.committer.commit()
    assert (syncs(world), world.committer.log.unsynced) == (before + 1, 0)


def test_never_is_when_the_log_would_hold_too_much(
    world: Restarts, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.committer.policy = SyncPolicy.parse("never")
    publish(channel, "a")
    world.committer.commit()
    assert events(channel) == [Confirmed(channel, 1, True, True)]
    unsynced = world.committer.log.unsynced
    assert unsynced
    assert world.committer.sync_due is None
    monkeypatch.setattr(module, "UNSYNCED", unsynced + 1)
    publish(channel, "b")
    world.committer.commit()
    assert world.committer.log.unsynced == 0


def test_an_interval_is_when_that_time_is_over(world: Restarts, channel: Channel) -> None:
    now = [100.0]
    committer = world.committer
    committer.policy, committer.now = SyncPolicy.parse("interval:10s"), lambda: now[0]
    committer.synced_at = 100.0
    assert committer.sync_due is None
    publish(channel, "a")
    committer.commit()
    assert committer.log.unsynced
    assert committer.sync_due == 10
    now[0] = 104
    assert committer.sync_due == 6
    now[0] = 111
    assert committer.sync_due == 0
    committer.commit()
    assert (committer.log.unsynced, committer.sync_due, committer.synced_at) == (0, None, 111)


def test_what_is_not_on_the_disk_yet_is_neither_accounted_nor_paged(
    world: Restarts, channel: Channel
) -> None:
    world.committer.policy = SyncPolicy.parse("never")
    publish(channel, *map(str, range(2000)))
    world.committer.commit()
    assert not any(segment.entries for segment in world.committer.log.segments)
    with world.committer.exclusively():
        world.committer.write(sync=True)
    accounted(world.broker)
    assert world.drained("q") == list(map(str, range(2000)))


# -- a disk that fails


@pytest.mark.parametrize("kind", ["write", "sync"])
def test_what_could_not_be_written_is_refused_and_the_gate_is_shut_until_it_can(
    world: Restarts, channel: Channel, kind: str
) -> None:
    publish(channel, "a")
    fail(world, kind)
    world.committer.commit()
    assert events(channel) == [
        Confirmed(channel, 1, True, False),
        Blocked("low on disk"),
    ]
    assert isinstance(world.committer.error, OSError)
    assert world.committer.failed
    publish(channel, "b")  # waits, and by that lets it be tried again
    assert events(channel) == [Unblocked()]
    assert not world.committer.failed
    world.broker.sync()
    assert events(channel) == [Confirmed(channel, 2, True, True)]


def test_a_publisher_is_told_why_it_waits(world: Restarts, channel: Channel) -> None:
    fail(world, times=None)
    publish(channel, "a")
    world.committer.commit()
    with pytest.raises(
        PublisherBlocked, match=r"low on disk: the log cannot be written: \[Errno 5"
    ):
        publish(channel, "b", timeout=0)
    world.files.heal()


def test_nothing_is_confirmed_on_the_strength_of_a_later_sync(
    world: Restarts, channel: Channel
) -> None:
    """A sync that failed may have dropped what it was to write, and the next one succeeds."""
    for seed in range(8):
        publish(channel, "refused")
        world.files.fail(kinds={"sync"}, code=errno.EIO, drops=True)
        world.committer.commit()
        publish(channel, f"confirmed {seed}")
        world.broker.sync()
        answers = [event.ok for event in events(channel) if isinstance(event, Confirmed)]
        assert answers == [False, True]
        left = world.files.after_power_cut(seed)
        other = Restarts(world.clock, left)
        bodies = other.drained("q")
        other.close()
        assert [f"confirmed {each}" for each in range(seed + 1)] == [
            body for body in bodies if body.startswith("confirmed")
        ]


def test_what_was_refused_is_written_once_it_can_be_and_nothing_is_lost(
    world: Restarts, channel: Channel
) -> None:
    publish(channel, "a")
    fail(world, "write", "sync", "create", times=5)
    for _ in range(8):
        world.committer.commit()
    assert not world.committer.failed
    world.broker.sync()
    accounted(world.broker)
    before = described(world.broker)
    world.crash(power=1)
    assert described(world.broker) == before


def test_sync_and_commits_of_transactions_say_that_it_failed(
    world: Restarts, channel: Channel
) -> None:
    other = world.channel()
    other.tx_select()
    publish(other, "a")
    fail(world, times=None)
    with pytest.raises(InternalError, match="the log cannot be written"):
        other.tx_commit()
    with pytest.raises(InternalError, match="the log cannot be written"):
        world.broker.sync()
    world.files.heal()
    world.broker.sync()
    assert world.count("q") == 1


def test_other_things_go_on_while_the_disk_fails(world: Restarts, channel: Channel) -> None:
    publish(channel, "a", "b")
    fail(world, times=None)
    world.committer.commit()
    consumer = world.channel()
    answer = consumer.get("q")
    assert answer is not None
    consumer.ack(answer.entry.tag)
    consumer.declare_queue("other", durable=True)
    world.files.heal()
    world.broker.sync()
    world.crash()
    assert world.drained("q") == ["b"]
    assert "other" in world.broker.vhosts["/"].queues


def test_healed_tries_again_what_failed_and_takes_nothing_new(
    world: Restarts, channel: Channel
) -> None:
    fail(world, times=None)
    publish(channel, "a")
    world.committer.commit()
    world.channel().declare_queue("more", durable=True)
    with world.committer.exclusively():
        assert not world.committer.healed()
        world.files.heal()
        assert world.committer.healed()
        assert world.committer.healed()
    assert world.committer.journal.has_work


def test_an_interrupted_commit_is_done_again_and_confirmed_then(
    world: Restarts, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    publish(channel, "a")
    with monkeypatch.context() as patch:
        patch.setattr(world.committer.log, "sync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            world.committer.commit()
    assert events(channel) == []
    assert not world.committer.busy
    world.committer.commit()
    assert events(channel) == [Confirmed(channel, 1, True, True)]
    world.crash(power=2)
    assert world.drained("q") == ["a"]


def test_giving_up_refuses_what_waits_and_commits_nothing_more(
    world: Restarts, channel: Channel
) -> None:
    world.committer.policy = SyncPolicy.parse("never")
    world.committer.give_up(RuntimeError("a bug"))
    assert events(channel) == [Blocked("low on disk")]
    assert not world.committer.commit()
    with pytest.raises(InternalError, match="RuntimeError: a bug"):
        world.broker.sync()


# -- a full disk


def test_a_full_disk_is_written_into_the_reserve_and_publishers_wait(
    world: Restarts, channel: Channel
) -> None:
    publish(channel, "a")
    world.files.fail(kinds={"sync"}, code=errno.ENOSPC)
    world.files.fail(kinds={"create"}, code=errno.ENOSPC, times=None, at=1)  # no more reserve
    world.committer.commit()
    assert world.committer.low
    assert not world.committer.failed
    assert events(channel) == [Blocked("low on disk"), Confirmed(channel, 1, True, True)]
    with pytest.raises(PublisherBlocked, match="the disk is full"):
        publish(channel, "b", timeout=0)
    world.files.heal()
    world.committer.commit()
    assert not world.committer.low
    assert events(channel) == [Unblocked()]


def test_a_disk_that_is_full_in_spite_of_the_reserve_has_failed(
    world: Restarts, channel: Channel
) -> None:
    publish(channel, "a")
    world.files.fail(kinds={"sync"}, code=errno.ENOSPC, times=None)
    world.committer.commit()
    assert world.committer.failed
    world.files.heal()
    world.broker.sync()
    assert not world.committer.failed


# -- much that waits


def test_when_so_much_waits_who_publishes_commits_it(clock: ManualClock) -> None:
    world = Restarts(clock, blocked_timeout=0, segment_size=1 << 24)
    channel = world.channel()
    channel.declare_queue("q", durable=True)
    for _ in range(9):
        channel.publish("", "q", bytes(module.BATCH // 4), PERSISTENT)
    assert world.committer.journal.size <= module.BATCH + module.BATCH // 4 + 1000
    assert world.count("q") == 9
    world.close()


def test_where_there_is_a_worker_it_is_told_to_hurry(world: Restarts, channel: Channel) -> None:
    hurried: list[str] = []
    committer = world.committer
    committer.hurry = lambda: hurried.append("now")
    committer.journal.most = committer.journal.room = 500
    publish(channel, "x" * 600)
    assert hurried == ["now"]
    with pytest.raises(PublisherBlocked, match="bytes wait for the log to be written"):
        publish(channel, "y", timeout=0)
    committer.relieve()
    assert committer.journal.has_work
    committer.commit()
    publish(channel, "y")
    committer.hurry = None
