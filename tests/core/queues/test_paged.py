"""Queues of which only the head is held as objects: what lies behind it is pages of a real log."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from minibroker.errors import InternalError
from minibroker.properties import PLAIN, Properties
from minibroker.queues import Queue
from minibroker.queues.paged import HELD, HELD_BYTES, PAGE, PAGE_BYTES, Page, PagedFifo
from minibroker.queues.paged import first_number as first

from ..described import accounted
from ..restarts import PERSISTENT, Restarts, persistent

if TYPE_CHECKING:
    from minibroker import ManualClock
    from minibroker.channel import Channel


@pytest.fixture
def channel(world: Restarts) -> Channel:
    """A channel, and a durable queue `q`."""
    channel = world.channel()
    channel.declare_queue("q", durable=True)
    return channel


def publish(
    channel: Channel, count: int, properties: Properties = PERSISTENT, size: int = 0
) -> None:
    for _ in range(count):
        channel.publish("", "q", bytes(size), properties)


def fifo(world: Restarts) -> PagedFifo:
    queue = world.broker.vhosts["/"].queues["q"]
    assert isinstance(queue, Queue)
    assert isinstance(queue.ready, PagedFifo)
    return queue.ready


def taken(channel: Channel, count: int) -> list[int]:
    """The numbers of the next entries, taken out."""
    found = []
    for _ in range(count):
        answer = channel.get("q", no_ack=True)
        assert answer is not None
        found.append(answer.entry.seq)
    return found


def objects(world: Restarts) -> int:
    """How many entries are held as objects."""
    return sum(not isinstance(piece, Page) for _, _, piece in fifo(world).pieces())


def test_up_to_so_many_entries_and_bytes_all_are_held(world: Restarts, channel: Channel) -> None:
    publish(channel, HELD)
    world.broker.sync()
    assert (objects(world), len(fifo(world))) == (HELD, HELD)


def test_above_that_only_the_head_and_less_than_a_page_at_the_tail_are_held(
    world: Restarts, channel: Channel
) -> None:
    for _ in range(5):
        publish(channel, 1000)
        world.broker.sync()
        assert objects(world) <= 2 * PAGE
        world.broker._check()
    assert len(fifo(world)) == 5000
    assert all(len(page) <= PAGE for page in fifo(world).behind if isinstance(page, Page))


def test_large_bodies_are_paged_by_their_bytes(world: Restarts, channel: Channel) -> None:
    size = HELD_BYTES // 8
    publish(channel, 40, size=size)
    world.broker.sync()
    assert objects(world) <= (HELD_BYTES + PAGE_BYTES) // size
    publish(channel, 1, size=HELD_BYTES)
    publish(channel, 1, size=HELD_BYTES)
    world.broker.sync()
    assert taken(channel, 42) == list(range(1, 43))


def test_what_was_published_first_goes_out_first_whatever_is_held(
    world: Restarts, channel: Channel
) -> None:
    expected = iter(range(1, 10**6))
    for _ in range(10):
        publish(channel, 400)
        world.broker.sync()
        publish(channel, 50)
        assert taken(channel, 300) == [next(expected) for _ in range(300)]
        world.broker._check()
    rest = taken(channel, 1500)
    assert rest == [next(expected) for _ in range(1500)]
    assert len(fifo(world)) == 0
    assert channel.get("q") is None
    publish(channel, 2)
    assert taken(channel, 2) == [next(expected), next(expected)]


def test_transient_entries_are_spilled_into_pages_of_their_own_in_their_places(
    world: Restarts, channel: Channel
) -> None:
    for _ in range(100):
        publish(channel, 9)
        publish(channel, 1, PLAIN)
    world.broker.sync()  # which finds that there are too many, and has them written with the next
    world.broker.sync()
    behind = fifo(world).behind
    assert {piece.spilled for piece in behind if isinstance(piece, Page)} == {True, False}
    assert all(isinstance(piece, Page) for piece in behind)
    assert len(fifo(world)) == 1000
    world.broker._check()
    assert taken(channel, 1000) == list(range(1, 1001))


def test_what_was_spilled_is_gone_after_a_restart_and_takes_no_room(
    world: Restarts, channel: Channel
) -> None:
    publish(channel, 2000, PLAIN)
    publish(channel, 3)
    for _ in range(3):
        world.broker.sync()
    assert fifo(world).paged > 1000
    accounted(world.broker)
    world.crash()
    assert world.count("q") == 3
    assert sum(segment.entries for segment in world.committer.log.segments) == 3
    accounted(world.broker)


def test_a_message_that_two_queues_spill_is_written_for_each(
    world: Restarts, channel: Channel
) -> None:
    channel.declare_queue("r", durable=True)
    for queue in ("q", "r"):
        channel.bind_queue(queue, "amq.fanout")
    for number in range(1500):
        channel.publish("amq.fanout", "", b"%d" % number, Properties(expiration="60000"))
    for _ in range(3):
        world.broker.sync()
    accounted(world.broker)
    for queue in ("q", "r"):
        assert world.drained(queue) == [str(number) for number in range(1500)]
    world.broker.sync()
    accounted(world.broker)
    assert world.committer.log.weight == 0


def test_entries_that_the_log_does_not_have_yet_wait_at_the_tail(
    world: Restarts, channel: Channel
) -> None:
    publish(channel, 200)
    world.broker.sync()
    publish(channel, 1000)
    fifo(world).page_out(world.committer.log.synced)
    assert all(isinstance(piece, Page) for piece in fifo(world).behind)
    assert len(fifo(world).tail) >= 1000
    world.broker.sync()
    assert objects(world) <= 2 * PAGE
    assert taken(channel, 1200) == list(range(1, 1201))


def test_a_page_lies_within_one_segment_of_the_log(world: Restarts, channel: Channel) -> None:
    for _ in range(100):
        publish(channel, 10)
        world.broker.sync()
    log = world.committer.log
    pages = [piece for piece in fifo(world).behind if isinstance(piece, Page)]
    assert len(log.segments) > 5
    for page in pages:
        assert log.find(page.positions[0]) is log.find(page.positions[-1])


def test_entries_with_an_expiry_are_paged_with_it(
    world: Restarts, clock: ManualClock, channel: Channel
) -> None:
    for number in range(1000):
        publish(channel, 1, persistent(expiration=str(1000 + number)))
    world.broker.sync()
    assert objects(world) <= 2 * PAGE
    clock.advance("1500ms")
    assert taken(channel, 1) == [502]
    world.broker._check()


def test_an_entry_that_comes_back_goes_out_before_all_that_never_left(
    world: Restarts, channel: Channel
) -> None:
    publish(channel, 1000)
    world.broker.sync()
    tags = [channel.get("q") for _ in range(300)]
    for answer in (tags[200], tags[5]):
        assert answer is not None
        channel.nack(answer.entry.tag)
    head = fifo(world).head()
    assert head is not None
    assert head.seq == 6
    assert taken(channel, 3) == [6, 201, 301]
    world.broker._check()


def test_a_page_that_cannot_be_read_stays_where_it_is_and_is_read_again_later(
    world: Restarts, channel: Channel
) -> None:
    publish(channel, 1000)
    world.broker.sync()
    held = taken(channel, PAGE)
    world.files.fail(kinds={"read"}, code=errno.EIO)
    with pytest.raises(InternalError, match="cannot be read from the log"):
        channel.get("q")
    assert len(fifo(world)) == 1000 - PAGE
    world.broker._check()
    channel = world.channel()
    assert held + taken(channel, 1000 - PAGE) == list(range(1, 1001))


def test_looking_at_all_entries_changes_nothing(world: Restarts, channel: Channel) -> None:
    publish(channel, 1000)
    world.broker.sync()
    before = objects(world)
    assert [entry.seq for entry in fifo(world)] == list(range(1, 1001))
    assert objects(world) == before


def test_clearing_gives_what_was_held_and_tells_the_place_of_the_pages(
    world: Restarts, channel: Channel
) -> None:
    publish(channel, 1000)
    world.broker.sync()
    held = objects(world)
    assert [entry.seq for entry in fifo(world).clear()][:3] == [1, 2, 3]
    place = fifo(world).place
    assert len(fifo(world)) == 0
    assert held < 1000
    assert len(place.settled) == 1000 - held  # type: ignore[attr-defined]  # a place of the journal
    fifo(world)._check()
    publish(channel, 1)
    assert taken(channel, 1) == [1001]


def test_what_was_there_before_a_restart_is_taken_over_without_loading_it(
    world: Restarts, channel: Channel
) -> None:
    publish(channel, 1000)
    world.restart()
    assert objects(world) <= PAGE  # the head, which the check of the world looked at
    assert len(fifo(world)) == 1000
    publish(world.channel(), 1)
    numbers = [first(piece) for _, _, piece in fifo(world).pieces()]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 1001
    assert taken(world.channel(), 1001) == list(range(1, 1002))


def test_a_page_says_where_it_begins(world: Restarts, channel: Channel) -> None:
    publish(channel, 1000)
    world.broker.sync()
    page = fifo(world).behind[0]
    assert repr(page) == f"<Page of 128 entries from {PAGE + 1} on>"
