"""Opening a directory: the newest checkpoint and the frames after it, or the reason why not."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from zlib import crc32

import pytest

from faulty import FaultyFiles
from minibroker.errors import LogDamaged, LogVersionUnknown
from minibroker.journal import checkpoint as checkpoints
from minibroker.journal import facts, kinds, open_storage
from minibroker.journal.state import PlaceState
from minibroker.store import Recovery, record

from ..restarts import PERSISTENT, Restarts

if TYPE_CHECKING:
    from minibroker.channel import Channel
    from minibroker.journal import Storage
    from minibroker.journal.facts import Fact

IDENTITY = bytes(range(16))


def opened(files: FaultyFiles, verified: int = 1 << 20) -> Storage:
    return open_storage(files, IDENTITY, 4096, verified)


@pytest.fixture
def channel(world: Restarts) -> Channel:
    channel = world.channel()
    channel.declare_queue("q", durable=True)
    return channel


def publish(channel: Channel, count: int) -> None:
    for number in range(count):
        channel.publish("", "q", b"%d" % number, PERSISTENT)


def log_of(*told: Fact) -> FaultyFiles:
    """A directory whose log has these records."""
    files = FaultyFiles()
    recovery = Recovery(files)
    list(recovery.frames())
    log = recovery.finish(IDENTITY)
    log.append([record.encode(*fact) for fact in told])
    log.sync()
    log.close()
    return files.after_power_cut()


def test_an_empty_directory_is_a_new_log() -> None:
    storage = opened(FaultyFiles())
    assert (storage.checkpoint, storage.checkpoint_size, storage.records) == (0, 0, 0)
    assert (storage.log.identity, storage.log.end, storage.torn) == (IDENTITY, 0, None)
    assert storage.log.segment_size == 4096
    assert list(storage.state.vhosts) == ["/"]


def test_all_records_are_replayed_where_there_is_no_checkpoint(
    world: Restarts, channel: Channel
) -> None:
    publish(channel, 5)
    world.broker.sync()
    storage = opened(world.files.after_kill())
    assert (storage.checkpoint, storage.records) == (0, 6)
    (place,) = storage.state.places.values()
    assert list(place.levels[0].seqs) == [1, 2, 3, 4, 5]


def test_only_what_came_after_the_checkpoint_is_replayed(world: Restarts, channel: Channel) -> None:
    publish(channel, 5)
    world.checkpoint()
    publish(channel, 2)
    world.broker.sync()
    storage = opened(world.files.after_kill())
    assert storage.checkpoint == world.upkeep.checkpoint > 0
    assert (storage.checkpoint_size > 0, storage.records) == (True, 2)
    (place,) = storage.state.places.values()
    assert list(place.levels[0].seqs) == [1, 2, 3, 4, 5, 6, 7]


def test_the_newest_checkpoint_counts_and_older_ones_are_deleted(
    world: Restarts, channel: Channel
) -> None:
    world.checkpoint()
    older = checkpoints.find(world.files)
    content = world.files.contents()[older[0]]
    publish(channel, 1)
    world.checkpoint()
    newest = checkpoints.find(world.files)
    files = FaultyFiles({**world.files.after_kill().contents(), older[0]: content})
    assert opened(files).records == 0
    assert checkpoints.find(files) == newest != older


def test_a_checkpoint_without_its_log_is_not_enough(world: Restarts, channel: Channel) -> None:
    publish(channel, 5)
    world.checkpoint()
    name = checkpoints.find(world.files)[0]
    other = FaultyFiles({name: world.files.contents()[name]})
    if opened(other).log.end:  # the log goes on behind the checkpoint
        assert opened(other).log.end == world.upkeep.checkpoint


def test_the_log_of_another_broker_is_refused(world: Restarts, channel: Channel) -> None:
    publish(channel, 5)
    world.checkpoint()
    name = checkpoints.find(world.files)[0]
    foreign = FaultyFiles()
    position = world.upkeep.checkpoint
    checkpoints.write(foreign, position, bytes(16), [])
    content = foreign.contents()[checkpoints.checkpoint_name(position)]
    files = FaultyFiles({**world.files.after_kill().contents(), name: content})
    before = files.contents()
    with pytest.raises(LogDamaged, match="belongs to the log of another broker"):
        opened(files)
    assert files.contents() == before


def test_a_newer_format_is_refused(world: Restarts) -> None:
    world.checkpoint()
    (name,) = checkpoints.find(world.files)
    content = world.files.contents()[name]
    fields = bytearray(content[: checkpoints.HEADER_SIZE - 4])
    struct.pack_into("<H", fields, 8, 3)
    newer = bytes(fields) + struct.pack("<I", crc32(fields)) + content[checkpoints.HEADER_SIZE :]
    with pytest.raises(LogVersionUnknown, match="format 3"):
        opened(FaultyFiles({name: newer}))


def test_records_that_make_no_sense_are_damage_with_a_place() -> None:
    with pytest.raises(LogDamaged, match=r"the records make no sense: unknown kind of record: 99"):
        opened(log_of((99, b"")))
    with pytest.raises(LogDamaged, match=r"the records make no sense"):
        opened(log_of((kinds.QUEUE_ADDED, facts.vhost_added("v")[1])))
    with pytest.raises(LogDamaged, match=r"the records make no sense"):
        opened(log_of((kinds.MESSAGE, b"x")))
    with pytest.raises(LogDamaged, match=r"the records make no sense"):
        opened(log_of((kinds.MESSAGE, bytes(11))))


@pytest.mark.parametrize(
    "fact",
    [
        (99, b""),
        (kinds.QUEUE_ADDED, facts.vhost_added("v")[1]),
        facts.place(7, 1),
        (kinds.VHOST_ADDED, b""),
        (kinds.SETTLED, b"x"),
        (kinds.LOOSE, b"x"),
        (kinds.PAGES, facts.NUMBER.pack(1) * 2 + b"\xc0"),
    ],
)
def test_a_checkpoint_that_makes_no_sense_is_damage_with_a_place(fact: Fact) -> None:
    files = FaultyFiles()
    checkpoints.write(files, 0, IDENTITY, [facts.vhost_added("v"), fact])
    name = checkpoints.checkpoint_name(0)
    with pytest.raises(LogDamaged, match=f"{name}, offset [0-9]+: the record makes no sense"):
        opened(files)


def test_a_write_that_was_torn_is_cut_off_and_told(world: Restarts, channel: Channel) -> None:
    publish(channel, 5)
    world.broker.sync()
    end = world.committer.log.end
    publish(channel, 5)
    world.files.fail(kinds={"sync"}, times=None)
    with pytest.raises(Exception, match="cannot be written"):
        world.broker.sync()
    found: set[bool] = set()
    for seed in range(50):
        files = world.files.after_power_cut(seed, "prefix")
        storage = opened(files)
        found.add(storage.torn is not None)
        assert storage.log.end >= end
        assert opened(files).torn is None
    assert True in found
    world.files.heal()


def test_a_small_log_is_read_as_a_whole_and_a_large_one_only_behind_the_checkpoint(
    world: Restarts, channel: Channel
) -> None:
    for _ in range(10):
        publish(channel, 20)
        world.broker.sync()
    world.checkpoint()
    files = world.files.after_kill()
    first = files.open(world.committer.log.segments[0].name)
    first.write(200, b"damaged")
    first.close()
    assert opened(files.after_kill(), verified=0).records == 0
    with pytest.raises(LogDamaged):
        opened(files)


def test_a_directory_that_cannot_be_read_is_an_error_of_the_system(
    world: Restarts, channel: Channel
) -> None:
    publish(channel, 5)
    world.checkpoint()
    for kind in ("list", "open", "read"):
        files = world.files.after_kill()
        files.fail(kinds={kind}, times=None)
        with pytest.raises(OSError):  # noqa: PT011 -- any
            opened(files)
        assert not files.opened


def test_places_of_exchanges_are_places_as_well(world: Restarts, channel: Channel) -> None:
    arguments = {"x-delayed-type": "direct"}
    channel.declare_exchange("d", "x-delayed-message", durable=True, arguments=arguments)
    world.broker.sync()
    assert opened(world.files.after_kill()).state.places == {1: PlaceState(), 2: PlaceState()}
