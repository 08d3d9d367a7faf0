from __future__ import annotations

from minibroker import Broker
from minibroker.wire.native import ACK, PUBLISH, Reader

from ..pair import Pair


def payloads(pair: Pair) -> list[list[object]]:
    return Reader(1 << 20).feed(pair.client.take())


def test_acks_become_ranges(broker: Broker) -> None:
    pair = Pair(broker, "native").open()
    channel = pair.channel()
    channel.declare_queue("q")
    channel.consume("q", pair.deliveries.append)
    pair.publish(channel, *[b"x"] * 8)
    pair.drain()
    for tag in (1, 2, 3, 5, 6, 8, 4):
        channel.ack(tag)
    assert payloads(pair) == [[ACK, 1, [1, 3, 5, 6, 8, 8, 4, 4]]]


def test_acks_and_publishes_keep_their_order(broker: Broker) -> None:
    pair = Pair(broker, "native").open()
    channel, other = pair.channel(), pair.channel()
    channel.declare_queue("q")
    channel.consume("q", pair.deliveries.append)
    pair.publish(channel, b"1", b"2")
    pair.drain()
    pair.publish(channel, b"a")
    channel.ack(1)
    pair.publish(other, b"b")
    pair.publish(channel, b"c")
    channel.ack(2)
    kinds = [(each[0], each[1]) for each in payloads(pair)]
    own = [kind for kind, number in kinds if number == 1]
    assert own == [PUBLISH, ACK, PUBLISH, ACK]
    assert (PUBLISH, 2) in kinds


def test_a_batch_ends_with_its_size(broker: Broker) -> None:
    pair = Pair(broker, "native").open()
    channel = pair.channel()
    pair.publish(channel, *[bytes(1000)] * 200)
    frames = payloads(pair)
    assert len(frames) > 2
    assert all(each[0] == PUBLISH for each in frames)
