"""Commits, and what is confirmed by them. When the disk fails: `test_committer_failing`."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from minibroker.durable import committer as module
from minibroker.durable.policy import SyncPolicy
from minibroker.errors import InternalError, PublisherBlocked
from minibroker.events import Confirmed

from ..described import accounted
from ..restarts import PERSISTENT, Restarts
from .confirming import confirming, events, publish

if TYPE_CHECKING:
    from minibroker import ManualClock
    from minibroker.channel import Channel


@pytest.fixture
def channel(world: Restarts) -> Channel:
    return confirming(world)


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
        with pytest.raises(InternalError, match="belongs to the process"):
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
