from __future__ import annotations

from typing import Any

from minibroker import Broker
from minibroker_client.protocol.amqp.channel import REMEMBERED

from ..pair import Pair


def test_beginnings_of_publishes_are_remembered_and_many_start_anew(broker: Broker) -> None:
    pair = Pair(broker).open()
    channel: Any = pair.channel()
    record = channel.properties({})
    for number in range(REMEMBERED + 5):
        channel.publish("", str(number), b"", record)
    assert len(channel._begun) <= REMEMBERED


def test_acks_that_never_join_up_are_forgotten_and_stay_right(broker: Broker) -> None:
    pair = Pair(broker).open()
    channel: Any = pair.channel()
    channel.declare_queue("q")
    channel.consume("q", pair.deliveries.append)
    pair.publish(channel, *[b"x"] * 30)
    pair.drain()
    channel._early.update(range(10**6, 10**6 + REMEMBERED * 10))
    for tag in range(2, 31):
        channel.ack(tag)
    pair.talk()
    assert list(pair.server.channels[1].model.unacked) == [1]
    channel.ack(1)
    pair.talk()
    assert list(pair.server.channels[1].model.unacked) == []
