"""Whose turn it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.arguments import ConsumerSettings
from minibroker.queues.consumers import UNLIMITED, Consumer, Consumers

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker

    Make = Callable[..., Consumer]


@pytest.fixture
def make(broker: Broker) -> Make:
    """`make(tag, priority=0, prefetch=0, ...)`: a consumer that no queue knows yet."""
    channel = broker.connect().channel()
    channel.declare_queue("q")
    queue = broker.vhosts["/"].queues["q"]

    def consumer(tag: str, priority: int = 0, prefetch: int = 0, no_ack: bool = False) -> Consumer:
        settings = ConsumerSettings(priority=priority)
        return Consumer(channel, queue, tag, settings, prefetch=prefetch, no_ack=no_ack)

    return consumer


def turns(consumers: Consumers, count: int) -> str:
    """The tags of the next ones, each of which could take more."""
    tags = ""
    for _ in range(count):
        tags += consumers.waiting[0].tag
        if len(consumers.waiting) > 1:
            consumers.served(consumers.waiting[0])
        consumers._check()
    return tags


def test_equals_take_turns(make: Make) -> None:
    consumers = Consumers()
    for tag in "XYZ":
        consumers.add(make(tag))
    assert turns(consumers, 7) == "XYZXYZX"


def test_a_higher_priority_is_served_alone_until_it_is_paused(make: Make) -> None:
    consumers = Consumers()
    low, high, other = make("l"), make("h", priority=5, prefetch=1), make("o")
    for consumer in (low, high, other):
        consumers.add(consumer)
    assert turns(consumers, 3) == "hhh"
    high.credit = 0
    consumers.pause(high)
    assert high.paused
    assert turns(consumers, 3) == "lol"
    high.credit = 1
    consumers.admit((high,))
    assert not high.paused
    assert turns(consumers, 2) == "hh"


def test_one_without_a_limit_or_without_acks_has_credit_for_ever(make: Make) -> None:
    assert make("a").credit == UNLIMITED
    assert make("a", prefetch=3, no_ack=True).credit == UNLIMITED
    assert make("a", prefetch=3).credit == 3


def test_one_that_has_no_credit_when_it_comes_waits_for_it(make: Make) -> None:
    consumers = Consumers()
    consumer = make("a", prefetch=1)
    consumer.credit = 0
    consumers.add(consumer)
    assert consumer.paused
    assert not consumers.waiting
    consumers._check()


def test_a_single_active_consumer_is_followed_by_the_next_in_line(make: Make) -> None:
    consumers = Consumers(single_active=True)
    first, second, third = make("1"), make("2"), make("3")
    for consumer in (first, second, third):
        consumers.add(consumer)
    assert [consumer.active for consumer in consumers.all] == [True, False, False]
    consumers.remove(second)
    assert turns(consumers, 2) == "11"
    consumers.remove(first)
    assert third.active
    assert turns(consumers, 2) == "33"
    consumers.remove(third)
    assert not consumers.waiting
    consumers._check()


def test_removing_a_stranger_changes_nothing(make: Make) -> None:
    consumers = Consumers()
    consumers.add(make("a"))
    consumers.remove(make("b"))
    assert len(consumers) == 1
    consumers._check()


def test_clearing_returns_all_and_leaves_nobody_active(make: Make) -> None:
    consumers = Consumers()
    both = [make("a"), make("b")]
    for consumer in both:
        consumers.add(consumer)
    assert consumers.clear() == both
    assert not consumers.waiting
    assert not any(consumer.active for consumer in both)
    assert repr(both[0]) == "<Consumer 'a' of queue 'q'>"


@pytest.mark.parametrize("end", ["channel", "connection"])
def test_a_single_active_consumer_is_not_followed_by_one_that_is_leaving_too(
    broker: Broker, end: str
) -> None:
    connection = broker.connect()
    leaving = connection.channel()
    leaving.declare_queue("q", arguments={"x-single-active-consumer": True})
    leaving.qos(1)
    leaving.consume("q", tag="active")
    leaving.consume("q", tag="next", no_ack=True)
    staying = broker.connect().channel()
    for _ in range(3):
        staying.publish("", "q", b"x")
    (leaving if end == "channel" else connection).close()
    assert not connection.outbox
    assert staying.declare_queue("q", passive=True).message_count == 3
