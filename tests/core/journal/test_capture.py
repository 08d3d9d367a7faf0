"""A broker as the records of a checkpoint: applied to nothing they are what it is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from minibroker.journal import kinds, needed
from minibroker.journal.capture import capture
from minibroker.journal.replay import apply
from minibroker.journal.state import State
from minibroker.properties import Properties

from ..described import described
from ..restarts import PERSISTENT, Restarts, persistent

if TYPE_CHECKING:
    from minibroker import ManualClock
    from minibroker.channel import Channel
    from minibroker.journal.state import PlaceState


def captured(world: Restarts) -> State:
    """The state that a checkpoint of now amounts to."""
    world.broker.sync()
    state = State()
    for kind, payload in capture(world.broker._host, world.broker.users):
        apply(state, kind, payload)
    return state


def place_of(world: Restarts, queue: str) -> PlaceState:
    state = captured(world)
    (number,) = [each.place for each in state.queues.values() if each.name == queue]
    return state.places[number]


def declared(world: Restarts, kind: str = "classic", **arguments: Any) -> Channel:
    channel = world.channel()
    given = {f"x-{name.replace('_', '-')}": value for name, value in arguments.items()}
    channel.declare_queue("q", durable=True, arguments={"x-queue-type": kind, **given})
    return channel


def publish(channel: Channel, count: int = 1, **properties: Any) -> None:
    for number in range(count):
        channel.publish("", "q", b"%d" % number, persistent(**properties))


def taken(channel: Channel) -> int:
    answer = channel.get("q")
    assert answer is not None
    return answer.entry.tag


def positions(world: Restarts) -> list[int]:
    log = world.committer.log
    return needed(world.broker._host, world.committer.journal, 0, log.end)


# -- what there is


def test_nothing_but_what_outlives_the_broker_is_in_it(world: Restarts) -> None:
    channel = declared(world)
    channel.declare_queue("transient")
    channel.declare_queue("mine", durable=True, exclusive=True)
    channel.declare_exchange("fleeting", "direct")
    channel.declare_exchange("lasting", "direct", durable=True)
    channel.declare_exchange("d", "x-delayed-message", arguments={"x-delayed-type": "direct"})
    for source in ("fleeting", "lasting", "amq.topic"):
        for queue in ("q", "transient", "mine"):
            channel.bind_queue(queue, source, "k")
    state = captured(world)
    assert [each.name for each in state.queues.values()] == ["q"]
    assert list(state.exchanges) == [("/", "lasting")]
    assert sorted(key[1] for key in state.bindings) == ["amq.topic", "lasting"]


def test_users_policies_limits_and_virtual_hosts_are_in_it(world: Restarts) -> None:
    world.broker.add_vhost("v")
    world.broker.set_limits("v", queues=3)
    world.broker.add_user("u", ["tag"], 5)
    world.broker.set_permissions("u", "v")
    world.broker.set_policy("p", "^", {"max-length": 5}, vhost="v")
    world.broker.set_policy("o", "^", {"max-length": 5}, operator=True)
    state = captured(world)
    assert list(state.vhosts) == ["/", "v"]
    assert state.limits["v"] == ["v", 3, None, None]
    assert list(state.permissions) == [("u", "v")]
    assert list(state.policies) == [("/", "o", True), ("v", "p", False)]


# -- entries


def test_what_is_held_stands_one_by_one_and_the_rest_as_pages(world: Restarts) -> None:
    publish(declared(world), 2000)
    place = place_of(world, "q")
    level = place.levels[0]
    assert len(level.pages) > 5
    numbers = [*level.seqs, *(seq for page in level.pages for seq in page.seqs)]
    assert sorted(numbers) == list(range(1, 2001))
    assert (place.last_seq, place.expiring) == (2000, False)


def test_pages_with_gaps_are_in_it_and_many_pages_take_several_records(
    world: Restarts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[capture.__module__], "PAGES", 2)
    channel = declared(world)
    for _ in range(500):
        publish(channel)
        channel.publish("", "q", b"fleeting", Properties(delivery_mode=1))
    for _ in range(2):
        world.broker.sync()
    told = capture(world.broker._host, world.broker.users)
    assert sum(kind == kinds.PAGES for kind, _ in told) > 2
    before = described(world.broker)
    world.restart()
    assert described(world.broker) == before


def test_entries_of_priorities_are_kept_apart(world: Restarts) -> None:
    channel = declared(world, max_priority=3)
    for priority in (None, 1, 3, 200):
        publish(channel, priority=priority)
    taken(channel)  # the one of the highest
    place = place_of(world, "q")
    assert {level: list(found.seqs) for level, found in place.levels.items()} == {
        0: [1],
        1: [2],
        3: [3, 4],
    }
    assert place.delivered == {3}


def test_what_is_unacked_or_was_is_in_it_as_delivered(world: Restarts) -> None:
    channel = declared(world)
    publish(channel, 5)
    tags = [taken(channel) for _ in range(3)]
    channel.nack(tags[1])
    channel.ack(tags[2])
    place = place_of(world, "q")
    assert list(place.levels[0].seqs) == [1, 2, 4, 5]
    assert place.delivered == {1, 2}


def test_what_a_transaction_settled_and_did_not_commit_counts_as_unacked(world: Restarts) -> None:
    channel = declared(world)
    publish(channel, 2)
    channel.tx_select()
    channel.ack(taken(channel))
    publish(channel)
    place = place_of(world, "q")
    assert list(place.levels[0].seqs) == [1, 2]
    assert place.delivered == {1}


def test_what_came_back_to_a_quorum_queue_is_in_it_with_its_counts(world: Restarts) -> None:
    channel = declared(world, "quorum")
    publish(channel, 3)
    for tag in [taken(channel) for _ in range(3)]:
        channel.reject(tag)
    taken(channel)
    place = place_of(world, "q")
    assert {
        seq: (row.deliveries, row.acquired) for seq, row in place.rows.items()
    } == dict.fromkeys((4, 5, 6), (1, 1))
    assert place.delivered == {4}
    assert not any(len(level.seqs) for level in place.levels.values())


def test_what_waits_for_its_retry_is_in_it_with_its_time(clock: ManualClock) -> None:
    world = Restarts(clock, profile="rabbitmq-4.3")
    retry = {"delayed_retry_type": "all", "delayed_retry_min": 1000}
    channel = declared(world, "quorum", **retry)
    publish(channel)
    channel.reject(taken(channel))
    place = place_of(world, "q")
    assert [row.due for row in place.rows.values()] == [clock.now() + 1000]
    assert len(positions(world)) == 1
    channel.purge_queue("q")
    world.broker.sync()
    assert positions(world) == []
    world.close()


def test_what_stands_at_the_tail_of_a_quorum_queue_again_is_in_it_as_such(
    clock: ManualClock,
) -> None:
    world = Restarts(clock, profile="rabbitmq-3.10")
    channel = declared(world, "quorum")
    publish(channel, 2)
    channel.nack(taken(channel))
    place = place_of(world, "q")
    assert [(seq, row.to_the_tail) for seq, row in place.rows.items()] == [(3, True)]
    world.close()


def test_a_stream_is_in_it_with_its_offsets_and_its_size(world: Restarts) -> None:
    channel = declared(world, "stream", max_length_bytes=1000)
    assert (place_of(world, "q").last_seq, place_of(world, "q").first) == (-1, 0)
    for _ in range(300):
        channel.publish("", "q", b"12345")
    place = place_of(world, "q")
    assert (place.first, place.last_seq, place.size) == (100, 299, 1000)


def test_what_a_delayed_exchange_holds_is_in_it(world: Restarts) -> None:
    channel = world.channel()
    arguments = {"x-delayed-type": "direct"}
    channel.declare_exchange("d", "x-delayed-message", durable=True, arguments=arguments)
    empty = captured(world)
    assert [place.levels for place in empty.places.values()] == [{}]
    for mode, delay in ((2, 3000), (1, 2000), (2, 1000)):
        headers = {"x-delay": delay}
        channel.publish("d", "k", b"m", Properties(delivery_mode=mode, headers=headers))
    (place,) = captured(world).places.values()
    assert list(place.levels[0].seqs) == [1, 3]
    assert place.last_seq == 3
    assert len(positions(world)) == 2


# -- what is needed of the log


def test_records_are_needed_that_a_queue_has_whether_ready_or_unacked(world: Restarts) -> None:
    channel = declared(world)
    publish(channel, 3)
    world.broker.sync()
    taken(channel)
    channel.ack(taken(channel))
    world.broker.sync()
    assert len(positions(world)) == 2


def test_records_are_needed_until_it_is_on_the_disk_that_they_are_not(world: Restarts) -> None:
    channel = declared(world)
    publish(channel, 2000)
    world.broker.sync()
    before = positions(world)
    assert len(before) == 2000
    channel.ack(taken(channel))
    channel.purge_queue("q")
    assert positions(world) == before
    world.broker.sync()
    assert positions(world) == []


def test_what_a_transaction_has_not_committed_is_needed(world: Restarts) -> None:
    channel = declared(world)
    publish(channel)
    channel.tx_select()
    channel.ack(taken(channel))
    world.broker.sync()
    assert len(positions(world)) == 1


@pytest.mark.parametrize("kind", ["classic", "quorum", "stream"])
def test_only_what_lies_in_the_part_that_is_asked_for_is_told_in_order(
    world: Restarts, kind: str
) -> None:
    publish(declared(world, kind), 2000)
    world.broker.sync()
    every = positions(world)
    assert every == sorted(every)
    host, journal = world.broker._host, world.committer.journal
    base, end = every[300], every[1700]
    assert needed(host, journal, base, end) == every[300:1700]
    assert needed(host, journal, end, end) == []


def test_a_message_in_several_queues_is_needed_once(world: Restarts) -> None:
    channel = declared(world)
    channel.declare_queue("r", durable=True, arguments={"x-queue-type": "quorum"})
    channel.declare_queue("transient")
    for queue in ("q", "r", "transient"):
        channel.bind_queue(queue, "amq.fanout")
    channel.publish("amq.fanout", "", b"m", PERSISTENT)
    world.broker.sync()
    assert len(positions(world)) == 1
    channel.purge_queue("q")
    world.broker.sync()
    assert len(positions(world)) == 1
