"""What queues report to the journal, as records of the next batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker import Properties
from minibroker.errors import InternalError
from minibroker.events import Confirmed
from minibroker.journal import kinds
from minibroker.journal.facts import NUMBER, numbers, unpack
from minibroker.journal.messages import decode
from minibroker.queues.paged import Page
from minibroker.store import record

from ..described import accounted
from ..restarts import PERSISTENT, Restarts, persistent

if TYPE_CHECKING:
    from minibroker.channel import Channel

TRANSIENT = Properties(delivery_mode=1)


def batch(world: Restarts) -> list[tuple[int, Any]]:
    """Kind and contents of what the next batch has; of messages the body. It is committed."""
    taken: list[tuple[int, Any]] = []
    before = world.committer.log.append

    def append(parts: Any) -> None:
        for _, kind, payload in record.scan(b"".join(parts)):
            taken.append((kind, contents(kind, payload)))
        before(parts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.committer.log, "append", append)  # to look at it on its way
        world.broker.sync()
    return taken


def contents(kind: int, payload: bytes) -> Any:
    if kind in {kinds.SETTLED, kinds.DELIVERED}:
        return list(numbers(payload, NUMBER.size))
    return payload if kind == kinds.MESSAGE else unpack(payload)


@pytest.fixture
def channel(world: Restarts) -> Channel:
    """A channel, and a queue of each kind, nothing of which is left to be written."""
    channel = world.channel()
    for name, kind in {"c": "classic", "q": "quorum", "s": "stream"}.items():
        channel.declare_queue(name, durable=True, arguments={"x-queue-type": kind})
        channel.bind_queue(name, "amq.fanout")
    world.broker.sync()
    return channel


def taken(channel: Channel, queue: str) -> int:
    """Get a message; its tag."""
    answer = channel.get(queue)
    assert answer is not None
    return answer.entry.tag


# -- classic queues


def test_what_happens_between_two_commits_is_said_in_few_records(
    world: Restarts, channel: Channel
) -> None:
    for number in range(6):
        channel.publish("", "c", b"%d" % number, PERSISTENT)
    assert [kind for kind, _ in batch(world)] == [kinds.MESSAGE] * 6
    tags = [taken(channel, "c") for _ in range(5)]
    channel.ack(tags[0])
    channel.ack(tags[2])
    channel.nack(tags[4])
    assert batch(world) == [(kinds.DELIVERED, [2, 4, 5]), (kinds.SETTLED, [1, 3])]
    channel.purge_queue("c")
    assert batch(world) == [(kinds.SETTLED, [5, 6])]
    assert batch(world) == []


def test_what_came_and_went_before_the_commit_is_written_and_settled(
    world: Restarts, channel: Channel
) -> None:
    channel.publish("", "c", b"m", PERSISTENT)
    channel.ack(taken(channel, "c"))
    assert [kind for kind, _ in batch(world)] == [kinds.MESSAGE, kinds.SETTLED]
    accounted(world.broker)


def test_of_transient_messages_a_classic_queue_says_nothing(
    world: Restarts, channel: Channel
) -> None:
    for _ in range(3):
        channel.publish("", "c", b"m", TRANSIENT)
    channel.ack(taken(channel, "c"))
    channel.nack(taken(channel, "c"))
    channel.purge_queue("c")
    assert batch(world) == []


@pytest.mark.parametrize("queue", ["q", "s"])
def test_a_transient_message_that_another_queue_keeps_is_none_of_a_classic_queue(
    world: Restarts, channel: Channel, queue: str
) -> None:
    for _ in range(400):  # not so many that the classic queue spills them
        channel.publish("amq.fanout", "", b"m", TRANSIENT)
    world.broker.sync()
    accounted(world.broker)
    channel.ack(taken(channel, "c"))
    while channel.get("c", no_ack=True) is not None:
        pass
    assert batch(world) == []
    accounted(world.broker)
    channel.publish("amq.fanout", "", b"m", TRANSIENT)
    world.restart()
    assert (world.count("c"), world.count(queue)) == (0, 401)


def test_a_transient_message_is_confirmed_with_the_commit_where_a_queue_keeps_it(
    world: Restarts, channel: Channel
) -> None:
    channel.confirm_select()
    for queue in ("c", "q", "s"):
        channel.publish("", queue, b"m", TRANSIENT)
    assert list(channel.connection.outbox) == [Confirmed(channel, 1, False, True)]
    world.broker.sync()
    assert list(channel.connection.outbox)[1:] == [Confirmed(channel, 3, True, True)]


# -- quorum queues


def test_what_came_back_to_a_quorum_queue_is_said_with_what_it_counts(
    world: Restarts, channel: Channel
) -> None:
    channel.publish("", "q", b"m", PERSISTENT)
    world.broker.sync()
    tag = taken(channel, "q")
    assert batch(world) == [(kinds.DELIVERED, [1])]
    channel.reject(tag)
    ((kind, (place, ((old, new, _, share, *counts),))),) = batch(world)
    assert (kind, old, new, counts) == (kinds.RETURNED, 1, 2, [1, 1, None, False])
    assert share > 0
    channel.ack(taken(channel, "q"))
    assert batch(world) == [(kinds.SETTLED, [2])]
    assert place == world.broker.vhosts["/"].queues["q"].place.number  # type: ignore[union-attr]  # whatever queue it is


def test_a_message_that_goes_out_before_it_is_written_is_written_as_it_was_published(
    world: Restarts, channel: Channel
) -> None:
    channel.publish("", "q", b"m", PERSISTENT)
    channel.reject(taken(channel, "q"))
    taken(channel, "q")
    (kind, payload), *rest = batch(world)
    place = world.broker.vhosts["/"].queues["q"].place
    message = decode(payload, 1, place.number).message  # type: ignore[union-attr]  # whatever queue it is
    assert (kind, message.headers) == (kinds.MESSAGE, {})
    assert [kind for kind, _ in rest] == [kinds.RETURNED, kinds.DELIVERED]
    accounted(world.broker)
    channel.ack(2)
    world.broker.sync()
    accounted(world.broker)


def test_a_quorum_queue_keeps_a_message_also_where_another_queue_has_it(
    world: Restarts, channel: Channel
) -> None:
    channel.publish("amq.fanout", "", b"m", PERSISTENT)
    assert [kind for kind, _ in batch(world)] == [kinds.MESSAGE]
    channel.ack(taken(channel, "q"))
    channel.ack(taken(channel, "c"))
    assert sorted(batch(world)) == [(kinds.SETTLED, [1]), (kinds.SETTLED, [1])]
    accounted(world.broker)


# -- streams


def test_a_stream_says_where_it_begins_when_retention_let_go_of_something(
    world: Restarts, channel: Channel
) -> None:
    channel.publish("", "s", b"four")
    channel.publish("", "s", b"five!")
    assert [kind for kind, _ in batch(world)] == [kinds.MESSAGE] * 2
    world.broker.set_policy("p", "s", {"max-length-bytes": 6})
    ((policy, _), (kind, (_, first, size))) = batch(world)
    assert (policy, kind, first, size) == (kinds.POLICY_SET, kinds.STREAM, 1, 5)
    accounted(world.broker)


def test_reading_a_stream_is_not_said(world: Restarts, channel: Channel) -> None:
    channel.publish("", "s", b"m")
    world.broker.sync()
    channel.qos(10)
    channel.consume("s", arguments={"x-stream-offset": "first"})
    channel.ack(1)
    assert batch(world) == []


def test_a_stream_that_is_deleted_lets_go_of_its_pages(world: Restarts, channel: Channel) -> None:
    for _ in range(2000):
        channel.publish("", "s", b"m")
    world.broker.sync()
    channel.delete_queue("s")
    world.broker.sync()
    accounted(world.broker)
    assert not any(segment.entries for segment in world.committer.log.segments)


# -- exchanges that hold messages


def test_a_delayed_exchange_says_what_it_holds_and_what_it_does_not_any_more(
    world: Restarts, channel: Channel
) -> None:
    delayed = {"x-delayed-type": "fanout"}
    channel.declare_exchange("d", "x-delayed-message", durable=True, arguments=delayed)
    assert [kind for kind, _ in batch(world)] == [kinds.EXCHANGE_ADDED]
    properties = persistent(headers={"x-delay": 1000})
    for mode in (2, 1, 2):
        channel.publish("d", "", b"m", properties.replace(delivery_mode=mode))
    assert [kind for kind, _ in batch(world)] == [kinds.MESSAGE] * 2
    accounted(world.broker)
    world.clock.advance(1)
    assert batch(world) == [(kinds.SETTLED, [1, 3])]
    accounted(world.broker)


# -- pages


def page_of(world: Restarts, queue: str = "c") -> tuple[Any, Page]:
    """The place of a queue, and its first page."""
    found = world.broker.vhosts["/"].queues[queue]
    pieces = found.offsets.pieces() if queue == "s" else (p for *_, p in found.ready.pieces())  # type: ignore[attr-defined]  # whatever queue it is
    return found.place, next(piece for piece in pieces if isinstance(piece, Page))


@pytest.mark.parametrize("queue", ["c", "q", "s"])
def test_a_page_is_loaded_with_all_that_its_entries_were(
    world: Restarts, channel: Channel, queue: str
) -> None:
    for number in range(1000):
        channel.publish("", queue, b"%d" % number, persistent(expiration="5000"))
    world.broker.sync()
    place, page = page_of(world, queue)
    entries = place.load(page)
    assert [entry.seq for entry in entries] == list(page.seqs)
    first = int(entries[0].message.body)
    assert [int(entry.message.body) for entry in entries] == list(range(first, first + len(page)))
    expected = world.clock.now() + (0 if queue == "s" else 5000)
    assert {entry.expires for entry in entries} == {expected}
    assert [entry.message.position for entry in entries] == list(page.positions)


def test_a_damaged_record_is_an_error_that_names_the_queue_and_the_place(
    world: Restarts, channel: Channel
) -> None:
    for _ in range(1000):
        channel.publish("", "c", bytes(10), PERSISTENT)
    world.broker.sync()
    place, page = page_of(world)
    segment = world.committer.log.find(page.positions[0])
    offset = segment.offset(page.positions[0])
    assert offset is not None
    file = world.files.open(segment.name)
    whole = file.read(offset + 30, 2)
    file.write(offset + 30, b"\xff\xff")
    with pytest.raises(InternalError, match=rf"'c'.*{segment.name}, offset {offset}: the record"):
        place.load(page)
    file.write(offset + 30, whole)
    assert len(place.load(page)) == len(page)
    file.close()


def test_the_memory_alarm_counts_what_is_held_and_nothing_else(world: Restarts) -> None:
    world.options["memory_limit"] = 1 << 30
    channel = world.channel()
    channel.declare_queue("c", durable=True)
    channel.declare_queue("s", durable=True, arguments={"x-queue-type": "stream"})
    for _ in range(2000):
        channel.publish("", "c", bytes(1000), PERSISTENT)
        channel.publish("", "s", bytes(1000), PERSISTENT)
    world.broker.sync()
    held = world.broker.memory_used
    assert held is not None
    assert held < 2000 * 1000
    world.broker.set_policy("p", "c", {"max-length-bytes": 1 << 30})  # looks at every entry
    channel.qos(5000)
    channel.consume("s", tag="t", arguments={"x-stream-offset": "first"})  # reads every entry
    channel.cancel("t")
    assert world.broker.memory_used == held
    while channel.get("c", no_ack=True) is not None:
        pass
    world.broker.set_policy("q", "s", {"max-length-bytes": 1})
    channel.delete_queue("s")
    assert world.broker.memory_used == 0


def test_the_memory_alarm_counts_what_came_back_with_a_restart(world: Restarts) -> None:
    world.options["memory_limit"] = 1 << 30
    for name, kind in {"c": "classic", "q": "quorum"}.items():
        channel = world.channel()
        channel.declare_queue(name, durable=True, arguments={"x-queue-type": kind})
        for _ in range(3):
            channel.publish("", name, bytes(1000), PERSISTENT)
        taken(channel, name)
        channel.reject(taken(channel, name))
    world.broker.sync()
    world.crash()
    world.broker._check()
    assert world.drained("c")
    assert world.drained("q")
    assert world.broker.memory_used == 0
