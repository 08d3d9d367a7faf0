"""Priorities of messages, and the delayed retry of quorum queues (112 to 113b)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import PreconditionFailed
from minibroker.properties import Properties
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock
    from minibroker.channel import Channel
    from minibroker.fields import FieldValue
    from minibroker.local import LocalConnection

PROFILES = ["rabbitmq-3.10", "rabbitmq-3.13", "rabbitmq-4.2", "rabbitmq-4.3"]


def declare(channel: Channel, kind: str = "classic", **given: FieldValue) -> None:
    arguments = {f"x-{key.replace('_', '-')}": value for key, value in given.items()}
    channel.declare_queue("q", durable=True, arguments={"x-queue-type": kind, **arguments})


def publish(channel: Channel, *messages: tuple[str, int | None]) -> None:
    """Publish bodies with their priorities."""
    for body, priority in messages:
        channel.publish("", "q", body.encode(), Properties(priority=priority))


def taken(channel: Channel, count: int = 100) -> list[str]:
    """The bodies of up to so many entries, in order, taken out."""
    bodies: list[str] = []
    while len(bodies) < count and (answer := channel.get("q", no_ack=True)) is not None:
        bodies.append(answer.entry.message.body.decode())
    return bodies


def delivered(connection: LocalConnection) -> list[str]:
    """The bodies of the deliveries in the outbox, taken out."""
    items = list(connection.outbox)
    connection.outbox.clear()
    return [item.message.body.decode() for item in items if isinstance(item, Entry)]


@pytest.fixture
def quorum(make_broker: Callable[..., Broker]) -> Callable[..., Channel]:
    """`quorum(profile, **arguments)`: a channel with a quorum queue `q`."""

    def make(profile: str, **arguments: FieldValue) -> Channel:
        channel = make_broker(profile=profile).connect().channel()
        declare(channel, "quorum", **arguments)
        return channel

    return make


# -- 112: classic queues


@pytest.mark.semantics(112)
def test_the_highest_priority_goes_out_first_and_within_one_the_oldest(channel: Channel) -> None:
    declare(channel, max_priority=10)
    publish(channel, ("a1", 1), ("b5", 5), ("c1", 1), ("d5", 5), ("e9", 9))
    assert taken(channel) == ["e9", "b5", "d5", "a1", "c1"]


@pytest.mark.semantics(112)
def test_a_missing_priority_is_0_and_one_above_the_maximum_is_the_maximum(
    channel: Channel,
) -> None:
    declare(channel, max_priority=5)
    publish(channel, ("none", None), ("zero", 0), ("max", 5), ("above", 200), ("one", 1))
    assert taken(channel) == ["max", "above", "one", "none", "zero"]


@pytest.mark.semantics(112)
def test_without_the_argument_priorities_are_ignored(channel: Channel) -> None:
    declare(channel)
    publish(channel, ("a", 1), ("b", 9), ("c", None))
    assert taken(channel) == ["a", "b", "c"]


@pytest.mark.semantics(112)
@pytest.mark.parametrize("maximum", [1, 255])
def test_a_queue_has_up_to_255_priorities(channel: Channel, maximum: int) -> None:
    declare(channel, max_priority=maximum)
    publish(channel, ("low", 0), ("high", 255))
    assert taken(channel) == ["high", "low"]


@pytest.mark.semantics(112)
def test_more_than_255_priorities_are_refused(channel: Channel) -> None:
    with pytest.raises(PreconditionFailed, match="invalid arg 'x-max-priority' for queue 'q'"):
        declare(channel, max_priority=256)


@pytest.mark.semantics(112)
def test_the_property_is_delivered_as_published(channel: Channel) -> None:
    declare(channel, max_priority=5)
    publish(channel, ("m", 200))
    answer = channel.get("q")
    assert answer is not None
    assert answer.entry.message.properties.priority == 200


@pytest.mark.semantics(112)
def test_a_late_high_priority_does_not_overtake_what_is_delivered_already(
    connection: LocalConnection, channel: Channel
) -> None:
    declare(channel, max_priority=10)
    channel.qos(2)
    channel.consume("q")
    publish(channel, ("a", 1), ("b", 1), ("c", 1), ("high", 10))
    assert delivered(connection) == ["a", "b"]
    channel.ack(1)
    channel.ack(2)
    assert delivered(connection) == ["high", "c"]


@pytest.mark.semantics(71, 112)
def test_a_requeue_goes_back_to_its_place_within_its_priority(channel: Channel) -> None:
    declare(channel, max_priority=10)
    publish(channel, ("a", 1), ("b", 5), ("c", 5), ("d", 1))
    answers = [channel.get("q") for _ in range(3)]
    publish(channel, ("e", 5), ("f", 10))
    for answer in reversed(answers):
        assert answer is not None
        channel.nack(answer.entry.tag)
    assert taken(channel) == ["f", "b", "c", "e", "a", "d"]


# -- 113: quorum queues

MIXED = [("n1", 0), ("n2", 4), ("n3", None), ("h1", 5), ("h2", 255), ("h3", 7), ("h4", 6)]


@pytest.mark.semantics(113)
@pytest.mark.parametrize("profile", PROFILES[:2])
def test_up_to_3_13_quorum_queues_have_no_priorities(
    quorum: Callable[..., Channel], profile: str
) -> None:
    channel = quorum(profile)
    publish(channel, *MIXED)
    assert taken(channel) == [body for body, _ in MIXED]


@pytest.mark.semantics(113)
def test_up_to_4_2_there_are_two_levels_of_which_the_high_one_is_served_twice_as_often(
    quorum: Callable[..., Channel],
) -> None:
    channel = quorum("rabbitmq-4.2")
    publish(channel, *MIXED)
    assert taken(channel) == ["h1", "h2", "n1", "h3", "h4", "n2", "n3"]


@pytest.mark.semantics(113)
def test_a_level_that_is_alone_is_served_in_order(quorum: Callable[..., Channel]) -> None:
    channel = quorum("rabbitmq-4.2")
    publish(channel, ("a", 5), ("b", 9), ("c", 5), ("d", 9))
    assert taken(channel) == ["a", "b", "c", "d"]
    publish(channel, ("e", 4), ("f", 0), ("g", None))
    assert taken(channel) == ["e", "f", "g"]


@pytest.mark.semantics(113)
def test_from_4_3_on_priorities_are_strict_from_0_to_31_and_4_by_default(
    quorum: Callable[..., Channel],
) -> None:
    channel = quorum("rabbitmq-4.3")
    publish(channel, ("3", 3), ("none", None), ("5", 5), ("4", 4), ("31", 31), ("99", 99), ("0", 0))
    assert taken(channel) == ["31", "99", "5", "none", "4", "3", "0"]


@pytest.mark.semantics(113)
@pytest.mark.parametrize("profile", PROFILES[2:])
def test_what_came_back_to_a_quorum_queue_goes_out_before_any_priority(
    quorum: Callable[..., Channel], profile: str
) -> None:
    channel = quorum(profile)
    publish(channel, ("low", 0))
    answer = channel.get("q")
    assert answer is not None
    publish(channel, ("high", 31))
    channel.nack(answer.entry.tag)
    assert taken(channel) == ["low", "high"]


@pytest.mark.semantics(113)
@pytest.mark.parametrize("profile", PROFILES)
def test_a_purge_takes_every_level_and_what_came_back(
    quorum: Callable[..., Channel], profile: str
) -> None:
    channel = quorum(profile)
    publish(channel, ("a", 0), ("b", 9))
    answer = channel.get("q")
    assert answer is not None
    publish(channel, ("c", 4))
    channel.nack(answer.entry.tag)
    assert channel.purge_queue("q") == 3
    assert taken(channel) == []


@pytest.mark.parametrize("profile", PROFILES)
def test_quorum_queues_refuse_the_argument_of_classic_ones(
    quorum: Callable[..., Channel], profile: str
) -> None:
    with pytest.raises(PreconditionFailed, match="of queue type rabbit_quorum_queue"):
        quorum(profile, max_priority=5)


# -- 113b: delayed retry


def returned(channel: Channel, how: str) -> None:
    """Take the head of `q`, and give it back."""
    answer = channel.get("q")
    assert answer is not None
    if how == "nack":
        channel.nack(answer.entry.tag, requeue=True)
    else:
        channel.reject(answer.entry.tag, requeue=True)


def count(channel: Channel) -> int:
    return channel.declare_queue("q", passive=True).message_count


@pytest.mark.semantics("113b")
@pytest.mark.parametrize(
    ("kind", "how", "waits"),
    [
        ("disabled", "nack", False),
        ("disabled", "reject", False),
        ("all", "nack", True),
        ("all", "reject", True),
        ("failed", "nack", False),
        ("failed", "reject", True),
        ("returned", "nack", True),
        ("returned", "reject", False),
    ],
)
def test_the_retry_type_says_which_returns_wait(
    clock: ManualClock, quorum: Callable[..., Channel], kind: str, how: str, waits: bool
) -> None:
    channel = quorum("rabbitmq-4.3", delayed_retry_type=kind, delayed_retry_min=1000)
    publish(channel, ("m", None))
    returned(channel, how)
    assert count(channel) == (0 if waits else 1)
    clock.advance("1s")
    assert taken(channel) == ["m"]


@pytest.mark.semantics("113b")
def test_each_failure_waits_longer_up_to_the_maximum(
    clock: ManualClock, quorum: Callable[..., Channel]
) -> None:
    channel = quorum(
        "rabbitmq-4.3",
        delayed_retry_type="failed",
        delayed_retry_min=1000,
        delayed_retry_max=2500,
    )
    publish(channel, ("m", None))
    for delay in (1000, 2000, 2500, 2500):
        returned(channel, "reject")
        clock.advance((delay - 1) / 1000)
        assert count(channel) == 0
        clock.advance("1ms")
        assert count(channel) == 1


@pytest.mark.semantics("113b")
def test_what_waits_does_not_hold_up_the_others_and_is_delivered_on_time(
    clock: ManualClock, quorum: Callable[..., Channel]
) -> None:
    channel = quorum("rabbitmq-4.3", delayed_retry_type="all", delayed_retry_min=1000)
    connection = channel.connection
    channel.consume("q")
    publish(channel, ("a", None), ("b", None))
    channel.reject(1, requeue=True)
    assert [item.message.body for item in connection.outbox if isinstance(item, Entry)] == [
        b"a",
        b"b",
    ]
    clock.advance("1s")
    last = connection.outbox[-1]
    assert isinstance(last, Entry)
    assert (last.message.body, last.redelivered) == (b"a", True)
    assert last.message.headers["x-delivery-count"] == 1


@pytest.mark.semantics("113b")
def test_a_retry_over_the_delivery_limit_does_not_wait_but_is_dead_lettered(
    clock: ManualClock, quorum: Callable[..., Channel]
) -> None:
    channel = quorum(
        "rabbitmq-4.3",
        delayed_retry_type="all",
        delayed_retry_min=1000,
        delivery_limit=1,
        dead_letter_exchange="",
        dead_letter_routing_key="dead",
    )
    channel.declare_queue("dead", durable=True)
    publish(channel, ("m", None))
    returned(channel, "reject")
    clock.advance("1s")
    returned(channel, "reject")
    assert channel.declare_queue("dead", passive=True).message_count == 1


@pytest.mark.semantics("113b")
def test_a_policy_sets_the_delayed_retry(
    clock: ManualClock, make_broker: Callable[..., Broker]
) -> None:
    broker = make_broker(profile="rabbitmq-4.3")
    channel = broker.connect().channel()
    declare(channel, "quorum")
    broker.set_policy("retry", "^q$", {"delayed-retry-type": "all", "delayed-retry-min": 1000})
    publish(channel, ("m", None))
    returned(channel, "nack")
    assert count(channel) == 0
    clock.advance("1s")
    assert count(channel) == 1


@pytest.mark.semantics("113b")
def test_deleting_the_queue_forgets_what_waits(
    clock: ManualClock, quorum: Callable[..., Channel]
) -> None:
    channel = quorum("rabbitmq-4.3", delayed_retry_type="all", delayed_retry_min=1000)
    publish(channel, ("m", None))
    returned(channel, "nack")
    channel.delete_queue("q")
    declare(channel, "quorum")
    clock.advance("1h")
    assert count(channel) == 0


@pytest.mark.semantics("113b")
@pytest.mark.parametrize("profile", PROFILES[:3])
def test_before_4_3_the_arguments_mean_nothing(
    quorum: Callable[..., Channel], profile: str
) -> None:
    channel = quorum(profile, delayed_retry_type="all", delayed_retry_min=1000)
    publish(channel, ("m", None))
    returned(channel, "nack")
    assert count(channel) == 1


@pytest.mark.semantics(114)
def test_the_highest_number_goes_first_and_not_the_lowest(channel: Channel) -> None:
    # Kombu's Redis transport has it the other way round, which a bridge will have to translate.
    declare(channel, max_priority=9)
    publish(channel, ("0", 0), ("9", 9), ("3", 3), ("6", 6))
    assert taken(channel) == ["9", "6", "3", "0"]
