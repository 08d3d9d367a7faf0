"""What keeps a log small, and never loses what is needed of it."""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING

import pytest

from minibroker.durable import upkeep as module
from minibroker.journal import checkpoint as checkpoints
from minibroker.store import TEMPORARY

from ..described import accounted, described
from ..restarts import PERSISTENT, Restarts

if TYPE_CHECKING:
    from minibroker import ManualClock
    from minibroker.channel import Channel


@pytest.fixture
def channel(world: Restarts) -> Channel:
    """A channel, and a durable queue `q`."""
    channel = world.channel()
    channel.declare_queue("q", durable=True)
    return channel


def publish(world: Restarts, count: int, size: int = 20, queue: str = "q") -> None:
    """Messages of which a few at a time are committed, without upkeep."""
    channel = world.channel()
    for number in range(count):
        channel.publish("", queue, b"%d" % number + bytes(size), PERSISTENT)
        if number % 10 == 9:
            write(world)
    write(world)
    channel.connection.close()


def write(world: Restarts) -> None:
    """Commit and nothing else."""
    with world.committer.exclusively():
        world.committer.write(sync=True)


def take(world: Restarts, keep: int = 0) -> None:
    """Take out all messages but every one whose number has this remainder by ten."""
    channel = world.channel()
    channel.consume("q", tag="t")
    for tag in list(channel.unacked):
        if not keep or tag % 10 != keep:
            channel.ack(tag)
    channel.connection.close()
    write(world)


def survives(world: Restarts) -> None:
    """What there is, is there after a crash."""
    write(world)
    accounted(world.broker)
    for connection in list(world.broker.vhosts["/"].connections):
        connection.close()
    before = described(world.broker)
    world.crash(power=7)
    assert described(world.broker) == before


# -- checkpoints


def test_a_checkpoint_is_due_after_a_segment_or_twice_the_size_of_the_last_one(
    world: Restarts, channel: Channel
) -> None:
    publish(world, 5)
    world.committer.commit()
    assert checkpoints.find(world.files) == []
    publish(world, 100)
    assert world.upkeep.due == 0
    world.committer.commit()
    (first,) = checkpoints.find(world.files)
    size = len(world.files.contents()[first])
    assert size > 4096 / 2
    world.upkeep._checkpoint_size = 100_000
    world.upkeep._set_due()
    assert world.upkeep._checkpoint_due == world.upkeep.checkpoint + 200_000


def test_the_old_checkpoint_is_deleted_when_the_new_one_is_there(
    world: Restarts, channel: Channel
) -> None:
    for number in range(3):
        publish(world, 1)
        world.checkpoint()
        assert len(checkpoints.find(world.files)) == 1
        assert world.upkeep.checkpoint == world.committer.log.end
        creates = [each for each in world.files.history if ".checkpoint" in each]
        assert creates[-1].startswith("delete") == (number > 0)
    survives(world)


def test_a_checkpoint_has_what_was_not_committed_before(world: Restarts, channel: Channel) -> None:
    channel.publish("", "q", b"m", PERSISTENT)
    world.checkpoint()
    assert not world.committer.journal.has_work
    world.crash(power=1)
    assert world.drained("q") == ["m"]


@pytest.mark.parametrize("kind", ["create", "rename"])
def test_a_checkpoint_that_cannot_be_written_is_no_error_and_is_tried_later(
    world: Restarts, channel: Channel, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    publish(world, 200)
    world.files.fail(kinds={kind}, code=errno.EIO)
    with caplog.at_level(logging.WARNING):
        world.checkpoint()
    assert "no checkpoint could be written" in caplog.text
    assert not world.committer.failed
    assert checkpoints.find(world.files) == []
    assert world.upkeep._checkpoint_due == world.committer.log.end + 1024
    publish(world, 50)
    world.committer.commit()
    assert len(checkpoints.find(world.files)) == 1
    survives(world)


def test_while_the_log_cannot_be_written_there_is_no_checkpoint(
    world: Restarts, channel: Channel
) -> None:
    publish(world, 200)
    channel.publish("", "q", b"m", PERSISTENT)
    world.files.fail(kinds={"sync"}, code=errno.EIO, times=None)
    world.checkpoint()
    assert world.committer.failed
    assert world.upkeep.due is None
    world.checkpoint()
    world.committer.commit()
    assert checkpoints.find(world.files) == []
    world.files.heal()
    world.checkpoint()
    assert len(checkpoints.find(world.files)) == 1
    survives(world)


# -- segments that nobody needs


def test_segments_that_nobody_needs_are_deleted_but_not_before_a_checkpoint(
    world: Restarts, channel: Channel
) -> None:
    publish(world, 500)
    take(world)
    before = len(world.committer.log.segments)
    world.tidy()
    assert len(world.committer.log.segments) == before > 5
    world.checkpoint()
    world.tidy()
    assert len(world.committer.log.segments) <= 2
    names = [name for name in world.files.list() if name.endswith(".segment")]
    assert names == [segment.name for segment in world.committer.log.segments]
    survives(world)


def test_a_file_that_cannot_be_deleted_is_deleted_later(
    world: Restarts, channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    publish(world, 500)
    take(world)
    world.checkpoint()
    world.files.fail(kinds={"delete"}, code=errno.EIO, times=3)
    with caplog.at_level(logging.WARNING):
        world.tidy()
    assert "cannot be deleted" in caplog.text
    world.upkeep._next_step = 0
    world.tidy()
    names = [name for name in world.files.list() if name.endswith(".segment")]
    assert names == [segment.name for segment in world.committer.log.segments]


# -- sparse segments


def test_sparse_segments_are_rewritten_with_what_is_needed(
    world: Restarts, channel: Channel
) -> None:
    publish(world, 2000)
    world.checkpoint()
    before = world.committer.log.size
    take(world, keep=3)
    world.tidy()
    assert world.committer.log.size < before / 4
    assert any(segment.index is not None for segment in world.committer.log.segments)
    assert not any(name.endswith(TEMPORARY) for name in world.files.list())
    world.broker._check()
    survives(world)
    assert len(world.drained("q")) == 200


def test_entries_that_were_settled_after_the_checkpoint_may_be_left_out(
    world: Restarts, channel: Channel
) -> None:
    """The checkpoint has pages with them: nobody may read those entries when it is opened."""
    publish(world, 3000)
    world.checkpoint()
    for keep in (3, 0):
        take(world, keep=keep)
        world.tidy()
        survives(world)
    assert world.count("q") == 0


def test_rewriting_takes_a_slice_at_a_time_and_anything_may_happen_meanwhile(
    world: Restarts, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minibroker.store.reclaim.SLICE", 200)
    publish(world, 1000)
    world.checkpoint()
    take(world, keep=3)
    upkeep = world.upkeep
    steps = 0
    with world.committer.exclusively():
        while steps == 0 or upkeep._rewriting is not None:
            assert upkeep._step()
            steps += 1
            if steps % 3 == 0:
                answer = channel.get("q", no_ack=True)
                assert answer is not None
                channel.publish("", "q", b"new", PERSISTENT)
                world.committer.write()
    assert steps > 10
    survives(world)


def test_what_a_crash_leaves_of_a_rewriting_means_nothing(
    world: Restarts, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minibroker.store.reclaim.SLICE", 200)
    publish(world, 1000)
    world.checkpoint()
    take(world, keep=3)
    with world.committer.exclusively():
        for _ in range(4):
            world.upkeep._step()
    assert any(name.endswith(TEMPORARY) for name in world.files.list())
    survives(world)
    assert not any(name.endswith(TEMPORARY) for name in world.files.list())


@pytest.mark.parametrize("kind", ["create", "write", "sync", "rename", "read"])
def test_a_rewriting_that_fails_is_given_up_and_begun_again_later(
    world: Restarts, channel: Channel, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    publish(world, 1000)
    world.checkpoint()
    take(world, keep=3)
    world.upkeep.now = lambda: now[0]
    world.upkeep._checkpoint_due = 1 << 62
    before = world.committer.log.size
    world.files.fail(kinds={kind}, code=errno.EIO)
    with caplog.at_level(logging.WARNING), world.committer.exclusively():
        world.upkeep.tidy()
    assert "segments cannot be rewritten" in caplog.text
    assert not any(name.endswith(TEMPORARY) for name in world.files.list())
    assert world.committer.log.size == before
    assert world.upkeep._rewriting is None
    survives(world)
    world.tidy()
    survives(world)


def test_none_is_begun_while_the_log_cannot_be_written(world: Restarts, channel: Channel) -> None:
    publish(world, 1000)
    world.checkpoint()
    take(world, keep=3)
    channel.publish("", "q", b"m", PERSISTENT)
    world.files.fail(kinds={"sync"}, code=errno.EIO)
    with world.committer.exclusively():
        assert world.upkeep._step() == 0
        assert world.committer.failed
        assert world.committer.healed()
    survives(world)


def test_a_log_that_is_not_too_large_is_rewritten_no_faster_than_it_may_be(
    world: Restarts, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RATE", 1000)
    monkeypatch.setattr("minibroker.store.reclaim.SLICE", 200)
    now = [10.0]
    upkeep = world.upkeep
    upkeep.now, upkeep._next_step = lambda: now[0], 0.0
    publish(world, 200)
    world.checkpoint()
    take(world, keep=3)
    world.committer.log.segment_size = 1 << 20  # compared with that it is small
    with world.committer.exclusively():
        upkeep.tidy()
        pause = upkeep._next_step - now[0]
        assert 0.2 <= pause <= 1
        done = copied(world)
        assert done > 0
        upkeep.tidy()
        assert copied(world) == done
        assert upkeep.due == pytest.approx(pause)
        now[0] += pause
        assert upkeep.due == 0
        upkeep.tidy()
        assert copied(world) != done


def copied(world: Restarts) -> int:
    """Bytes that the rewriting has written so far, -1 when there is none."""
    rewriting = world.upkeep._rewriting
    return -1 if rewriting is None else rewriting.new.size


def test_a_log_of_which_nothing_is_worth_it_is_looked_at_once_for_each_commit(
    world: Restarts, channel: Channel
) -> None:
    publish(world, 20)
    assert world.upkeep.due is not None
    world.upkeep._next_step = 0
    with world.committer.exclusively():
        world.upkeep.tidy()
    assert world.upkeep.due is None
    publish(world, 1)
    assert world.upkeep.due is not None


@pytest.mark.parametrize("kind", ["classic", "quorum", "stream"])
def test_the_directory_stays_small_however_much_goes_through_it(
    clock: ManualClock, kind: str
) -> None:
    world = Restarts(clock)
    channel = world.channel()
    arguments = {"x-queue-type": kind}
    channel.declare_queue("kept", durable=True)
    channel.publish("", "kept", b"always", PERSISTENT)
    limit = {"x-max-length-bytes": 5000} if kind == "stream" else {}
    channel.declare_queue("q", durable=True, arguments={**arguments, **limit})
    largest = 0
    for number in range(150):
        for _ in range(20):
            channel.publish("", "q", bytes(100), PERSISTENT)
            if kind != "stream" and number > 2:
                assert channel.get("q", no_ack=True) is not None
        world.upkeep._next_step = 0
        world.broker.sync()
        largest = max(largest, sum(map(len, world.files.contents().values())))
    reserve = world.committer.reserve.size
    assert largest - reserve < 120_000  # of 450,000 that went through
    assert world.drained("kept") == ["always"]
    world.close()
    total = sum(len(content) for content in world.files.contents().values())
    assert total < 80_000


def test_with_a_full_disk_a_checkpoint_makes_room_once_in_a_while(
    world: Restarts, channel: Channel
) -> None:
    now = [100.0]
    publish(world, 500)
    take(world)
    world.upkeep._checkpoint_due = 1 << 62
    world.upkeep.now = lambda: now[0]
    world.committer.low = True
    assert world.upkeep._needs_room()
    assert not world.upkeep._needs_room()
    now[0] += module.RETRY
    with world.committer.exclusively():
        world.upkeep.commit()
    assert len(checkpoints.find(world.files)) == 1
    assert len(world.committer.log.segments) <= 2
    now[0] += module.RETRY
    world.committer.low = True
    assert not world.upkeep._needs_room()  # nothing came after the checkpoint
