"""What a restart keeps in quorum queues, streams, priorities and delayed exchanges (125)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from minibroker import ManualClock
from minibroker.queues import Entry

from ..restarts import PERSISTENT, Restarts, persistent

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker
    from minibroker.channel import Channel

    End = Callable[[], Broker]

DEAD = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}


def declared(world: Restarts, **arguments: Any) -> Channel:
    """A channel, and the durable queues `q` and `dead`."""
    channel = world.channel()
    given = {f"x-{name.replace('_', '-')}": value for name, value in arguments.items()}
    channel.declare_queue("q", durable=True, arguments={**DEAD, **given})
    channel.declare_queue("dead", durable=True)
    return channel


def publish(channel: Channel, *bodies: str, **properties: Any) -> None:
    for body in bodies:
        channel.publish("", "q", body.encode(), persistent(**properties))


def taken(channel: Channel, queue: str = "q") -> Entry:
    answer = channel.get(queue)
    assert answer is not None
    return answer.entry


# -- quorum queues


@pytest.mark.semantics(73, 125)
def test_a_quorum_queue_goes_on_counting_deliveries(world: Restarts, restart: End) -> None:
    publish(declared(world, queue_type="quorum", delivery_limit=5), *"ab")
    for count in range(3):
        entry = taken(world.channel())
        assert (entry.message.body, entry.message.headers) == (b"a", {"x-delivery-count": count})
        restart()  # what its consumer had counts as lost
    channel = world.channel()
    channel.reject(taken(channel).tag)
    restart()
    assert taken(world.channel()).message.headers == {"x-delivery-count": 4}


@pytest.mark.semantics(74, 125)
def test_a_message_that_every_crash_finds_unacked_is_dead_lettered_at_the_delivery_limit(
    world: Restarts, restart: End
) -> None:
    publish(declared(world, queue_type="quorum", delivery_limit=2), *"ab")
    for _ in range(3):
        assert taken(world.channel()).message.body == b"a"
        restart()
    assert (world.count("q"), world.count("dead")) == (1, 1)
    restart()
    letter = taken(world.channel(), "dead")
    assert letter.message.deaths[0].reason == "delivery_limit"
    assert world.drained("q") == ["b"]


@pytest.mark.semantics(71, 125)
def test_what_came_back_to_a_quorum_queue_goes_out_before_what_never_left(
    world: Restarts, restart: End
) -> None:
    channel = declared(world, queue_type="quorum")
    publish(channel, *"abc")
    tags = [taken(channel).tag for _ in "abc"]
    channel.reject(tags[1])
    channel.reject(tags[0])
    publish(channel, "d")
    channel.ack(tags[2])
    restart()
    assert world.drained("q") == ["b", "a", "d"]


@pytest.mark.semantics(71, 125)
def test_without_a_delivery_limit_what_was_returned_stays_behind_the_others(
    clock: ManualClock,
) -> None:
    world = Restarts(clock, profile="rabbitmq-3.10")
    channel = declared(world, queue_type="quorum")
    publish(channel, *"abc")
    channel.nack(taken(channel).tag)
    publish(channel, "d")
    for end in (world.restart, world.crash, world.restart):
        world.broker.sync()
        end()
    assert world.drained("q") == ["b", "c", "a", "d"]
    world.close()


@pytest.mark.parametrize("profile", ["rabbitmq-4.2", "rabbitmq-4.3"])
@pytest.mark.semantics(113, 125)
def test_priorities_of_a_quorum_queue_are_kept(clock: ManualClock, profile: str) -> None:
    orders = []
    for end in (lambda _: None, Restarts.restart, Restarts.crash):
        world = Restarts(clock, profile=profile)
        channel = declared(world, queue_type="quorum")
        for number in range(20):
            priority = (None, 0, 4, 5, 9)[number % 5]
            publish(channel, str(number), priority=priority)
        world.broker.sync()
        end(world)
        orders.append(world.drained("q"))
        world.close()
    assert orders[0] == orders[1] == orders[2]


@pytest.mark.semantics("113b", 125)
def test_a_delayed_retry_is_kept_with_its_time(clock: ManualClock) -> None:
    for end in (Restarts.restart, Restarts.crash):
        world = Restarts(clock, profile="rabbitmq-4.3")
        retry = {"delayed_retry_type": "all", "delayed_retry_min": 1000}
        channel = declared(world, queue_type="quorum", **retry)
        publish(channel, "a")
        channel.reject(taken(channel).tag)
        world.broker.sync()
        clock.advance("400ms")
        end(world)
        assert world.count("q") == 0
        clock.advance("599ms")
        assert world.count("q") == 0
        clock.advance("1ms")
        assert world.drained("q") == ["a"]
        world.close()


# -- priorities and lengths


@pytest.mark.semantics(112, 125)
def test_priorities_and_the_order_within_them_are_kept(world: Restarts, restart: End) -> None:
    channel = declared(world, max_priority=3)
    for number in range(16):
        publish(channel, str(number), priority=(None, 1, 3, 9)[number % 4])
    assert taken(channel).message.body == b"2"
    restart()
    expected = [2, 3, 6, 7, 10, 11, 14, 15, 1, 5, 9, 13, 0, 4, 8, 12]
    assert world.drained("q") == [str(number) for number in expected]


@pytest.mark.semantics(97, 125)
@pytest.mark.parametrize("limit", [{"max_length": 2}, {"max_length_bytes": 8}])
def test_a_length_limit_holds_after_a_restart(
    world: Restarts, restart: End, limit: dict[str, int]
) -> None:
    publish(declared(world, **limit), "1...", "2...", "3...")
    restart()
    assert world.count("q") == 2
    publish(world.channel(), "4...")
    restart()
    assert (world.drained("q"), world.drained("dead")) == (["3...", "4..."], ["1...", "2..."])


@pytest.mark.semantics(100, 125)
def test_a_full_queue_still_rejects_after_a_restart(world: Restarts, restart: End) -> None:
    publish(declared(world, max_length=1, overflow="reject-publish"), *"ab")
    restart()
    publish(world.channel(), "c")
    assert world.drained("q") == ["a"]


# -- streams


def offsets(world: Restarts, offset: Any) -> list[int]:
    """Which offsets a new reader gets."""
    channel = world.channel()
    channel.qos(1000)
    channel.consume("q", arguments={"x-stream-offset": offset})
    delivered = [each for each in channel.connection.outbox if isinstance(each, Entry)]
    channel.connection.close()
    assert [each.message.body for each in delivered] == [b"%d" % each.seq for each in delivered]
    found = [each.message.headers["x-stream-offset"] for each in delivered]
    assert found == [each.seq for each in delivered]
    return [each.seq for each in delivered]


@pytest.mark.semantics(125)
def test_offsets_of_a_stream_go_on_and_all_ways_to_name_one_work(
    world: Restarts, clock: ManualClock, restart: End
) -> None:
    world.channel().declare_queue("q", durable=True, arguments={"x-queue-type": "stream"})
    for number in range(6):
        publish(world.channel(), str(number))
        clock.advance("1m")
        if number % 2:
            restart()
    assert offsets(world, "first") == [0, 1, 2, 3, 4, 5]
    assert offsets(world, "last") == [5]
    assert offsets(world, "next") == []
    assert offsets(world, 3) == [3, 4, 5]
    assert offsets(world, datetime(2026, 1, 1, 0, 4, tzinfo=UTC)) == [4, 5]


@pytest.mark.semantics(125)
def test_what_retention_let_go_of_does_not_come_back(
    world: Restarts, clock: ManualClock, restart: End
) -> None:
    arguments: dict[str, Any] = {
        "x-queue-type": "stream",
        "x-max-length-bytes": 20,
        "x-max-age": "1h",
    }
    world.channel().declare_queue("q", durable=True, arguments=arguments)
    publish(world.channel(), *map(str, range(30)))
    restart()
    assert offsets(world, "first") == list(range(20, 30))
    clock.advance("30m")
    publish(world.channel(), "30", "31")
    restart()
    clock.advance("30m")
    assert offsets(world, 0) == [30, 31]
    restart()
    clock.advance("30m")
    assert offsets(world, "first") == []
    restart()
    publish(world.channel(), "32")
    assert offsets(world, "first") == [32]


# -- delayed exchanges


@pytest.fixture
def later(world: Restarts) -> Channel:
    """A channel, and an exchange that holds messages for `q`."""
    channel = declared(world)
    arguments = {"x-delayed-type": "direct"}
    channel.declare_exchange("later", "x-delayed-message", durable=True, arguments=arguments)
    channel.bind_queue("q", "later", "k")
    return channel


@pytest.mark.semantics("113b", 125)
def test_a_delayed_exchange_holds_persistent_messages_through_a_restart_until_they_are_due(
    world: Restarts, later: Channel, clock: ManualClock, restart: End
) -> None:
    for body, delay in {"b": 2000, "a": 1000, "c": 2000}.items():
        later.publish("later", "k", body.encode(), persistent(headers={"x-delay": delay}))
    fleeting = PERSISTENT.replace(headers={"x-delay": 1000}, delivery_mode=1)
    later.publish("later", "k", b"fleeting", fleeting)
    clock.advance("500ms")
    restart()
    clock.advance("499ms")
    assert world.count("q") == 0
    clock.advance("1ms")
    restart()
    assert world.drained("q") == ["a"]
    clock.advance("1s")
    restart()
    assert world.drained("q") == ["b", "c"]


@pytest.mark.semantics("113b", 125)
def test_what_fell_due_while_the_broker_was_down_goes_out_when_it_is_opened(
    world: Restarts, later: Channel, clock: ManualClock
) -> None:
    later.publish("later", "k", b"m", persistent(headers={"x-delay": 1000}))
    world.close()
    clock.advance("1h")
    assert world.count("q") == 0
    clock.advance(0)
    assert world.drained("q") == ["m"]


@pytest.mark.semantics("113b", 125)
def test_what_a_deleted_delayed_exchange_held_is_gone(
    world: Restarts, later: Channel, clock: ManualClock, restart: End
) -> None:
    later.publish("later", "k", b"m", persistent(headers={"x-delay": 1000}))
    world.checkpoint()
    later.delete_exchange("later")
    arguments = {"x-delayed-type": "direct"}
    later.declare_exchange("later", "x-delayed-message", durable=True, arguments=arguments)
    later.bind_queue("q", "later", "k")
    restart()
    clock.advance("2s")
    assert world.drained("q") == []
