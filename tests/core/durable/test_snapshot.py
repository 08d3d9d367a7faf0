"""A copy of a broker's directory, made while it runs."""

from __future__ import annotations

import errno
import threading
from typing import TYPE_CHECKING

import pytest

from minibroker import Broker
from minibroker.errors import LogError
from minibroker.journal.checkpoint import is_checkpoint

from ..described import described
from ..restarts import PERSISTENT, Restarts

if TYPE_CHECKING:
    from pathlib import Path

    from minibroker import ManualClock
    from minibroker.channel import Channel


@pytest.fixture
def channel(world: Restarts) -> Channel:
    """A channel, and queues with a backlog in several segments."""
    channel = world.channel()
    for name, kind in {"c": "classic", "q": "quorum", "s": "stream"}.items():
        channel.declare_queue(name, durable=True, arguments={"x-queue-type": kind})
        for number in range(600):
            channel.publish("", name, b"%d" % number, PERSISTENT)
            if number % 50 == 0:
                world.broker.sync()
    return channel


def test_a_broker_that_is_opened_from_it_has_everything_of_that_moment(
    world: Restarts, channel: Channel, tmp_path: Path
) -> None:
    world.broker.snapshot(tmp_path / "copy")
    before = described(world.broker)
    channel.purge_queue("c")
    with Broker(data=tmp_path / "copy", clock=world.clock) as copy:
        copy._check()
        assert described(copy) == before
    assert world.count("c") == 0


def test_what_was_not_committed_yet_is_in_it(
    world: Restarts, channel: Channel, tmp_path: Path
) -> None:
    channel.publish("", "c", b"last", PERSISTENT)
    world.broker.snapshot(tmp_path)
    with Broker(data=tmp_path, clock=world.clock) as copy:
        assert copy.vhosts["/"].queues["c"].message_count == 601


def test_the_broker_goes_on_as_if_nothing_had_been(
    world: Restarts, channel: Channel, tmp_path: Path
) -> None:
    world.broker.snapshot(tmp_path)
    for number in range(300):
        channel.publish("", "c", b"%d" % number, PERSISTENT)
    world.broker.sync()
    before = described(world.broker)
    opened = len(world.files.opened)
    world.crash()
    assert described(world.broker) == before
    assert opened <= 2 + len(world.committer.log.segments)


@pytest.mark.parametrize("inside", ["a file", "a snapshot"])
def test_a_directory_in_which_something_is_is_refused_and_stays_as_it_is(
    world: Restarts, channel: Channel, tmp_path: Path, inside: str
) -> None:
    if inside == "a file":
        (tmp_path / "file").write_text("mine")
    else:
        world.broker.snapshot(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(FileExistsError, match="is not empty"):
        world.broker.snapshot(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_while_the_log_cannot_be_written_there_is_none(
    world: Restarts, channel: Channel, tmp_path: Path
) -> None:
    world.broker.sync()
    channel.publish("", "c", b"m", PERSISTENT)
    world.files.fail(kinds={"sync", "create"}, times=None)
    with pytest.raises(LogError, match="no snapshot while the log cannot be written"):
        world.broker.snapshot(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    world.files.heal()


def test_one_after_a_write_that_failed_has_everything(
    world: Restarts, channel: Channel, tmp_path: Path
) -> None:
    world.broker.sync()
    channel.publish("", "c", b"m", PERSISTENT)
    world.files.fail(kinds={"sync"}, code=errno.EIO)
    with pytest.raises(LogError):
        world.broker.snapshot(tmp_path / "none")
    world.broker.snapshot(tmp_path / "copy")
    with Broker(data=tmp_path / "copy", clock=world.clock) as copy:
        assert described(copy) == described(world.broker)


def test_one_that_could_not_be_finished_is_not_taken_for_one(
    world: Restarts, channel: Channel, tmp_path: Path
) -> None:
    world.checkpoint()
    world.files.fail(at=2, kinds={"read"}, code=errno.EIO)
    with pytest.raises(OSError):  # noqa: PT011 -- any
        world.broker.snapshot(tmp_path)
    assert not any(is_checkpoint(path.name) for path in tmp_path.iterdir())
    world.broker.sync()


def test_publishing_goes_on_meanwhile_and_it_is_of_one_moment(tmp_path: Path) -> None:
    """Every message goes into both queues: so it is in both of them, or in none."""
    with Broker(data=tmp_path / "log", segment_size=4096) as broker:
        channel = broker.connect().channel()
        for name in ("a", "b"):
            channel.declare_queue(name, durable=True)
            channel.bind_queue(name, "amq.fanout")
        ended, published = threading.Event(), threading.Event()

        def publish() -> None:
            mine = broker.connect().channel()
            while not ended.is_set():
                for _ in range(100):
                    mine.publish("amq.fanout", "", b"m", PERSISTENT)
                published.set()

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            for number in range(3):
                published.clear()
                assert published.wait(30)
                broker.snapshot(tmp_path / str(number))
        finally:
            ended.set()
            thread.join()
    counts = []
    for number in range(3):
        with Broker(data=tmp_path / str(number)) as copy:
            a, b = (copy.vhosts["/"].queues[name].message_count for name in ("a", "b"))
            assert a == b
            counts.append(a)
    assert counts == sorted(counts)
    assert counts[0] >= 100


def test_the_clock_of_the_copy_is_its_own(
    world: Restarts, clock: ManualClock, channel: Channel, tmp_path: Path
) -> None:
    world.broker.snapshot(tmp_path)
    with Broker(data=tmp_path, clock=clock) as copy:
        copy.connect().channel().publish("", "c", b"m", PERSISTENT)
        assert copy.vhosts["/"].queues["c"].message_count == 601
    assert world.count("c") == 600
