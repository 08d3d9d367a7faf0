"""The journal takes what the model reports, and gives it out in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker.errors import PreconditionFailed
from minibroker.journal import journal as module
from minibroker.journal import kinds
from minibroker.journal.journal import number_of
from minibroker.journal.messages import PENDING, Several
from minibroker.journal.places import ClassicPlace, HeldPlace, QuorumPlace, StreamPlace

from ..restarts import PERSISTENT, Restarts, persistent

if TYPE_CHECKING:
    from minibroker.channel import Channel
    from minibroker.journal import Journal
    from minibroker.message import Message

KINDS = {"c": "classic", "q": "quorum", "s": "stream"}


@pytest.fixture
def channel(world: Restarts) -> Channel:
    """A channel, and three queues that a fanout leads to, all on the disk."""
    channel = world.channel()
    for name in ("a", "b", "c"):
        channel.declare_queue(name, durable=True)
        channel.bind_queue(name, "amq.fanout")
    world.broker.sync()
    return channel


@pytest.fixture
def journal(world: Restarts) -> Journal:
    return world.committer.journal


def message_of(world: Restarts, queue: str) -> Message:
    """The message at the head of a queue."""
    answer = world.channel().get(queue)
    assert answer is not None
    return answer.entry.message


def test_each_durable_queue_has_a_place_of_its_kind_and_a_number_of_its_own(
    world: Restarts,
) -> None:
    channel = world.channel()
    for name, kind in KINDS.items():
        channel.declare_queue(name, durable=True, arguments={"x-queue-type": kind})
    channel.declare_queue("transient")
    channel.declare_queue("exclusive", durable=True, exclusive=True)
    queues = world.broker.vhosts["/"].queues
    assert [type(queues[name].place) for name in KINDS] == [ClassicPlace, QuorumPlace, StreamPlace]
    assert queues["transient"].place is None
    assert queues["exclusive"].place is None
    numbers = [number_of(queues[name]) for name in KINDS]
    assert numbers == [1, 2, 3]
    for number, end in ((4, world.crash), (5, world.restart)):
        world.channel().delete_queue("s")
        world.broker.sync()
        end()
        world.channel().declare_queue("s", durable=True)
        assert number_of(world.broker.vhosts["/"].queues["s"]) == number


def test_exchanges_that_hold_messages_have_one_too(world: Restarts) -> None:
    channel = world.channel()
    arguments = {"x-delayed-type": "direct"}
    channel.declare_exchange("d", "x-delayed-message", durable=True, arguments=arguments)
    channel.declare_exchange("t", "x-delayed-message", arguments=arguments)
    channel.declare_exchange("x", "direct", durable=True)
    exchanges = world.broker.vhosts["/"].exchanges
    assert isinstance(exchanges["d"].place, HeldPlace)
    assert exchanges["t"].place is exchanges["x"].place is None


def test_a_durable_exchange_that_is_deleted_is_reported_and_another_one_is_not(
    world: Restarts, channel: Channel, journal: Journal
) -> None:
    channel.declare_exchange("x", "direct", durable=True)
    channel.declare_exchange("t", "direct")
    world.broker.sync()
    channel.delete_exchange("t")
    assert not journal.has_work
    channel.delete_exchange("x")
    assert [kind for kind, _ in journal.items] == [kinds.EXCHANGE_REMOVED]


# -- a message in several places


def test_a_message_that_goes_into_several_queues_at_once_is_one_record(
    world: Restarts, channel: Channel, journal: Journal
) -> None:
    channel.publish("amq.fanout", "", b"m", PERSISTENT)
    (found,) = journal.items
    assert isinstance(found, Several)
    assert len(found.entries) == 3
    world.broker.sync()
    assert message_of(world, "a") is message_of(world, "b")


def test_if_something_happened_in_between_it_gets_a_record_more(
    world: Restarts, channel: Channel, journal: Journal
) -> None:
    channel.declare_queue("b2", durable=True)
    limit: dict[str, Any] = {
        "x-max-length": 0,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "b2",
    }
    channel.declare_queue("aa", durable=True, arguments=limit)
    channel.bind_queue("aa", "amq.fanout")
    world.broker.sync()
    channel.publish("amq.fanout", "", b"m", PERSISTENT)
    entries = [
        entry
        for item in journal.items
        for entry in (item.entries if isinstance(item, Several) else [item])
    ]
    assert sorted(entry.queue.name for entry in entries) == ["a", "aa", "b", "b2", "c"]
    records = [item.message for item in journal.items]
    assert len({id(message) for message in records}) == len(records) > 1
    world.restart()
    for name in ("a", "b", "c", "b2"):
        assert world.drained(name) == ["m"]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_record_has_so_many_places_and_a_message_as_many_records_as_it_needs(
    world: Restarts, channel: Channel, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(module, "MOST_PLACES", most)
    for number in range(5):
        channel.declare_queue(f"more {number}", durable=True)
        channel.bind_queue(f"more {number}", "amq.fanout")
    for body in (b"1", b"2"):
        channel.publish("amq.fanout", "", body, PERSISTENT)
    world.restart()
    for name in ("a", "b", "c", *(f"more {number}" for number in range(5))):
        assert world.drained(name) == ["1", "2"]


# -- batches


def test_a_batch_has_everything_since_the_last_one(
    world: Restarts, channel: Channel, journal: Journal
) -> None:
    assert not journal.has_work
    channel.confirm_select()
    channel.publish("", "a", b"12", PERSISTENT)
    channel.publish("", "a", b"34", PERSISTENT)
    assert (journal.has_work, bool(journal.confirms)) == (True, True)
    with world.committer.exclusively():
        batch = journal.take()
    assert batch.position == world.committer.log.end
    assert (batch.confirms, batch.entries) == ({channel: 2}, 2)
    assert batch.weight == len(b"".join(batch.parts))
    assert batch.queues == [world.broker.vhosts["/"].queues["a"]]
    assert not journal.has_work
    assert not journal.confirms
    assert journal.take().parts == []
    world.files = world.files.after_kill()  # nobody can go on after the batch that was taken away
    world.broker._durability = None


def test_positions_are_known_from_the_batch_on_and_are_where_the_records_are(
    world: Restarts, channel: Channel
) -> None:
    for number in range(5):
        channel.publish("", "a", b"%d" % number, PERSISTENT)
        if number % 2:
            world.broker.sync()
    ready = world.broker.vhosts["/"].queues["a"].ready  # type: ignore[attr-defined]  # it is a classic queue
    messages = [entry.message for entry in ready]
    assert [each.position == PENDING for each in messages] == [False] * 4 + [True]
    world.broker.sync()
    log = world.committer.log
    payloads = [payload for _, payload in log.read([each.position for each in messages])]
    assert [payload[-1:] for payload in payloads] == [b"%d" % number for number in range(5)]


def test_who_has_work_is_told_once_for_each_batch(
    world: Restarts, channel: Channel, journal: Journal
) -> None:
    told: list[str] = []
    journal.on_work = lambda: told.append("work")
    for _ in range(3):
        channel.publish("", "a", b"m", PERSISTENT)
        channel.bind_queue("a", "amq.direct", "k")
    assert told == ["work"]
    world.broker.sync()
    channel.unbind_queue("a", "amq.direct", "k")
    assert told == ["work"] * 2
    channel.confirm_select()
    channel.publish("", "a", b"m", PERSISTENT)
    channel.publish("", "a", b"m", PERSISTENT)
    assert told == ["work"] * 3  # the publisher who waits is news


def test_that_much_is_waiting_is_said_once_for_each_batch(
    world: Restarts, channel: Channel, journal: Journal
) -> None:
    told: list[int] = []
    journal.on_full = lambda: told.append(journal.size)
    journal.most = journal.room = 5000
    for _ in range(10):
        channel.publish("", "a", bytes(1000), PERSISTENT)
    assert len(told) == 1
    assert 5000 < told[0] < 6000
    assert 10000 < journal.size < 12000
    world.broker.sync()
    assert journal.size == 0
    for _ in range(5):
        channel.publish("", "a", bytes(1000), PERSISTENT)
    assert len(told) == 2


# -- what cannot be kept


def test_what_amqp_cannot_carry_is_refused_before_it_goes_anywhere(
    world: Restarts, channel: Channel, journal: Journal
) -> None:
    for properties in (persistent(headers={"big": 1 << 70}), persistent(app_id="a" * 256)):
        with pytest.raises(ValueError, match=r"big|app_id"):
            channel.publish("amq.fanout", "", b"m", properties)
    with pytest.raises(TypeError, match="own"):
        channel.declare_queue("q", durable=True, arguments={"own": object()})  # type: ignore[dict-item]  # that is the point
    assert journal.items == []
    assert "q" not in world.broker.vhosts["/"].queues


def test_a_dead_letter_that_amqp_cannot_carry_does_not_stop_the_log(
    world: Restarts, channel: Channel
) -> None:
    arguments = {"x-dead-letter-exchange": "amq.fanout", "x-dead-letter-routing-key": "k" * 300}
    try:
        channel.declare_queue("q", durable=True, arguments=arguments)
    except PreconditionFailed:
        return
    channel.publish("", "q", b"m", PERSISTENT)
    channel.consume("q")
    channel.reject(1, requeue=False)
    channel.publish("", "b", b"other", PERSISTENT)
    world.restart()
    assert world.drained("b") == ["m", "other"]
