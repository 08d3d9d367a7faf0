"""The memory alarm counts a body once, and every place of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minibroker import Broker, Message
from minibroker.alarm import ENTRY_BYTES, Alarm
from minibroker.properties import PLAIN
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.queues import BaseQueue


class Publishers:
    """What an alarm tells."""

    def __init__(self, limit: int) -> None:
        self.told: list[bool] = []
        self.alarm = Alarm(limit, self.told.append)


def entries(broker: Broker, body: bytes, places: int) -> list[Entry]:
    """A message in so many queues."""
    channel = broker.connect().channel()
    message = Message("", "", PLAIN, body)
    names = [channel.declare_queue().queue for _ in range(places)]
    queues: list[BaseQueue] = [broker.vhosts["/"].queues[name] for name in names]
    return [Entry(queue, message, 1) for queue in queues]


def test_a_body_counts_once_in_however_many_queues_it_lies(broker: Broker) -> None:
    alarm = Publishers(10**6).alarm
    three = entries(broker, bytes(1000), 3)
    for entry in three:
        alarm.entered(entry)
    assert alarm.used == 1000 + 3 * ENTRY_BYTES
    alarm.left(three[0])
    assert alarm.used == 1000 + 2 * ENTRY_BYTES
    alarm._check()
    alarm.left(three[1])
    alarm.left(three[2])
    assert alarm.used == 0
    assert not alarm.places
    alarm._check()


def test_it_goes_off_above_the_limit_and_ends_at_it(broker: Broker) -> None:
    limit = 100 + ENTRY_BYTES
    publishers = Publishers(limit)
    (first,) = entries(broker, bytes(100), 1)
    (second,) = entries(broker, b"", 1)
    publishers.alarm.entered(first)
    assert publishers.told == []
    publishers.alarm.entered(second)
    assert publishers.told == [True]
    publishers.alarm._check()
    publishers.alarm.left(second)
    assert publishers.told == [True, False]
    assert not publishers.alarm.on
    publishers.alarm._check()


def test_it_tells_once_however_far_above_the_limit(broker: Broker) -> None:
    publishers = Publishers(0)
    several = entries(broker, bytes(10), 3)
    for entry in several:
        publishers.alarm.entered(entry)
    for entry in several:
        publishers.alarm.left(entry)
    assert publishers.told == [True, False]


def test_a_broker_counts_what_comes_and_goes(make_broker: Callable[..., Broker]) -> None:
    broker = make_broker(memory_limit=10**6)
    connection = broker.connect()
    channel = connection.channel()
    channel.declare_queue("q", arguments={"x-max-length": 2})
    channel.declare_queue("r")
    channel.declare_exchange("both", "fanout")
    channel.bind_queue("q", "both")
    channel.bind_queue("r", "both")
    for _ in range(3):
        channel.publish("both", "", bytes(1000))
    assert broker.memory_used == 3 * 1000 + 5 * ENTRY_BYTES
    got = channel.get("r")
    assert got is not None
    channel.nack(got.entry.tag)
    channel.purge_queue("r")
    assert broker.memory_used == 2 * 1000 + 2 * ENTRY_BYTES
    channel.consume("q", no_ack=True)
    assert broker.memory_used == 0
