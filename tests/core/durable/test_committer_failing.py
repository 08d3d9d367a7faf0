"""What a committer does when the disk fails, or something else does."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from minibroker.durable.policy import SyncPolicy
from minibroker.errors import InternalError, LogError, PublisherBlocked
from minibroker.events import Blocked, Confirmed, Unblocked

from ..described import accounted, described
from ..restarts import Restarts
from .confirming import confirming, events, fail, publish

if TYPE_CHECKING:
    from minibroker.channel import Channel


@pytest.fixture
def channel(world: Restarts) -> Channel:
    return confirming(world)


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
    with pytest.raises(LogError, match="RuntimeError: a bug"):
        world.close()


def test_giving_up_refuses_what_an_interrupted_commit_left_and_what_came_after_it(
    world: Restarts, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    publish(channel, "a")
    with monkeypatch.context() as patch:
        patch.setattr(world.committer.log, "sync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            world.committer.commit()
    publish(channel, "b")
    world.committer.give_up(RuntimeError("a bug"))
    told = [event for event in events(channel) if isinstance(event, Confirmed)]
    assert told == [Confirmed(channel, 1, True, False), Confirmed(channel, 2, True, False)]
    with pytest.raises(LogError, match="RuntimeError: a bug"):
        world.close()


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
