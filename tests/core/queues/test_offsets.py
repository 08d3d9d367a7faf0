"""The entries of a stream by offset, with pages of a real log behind the newest."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from minibroker.errors import InternalError
from minibroker.queues import Stream
from minibroker.queues.offsets import COMPACT, LOADED, Offsets, StreamEntry
from minibroker.queues.paged import HELD, HELD_BYTES, PAGE, Page

from ..restarts import Restarts

if TYPE_CHECKING:
    from minibroker import Broker
    from minibroker.channel import Channel


@pytest.fixture
def channel(world: Restarts) -> Channel:
    """A channel, and a stream `s`."""
    channel = world.channel()
    channel.declare_queue("s", durable=True, arguments={"x-queue-type": "stream"})
    return channel


def stream(broker: Broker) -> Stream:
    found = broker.vhosts["/"].queues["s"]
    assert isinstance(found, Stream)
    return found


def publish(channel: Channel, count: int, size: int = 0) -> None:
    for _ in range(count):
        channel.publish("", "s", bytes(size))


def shape(offsets: Offsets) -> tuple[int, int]:
    """How many pages there are, and how many entries are held as objects."""
    pieces = list(offsets.pieces())
    pages = sum(isinstance(piece, Page) for piece in pieces)
    return pages, len(pieces) - pages


def test_the_newest_are_held_and_all_others_are_pages(world: Restarts, channel: Channel) -> None:
    publish(channel, 3000)
    world.broker.sync()
    pages, held = shape(stream(world.broker).offsets)
    assert pages > 1
    assert held <= HELD + PAGE
    world.broker._check()


def test_few_large_entries_are_pages_as_well(world: Restarts, channel: Channel) -> None:
    publish(channel, 12, size=HELD_BYTES // 4)
    world.broker.sync()
    _, held = shape(stream(world.broker).offsets)
    assert held <= 8
    world.broker._check()


def test_what_the_log_does_not_have_yet_is_held(world: Restarts, channel: Channel) -> None:
    publish(channel, 3000)
    offsets = stream(world.broker).offsets
    offsets.page_out(world.committer.log.synced)
    assert shape(offsets) == (0, 3000)


def test_without_a_log_all_are_held(broker: Broker) -> None:
    channel = broker.connect().channel()
    channel.declare_queue("s", exclusive=False, durable=True, arguments={"x-queue-type": "stream"})
    publish(channel, 2000)
    offsets = stream(broker).offsets
    offsets.page_out(1 << 62)
    assert shape(offsets) == (0, 2000)


def test_every_offset_is_found_whether_held_or_not_and_a_page_is_loaded_once(
    world: Restarts, channel: Channel
) -> None:
    publish(channel, 3000)
    world.broker.sync()
    offsets = stream(world.broker).offsets
    assert [offsets.at(offset).seq for offset in range(3000)] == list(range(3000))
    assert len(offsets._loaded) <= LOADED
    first = offsets.at(0)
    assert offsets.at(0) is first
    pages = [piece for piece in offsets.pieces() if isinstance(piece, Page)]
    for page in pages[: LOADED + 1]:
        assert offsets.at(page.seqs[0]).seq == page.seqs[0]
    assert offsets.at(0) is not first


def test_one_that_is_read_again_stays_loaded_while_others_go(
    world: Restarts, channel: Channel
) -> None:
    publish(channel, 3000)
    world.broker.sync()
    offsets = stream(world.broker).offsets
    first = offsets.at(0)
    for page in [piece for piece in offsets.pieces() if isinstance(piece, Page)][1:]:
        offsets.at(page.seqs[0])
        assert offsets.at(0) is first


def test_the_oldest_leave_one_by_one_also_out_of_a_page(world: Restarts, channel: Channel) -> None:
    publish(channel, 3000)
    world.broker.sync()
    found = stream(world.broker)
    for number in range(2999):
        entry = found.offsets.let_go()
        found.size -= len(entry.message.body)
        assert entry.seq == number
    found.offsets._check()
    assert (found.offsets.first, found.offsets.next, len(found.offsets)) == (2999, 3000, 1)
    assert found.offsets.oldest_is_held


def test_clearing_gives_what_was_held_and_tells_the_place_of_the_rest(
    world: Restarts, channel: Channel
) -> None:
    publish(channel, 3000)
    world.broker.sync()
    offsets = stream(world.broker).offsets
    offsets.let_go()
    _, held = shape(offsets)
    assert [entry.seq for entry in offsets.clear()] == list(range(3000 - held, 3000))
    assert (offsets.first, offsets.next, len(offsets), shape(offsets)) == (3000, 3000, 0, (0, 0))
    pages = world.committer.journal.dropped_pages
    entries = world.committer.journal.dropped
    assert sum(map(len, pages)) + len(entries) == 3000 - held - 1


def test_a_page_that_cannot_be_read_is_read_again_later(world: Restarts, channel: Channel) -> None:
    publish(channel, 3000)
    world.broker.sync()
    offsets = stream(world.broker).offsets
    world.files.fail(kinds={"read"}, code=errno.EIO)
    with pytest.raises(InternalError, match="cannot be read from the log"):
        offsets.let_go()
    assert offsets.first == 0
    assert offsets.let_go().seq == 0


def test_what_was_there_before_a_restart_is_taken_over_as_pages(
    world: Restarts, channel: Channel
) -> None:
    publish(channel, 1000)
    world.restart()
    offsets = stream(world.broker).offsets
    assert (offsets.first, offsets.next) == (0, 1000)
    assert shape(offsets)[1] == 0
    publish(world.channel(), 1)
    assert offsets.at(1000).seq == 1000
    assert offsets.at(999).seq == 999


def test_what_is_gone_is_forgotten_in_the_end_although_more_is_held() -> None:
    offsets = Offsets(None)
    for number in range(2 * COMPACT):
        offsets.append(StreamEntry(None, None, number, 0))  # type: ignore[arg-type]  # nobody looks
    for _ in range(COMPACT + 1):
        offsets.let_go()
    assert len(offsets._held) == COMPACT
    offsets._check()


def test_the_time_of_an_entry_stands_where_others_have_their_expiry() -> None:
    assert StreamEntry(None, None, 0, 77).expires == 77  # type: ignore[arg-type]  # nobody looks
