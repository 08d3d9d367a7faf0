"""A broker's log from opening to closing."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from faulty import FaultyFiles
from minibroker import Broker
from minibroker.durable import DurabilityOptions
from minibroker.errors import ConnectionForced, InternalError, LogDamaged, LogError, LogLocked
from minibroker.journal import checkpoint as checkpoints

from ..restarts import PERSISTENT, Restarts

if TYPE_CHECKING:
    from pathlib import Path

    from minibroker import ManualClock
    from minibroker.channel import Channel


@pytest.fixture
def channel(world: Restarts) -> Channel:
    """A channel, and a durable queue `q` with one message."""
    channel = world.channel()
    channel.declare_queue("q", durable=True)
    channel.publish("", "q", b"m", PERSISTENT)
    return channel


# -- settings


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"fsync": "sometimes"}, "fsync must be .* not 'sometimes'"),
        ({"compress": "zip"}, "compress must be 'lz4' or None, not 'zip'"),
        ({"segment_size": 4095}, "segment_size must be 4096 to .* not 4095"),
        ({"segment_size": (1 << 31) + 1}, "segment_size must be 4096"),
    ],
)
def test_an_invalid_setting_is_refused_before_anything_is_opened(
    tmp_path: Path, clock: ManualClock, options: dict[str, object], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        Broker(data=tmp_path / "log", clock=clock, **options)  # type: ignore[arg-type]  # invalid
    assert not (tmp_path / "log").exists()


def test_the_largest_and_the_smallest_segments_are_allowed() -> None:
    for size in (4096, 1 << 31):
        assert DurabilityOptions(segment_size=size).segment_size == size


# -- opening


def test_the_directory_is_made_and_may_be_a_string(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "a" / "b"
    with Broker(data=str(path), clock=clock) as broker:
        broker.connect().channel().declare_queue("q", durable=True)
    assert (path / "lock").exists()
    with Broker(data=path, clock=clock) as broker:
        assert "q" in broker.vhosts["/"].queues


def test_a_directory_has_one_broker_at_a_time(tmp_path: Path, clock: ManualClock) -> None:
    with Broker(data=tmp_path, clock=clock) as broker:
        with pytest.raises(LogLocked, match="is open in this process"):
            Broker(data=tmp_path, clock=clock)
        assert broker.connect().channel().declare_queue("q").queue == "q"
    Broker(data=tmp_path, clock=clock).close()


def test_a_directory_that_cannot_be_opened_is_free_afterwards(
    tmp_path: Path, clock: ManualClock
) -> None:
    with Broker(data=tmp_path, clock=clock) as broker:
        broker.add_vhost("v")
    (name,) = [path.name for path in tmp_path.iterdir() if path.suffix == ".checkpoint"]
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[:-1])
    for _ in range(2):
        with pytest.raises(LogDamaged, match=name):
            Broker(data=tmp_path, clock=clock)
    (tmp_path / name).write_bytes(whole)
    Broker(data=tmp_path, clock=clock).close()


def test_a_broker_that_could_not_be_opened_keeps_no_time(clock: ManualClock) -> None:
    files = FaultyFiles({checkpoints.checkpoint_name(0): b"nonsense"})
    with pytest.raises(LogDamaged):
        Broker(data=files, clock=clock)
    assert clock._drivers == []
    before = threading.active_count()
    with pytest.raises(LogDamaged):
        Broker(data=files)
    assert threading.active_count() == before


def test_compression_may_be_switched_on_and_off(world: Restarts, channel: Channel) -> None:
    for compress in ("lz4", None, "lz4"):
        world.channel().publish("", "q", b"x" * 10000, PERSISTENT)
        world.options["compress"] = compress
        world.restart()
    assert [len(body) for body in world.drained("q")] == [1, 10000, 10000, 10000]


def test_compressed_bodies_take_less_room(clock: ManualClock) -> None:
    sizes = []
    for compress in (None, "lz4"):
        world = Restarts(clock, compress=compress)
        channel = world.channel()
        channel.declare_queue("q", durable=True)
        for _ in range(50):
            channel.publish("", "q", bytes(4000), PERSISTENT)
        world.broker.sync()
        sizes.append(world.committer.log.size)
        world.close()
    assert sizes[1] < sizes[0] / 5


# -- closing


def test_closing_commits_what_is_left_whatever_fsync_is(clock: ManualClock) -> None:
    for fsync in ("always", "interval:1h", "never"):
        world = Restarts(clock, fsync=fsync)
        channel = world.channel()
        channel.declare_queue("q", durable=True)
        channel.publish("", "q", b"m", PERSISTENT)
        world.close()
        world.files = world.files.after_power_cut(3)
        assert world.drained("q") == ["m"]
        world.close()


def test_closing_leaves_one_checkpoint_and_no_file_open(world: Restarts, channel: Channel) -> None:
    world.restart()
    world.close()
    assert len(checkpoints.find(world.files)) == 1
    assert not world.files.opened
    assert not any(name.endswith(".tmp") for name in world.files.list())


def test_closing_without_news_writes_no_other_checkpoint(world: Restarts, channel: Channel) -> None:
    world.close()
    before = world.files.contents()
    world.restart()
    world.close()
    assert world.files.contents() == before


def test_closing_what_cannot_be_written_says_so_and_the_directory_is_free(
    world: Restarts, channel: Channel
) -> None:
    world.broker.sync()
    channel.publish("", "q", b"lost", PERSISTENT)
    world.files.fail(kinds={"sync"}, times=None)
    broker = world.broker
    with pytest.raises(LogError, match="what was confirmed is there"):
        broker.close()
    assert broker.closed
    assert not world.files.opened
    broker.close()
    world.files.heal()
    world._broker = None
    assert world.drained("q")[:1] == ["m"]


def test_after_closing_nothing_can_be_done_any_more(world: Restarts, channel: Channel) -> None:
    broker = world.broker
    world.close()
    with pytest.raises(ConnectionForced):
        broker.connect()
    with pytest.raises(ConnectionForced):
        broker.add_vhost("v")


# -- without a log


def test_without_a_log_sync_returns_and_there_is_nothing_to_copy(
    broker: Broker, tmp_path: Path
) -> None:
    broker.sync()
    with pytest.raises(ValueError, match="nothing to copy"):
        broker.snapshot(tmp_path / "copy")


def test_with_the_clock_of_the_system_a_thread_commits_and_ends_with_the_broker(
    tmp_path: Path,
) -> None:
    with Broker(data=tmp_path) as broker:
        connection = broker.connect()
        channel = connection.channel()
        channel.declare_queue("q", durable=True)
        channel.confirm_select()
        channel.publish("", "q", b"m", PERSISTENT)
        connection.drain(30)
        broker.sync()
        assert "minibroker-log" in {thread.name for thread in threading.enumerate()}
    assert "minibroker-log" not in {thread.name for thread in threading.enumerate()}
    with Broker(data=tmp_path) as broker:
        assert broker.vhosts["/"].queues["q"].message_count == 1


def test_sync_says_when_it_could_not_be_written(world: Restarts, channel: Channel) -> None:
    world.files.fail(kinds={"sync"}, code=errno.EIO)
    with pytest.raises(InternalError, match="the log cannot be written"):
        world.broker.sync()
    world.broker.sync()


def test_a_program_that_ends_without_closing_its_broker_loses_nothing(tmp_path: Path) -> None:
    script = f"""
from minibroker import Broker, Properties
channel = Broker(data={str(tmp_path)!r}).connect().channel()
channel.declare_queue("q", durable=True)
channel.publish("", "q", b"last words", Properties(delivery_mode=2))
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    assert any(name.suffix == ".checkpoint" for name in tmp_path.iterdir())
    with Broker(data=tmp_path) as broker:
        assert broker.vhosts["/"].queues["q"].message_count == 1


def test_closing_says_that_nothing_was_written_any_more(world: Restarts, channel: Channel) -> None:
    world.committer.give_up(ValueError("a bug"))
    with pytest.raises(LogError, match="nothing more could be written: ValueError: a bug"):
        world.broker.close()


FORK = """
import os, sys
from minibroker import Broker, Properties
from minibroker.errors import InternalError
broker = Broker(data=sys.argv[1])
channel = broker.connect().channel()
channel.declare_queue("q", durable=True)
broker.sync()
to_child, from_parent = os.pipe()
to_parent, from_child = os.pipe()
if not os.fork():
    channel.publish("", "q", b"not here", Properties(delivery_mode=2))
    try:
        broker.sync()
    except InternalError as error:
        assert "forked" in str(error)
        broker.close()
        os.write(from_child, b"refused")
    os.read(to_child, 1)
    os._exit(0)
assert os.read(to_parent, 7) == b"refused"
channel.publish("", "q", b"here", Properties(delivery_mode=2))
broker.close()
with Broker(data=sys.argv[1]) as again:  # although the child is still there
    assert again.vhosts["/"].queues["q"].message_count == 1
os.write(from_parent, b"!")
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_writes_nothing_and_keeps_no_lock(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORK, str(tmp_path)]
    subprocess.run(command, check=True, timeout=50)
