"""How a quorum queue counts deliveries, and when it gives up (73, 74)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker import PROFILES
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker
    from minibroker.channel import Channel, GetOk
    from minibroker.fields import FieldValue

NEWEST = "rabbitmq-4.3"
BEFORE_4_3 = [name for name in PROFILES if name != NEWEST]


@pytest.fixture
def declared(make_broker: Callable[..., Broker]) -> Callable[..., Channel]:
    """`declared(profile, **arguments)`: a channel with a quorum queue `q` and a message in it."""

    def declare(profile: str, **arguments: FieldValue) -> Channel:
        channel = make_broker(profile=profile).connect().channel()
        table: dict[str, FieldValue] = {"x-queue-type": "quorum"}
        table.update({f"x-{name.replace('_', '-')}": value for name, value in arguments.items()})
        channel.declare_queue("q", durable=True, arguments=table)
        channel.publish("", "q", b"")
        return channel

    return declare


def got(channel: Channel) -> GetOk:
    answer = channel.get("q")
    assert answer is not None
    return answer


def delivered(channel: Channel) -> Entry:
    (entry,) = channel.connection.outbox
    channel.connection.outbox.clear()
    assert isinstance(entry, Entry)
    return entry


# -- 73: x-delivery-count


@pytest.mark.semantics(73)
@pytest.mark.parametrize("profile", BEFORE_4_3)
@pytest.mark.parametrize("method", ["nack", "reject"])
def test_a_push_shows_the_delivery_count_from_the_second_time_on(
    declared: Callable[..., Channel], profile: str, method: str
) -> None:
    channel = declared(profile)
    channel.consume("q")
    for headers in ({}, {"x-delivery-count": 1}, {"x-delivery-count": 2}):
        entry = delivered(channel)
        assert entry.message.headers == headers
        assert entry.redelivered is bool(headers)
        getattr(channel, method)(entry.tag)


@pytest.mark.semantics(73)
@pytest.mark.parametrize("profile", BEFORE_4_3)
def test_get_shows_the_delivery_count_from_0_on(
    declared: Callable[..., Channel], profile: str
) -> None:
    channel = declared(profile)
    for count in range(3):
        answer = got(channel)
        assert answer.entry.message.headers == {"x-delivery-count": count}
        channel.nack(answer.entry.tag)


@pytest.mark.semantics(73)
@pytest.mark.parametrize("profile", PROFILES)
def test_the_end_of_a_channel_and_recover_count_as_failed_deliveries(
    declared: Callable[..., Channel], profile: str
) -> None:
    channel = declared(profile)
    got(channel)
    channel.recover()
    taker = channel.connection.channel()
    assert got(taker).entry.message.headers["x-delivery-count"] == 1
    taker.close()
    assert got(channel).entry.message.headers["x-delivery-count"] == 2


@pytest.mark.semantics(73)
def test_in_rabbitmq_4_3_a_nack_only_counts_as_acquired(declared: Callable[..., Channel]) -> None:
    channel = declared(NEWEST)
    first = got(channel)
    assert first.entry.message.headers == {"x-delivery-count": 0, "x-acquired-count": 0}
    channel.nack(first.entry.tag)
    second = got(channel)
    assert second.entry.message.headers == {"x-delivery-count": 0, "x-acquired-count": 1}
    assert second.entry.redelivered
    channel.reject(second.entry.tag)
    channel.consume("q")
    pushed = delivered(channel)
    assert pushed.message.headers == {"x-delivery-count": 1, "x-acquired-count": 2}
    channel.nack(pushed.tag)
    assert delivered(channel).message.headers == {"x-delivery-count": 1, "x-acquired-count": 3}


@pytest.mark.semantics(73)
def test_the_counts_are_added_to_the_headers_of_the_message(
    declared: Callable[..., Channel],
) -> None:
    channel = declared("rabbitmq-4.2")
    assert got(channel).entry.message.properties.headers == {"x-delivery-count": 0}
    channel.recover()
    channel.delete_queue("q")


# -- 74: the delivery limit


def deliveries(channel: Channel, most: int, method: str = "reject") -> int:
    """How often the message comes before the queue gives it up, or so many times."""
    for count in range(most):
        answer = channel.get("q")
        if answer is None:
            return count
        getattr(channel, method)(answer.entry.tag)
    return most


@pytest.mark.semantics(74)
@pytest.mark.parametrize(
    ("profile", "times"),
    [
        ("rabbitmq-3.10", 50),
        ("rabbitmq-3.13", 50),
        ("rabbitmq-4.2", 21),
        ("rabbitmq-4.3", 21),
    ],
)
def test_the_default_limit_is_20_from_4_0_on(
    declared: Callable[..., Channel], profile: str, times: int
) -> None:
    assert deliveries(declared(profile), 50) == times


@pytest.mark.semantics(74)
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("limit", [0, 2])
def test_a_message_is_delivered_once_more_than_the_limit(
    declared: Callable[..., Channel], profile: str, limit: int
) -> None:
    assert deliveries(declared(profile, delivery_limit=limit), 50) == limit + 1


@pytest.mark.semantics(74)
@pytest.mark.parametrize("profile", PROFILES)
def test_a_limit_of_minus_1_is_none(declared: Callable[..., Channel], profile: str) -> None:
    assert deliveries(declared(profile, delivery_limit=-1), 50) == 50


@pytest.mark.semantics(73, 74)
def test_in_rabbitmq_4_3_nacks_never_reach_the_limit(declared: Callable[..., Channel]) -> None:
    assert deliveries(declared(NEWEST, delivery_limit=2), 50, "nack") == 50


@pytest.mark.semantics(74)
@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_over_the_limit_is_dead_lettered(
    declared: Callable[..., Channel], profile: str
) -> None:
    channel = declared(
        profile, delivery_limit=2, dead_letter_exchange="", dead_letter_routing_key="dead"
    )
    channel.declare_queue("dead", durable=True)
    channel.consume("q")
    for headers in ({}, {"x-delivery-count": 1}, {"x-delivery-count": 2}):
        entry = delivered(channel)
        assert entry.message.headers.get("x-delivery-count") == headers.get("x-delivery-count")
        channel.reject(entry.tag)
    assert not channel.connection.outbox
    answer = channel.get("dead")
    assert answer is not None
    deaths = answer.entry.message.headers["x-death"]
    assert isinstance(deaths, list)
    (death,) = deaths
    assert isinstance(death, dict)
    assert (death["reason"], death["queue"], death["count"]) == ("delivery_limit", "q", 1)
