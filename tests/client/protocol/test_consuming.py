from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker import Broker
from minibroker_client.exceptions import LeaseLost, PreconditionFailed
from minibroker_client.protocol.consuming import Consuming

from .pair import PROTOCOLS, Pair

if TYPE_CHECKING:
    from minibroker_client.protocol.channel import ProtocolChannel


def consume(pair: Pair, channel: ProtocolChannel, *bodies: bytes) -> list[int]:
    """Publish, consume, and say the tags of the deliveries."""
    pair.publish(channel, *bodies)
    channel.consume("q", pair.deliveries.append)
    pair.drain()
    return [each.tag for each in pair.deliveries]


def unacked(pair: Pair) -> list[int]:
    """What the broker waits for."""
    pair.talk()
    return list(pair.server.channels[1].model.unacked)


def test_acks_in_order_are_sent_together(pair: Pair, channel: ProtocolChannel) -> None:
    tags = consume(pair, channel, b"1", b"2", b"3", b"4")
    for tag in tags[:3]:
        channel.ack(tag)
    assert len(pair.client.take()) < 35


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(st.data())
def test_settling_in_any_order_settles_what_was_meant(protocol: str, data: st.DataObject) -> None:
    with Broker() as broker:
        pair = Pair(broker, protocol).open()
        channel = pair.channel()
        channel.declare_queue("q")
        left = consume(pair, channel, *[b"%d" % number for number in range(8)])
        while left:
            tag = data.draw(st.sampled_from(left))
            how = data.draw(st.sampled_from(["ack", "ack", "ack", "multiple", "nack", "reject"]))
            if how == "multiple":
                channel.ack(tag, multiple=True)
                left = [each for each in left if each > tag]
            else:
                if how == "ack":
                    channel.ack(tag)
                elif how == "nack":
                    channel.nack(tag, multiple=False, requeue=False)
                else:
                    channel.reject(tag, requeue=False)
                left.remove(tag)
            if data.draw(st.booleans()):
                assert unacked(pair) == left
        assert unacked(pair) == []
        broker._check()


def test_nack_and_ack_can_mean_all(pair: Pair, channel: ProtocolChannel) -> None:
    tags = consume(pair, channel, b"1", b"2", b"3", b"4", b"5")
    channel.ack(tags[0])
    channel.nack(tags[2], multiple=True, requeue=False)
    assert unacked(pair) == tags[3:]
    channel.ack(tags[3])
    channel.ack(0, multiple=True)
    assert unacked(pair) == []
    channel.nack(0, multiple=True)
    pair.publish(channel, b"6")
    pair.drain()
    channel.ack(pair.deliveries[-1].tag)
    assert unacked(pair) == []


def test_an_ack_before_a_publish_is_sent_before_it(pair: Pair, channel: ProtocolChannel) -> None:
    first, second = consume(pair, channel, b"1", b"2")
    pair.publish(channel, b"before")
    channel.ack(first)
    pair.publish(channel, b"between")
    channel.ack(second)
    out = pair.client.take()
    ack = b"\x00\x3c\x00\x50" if pair.protocol == "amqp" else b"\x93\x07\x01"
    at = [out.index(b"before"), out.index(ack), out.index(b"between"), out.rindex(ack)]
    assert at == sorted(set(at))


def test_how_acks_are_sent_is_for_the_subclass() -> None:
    with pytest.raises(NotImplementedError):
        Consuming.__new__(Consuming).ack(1)


def test_a_broken_ack_is_raised_by_what_is_called_next(
    pair: Pair, channel: ProtocolChannel
) -> None:
    channel.ack(99)
    with pytest.raises(PreconditionFailed, match="unknown delivery tag 99"):
        channel.declare_queue("q")


def test_get_says_what_is_left(pair: Pair, channel: ProtocolChannel) -> None:
    assert channel.get("q") is None
    pair.publish(channel, bytes(300_000), b"2")
    fetched = channel.get("q")
    assert (len(fetched.delivery.body), fetched.message_count) == (300_000, 1)
    assert fetched.delivery.consumer is None
    channel.reject(fetched.delivery.tag, requeue=True)
    again = channel.get("q", no_ack=True)
    assert again.delivery.redelivered


def test_recover_brings_everything_back(pair: Pair, channel: ProtocolChannel) -> None:
    consume(pair, channel, b"1", b"2")
    channel.recover()
    assert pair.drain() == [b"1", b"2", b"1", b"2"]
    assert [each.redelivered for each in pair.deliveries] == [False, False, True, True]


def test_a_cancelled_consumer_gets_nothing_more(pair: Pair, channel: ProtocolChannel) -> None:
    tag = channel.consume("q", pair.deliveries.append, tag="mine", arguments={"x-priority": 1})
    assert tag == "mine"
    channel.cancel("mine")
    pair.publish(channel, b"1")
    assert pair.drain() == []


def test_what_was_delivered_before_a_cancel_was_answered_is_handed_out(
    pair: Pair, channel: ProtocolChannel
) -> None:
    channel.consume("q", pair.deliveries.append, tag="mine")
    pair.publish(channel, b"1")
    channel.cancel("mine")
    assert pair.drain() == [b"1"]


def test_the_broker_may_end_a_consumer(pair: Pair, channel: ProtocolChannel) -> None:
    channel.consume("q", pair.deliveries.append, tag="mine")
    pair.publish(channel, b"last")
    pair.drain()
    channel.delete_queue("q")
    pair.drain()
    assert pair.cancelled == ["mine"]
    assert channel.consumers == {}


def test_tags_go_on_from_those_of_a_lost_channel(pair: Pair, channel: ProtocolChannel) -> None:
    tags = consume(pair, channel, b"1", b"2")
    again = pair.channel()
    again.go_on_from(channel)
    channel.close()
    again.consume("q", pair.deliveries.append)
    pair.drain()
    assert [each.tag for each in pair.deliveries] == [*tags, 3, 4]
    for call in (again.ack, again.nack, again.reject):
        with pytest.raises(LeaseLost, match="delivery 2"):
            call(2)
    again.ack(3)
    again.reject(4, requeue=False)
    pair.talk()
    assert list(pair.server.channels[2].model.unacked) == []
    assert again.highest_tag == 4
