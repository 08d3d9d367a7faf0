from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker import Broker
from minibroker.gate import MEMORY
from minibroker_client.exceptions import (
    NotFound,
    PublisherBlocked,
    RecoverableConnectionError,
)
from minibroker_client.protocol.publishing import Publishing
from minibroker_client.protocol.state import ChannelState

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker_client.protocol.channel import ProtocolChannel

    from .pair import Pair


@pytest.mark.parametrize("size", [0, 1, 100, 70_000, 131_064, 131_065, 400_000, 1_100_000])
@pytest.mark.parametrize("chunk", [1 << 30, 10_000])
def test_a_body_of_any_size_arrives(connect: Callable[..., Pair], size: int, chunk: int) -> None:
    pair = connect(chunk=chunk).open()
    channel = pair.channel()
    channel.declare_queue("q")
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    pair.publish(channel, b"before", body, b"after")
    channel.consume("q", pair.deliveries.append)
    assert pair.drain() == [b"before", body, b"after"]


def test_publishes_with_other_routes_properties_and_channels_keep_their_order(
    pair: Pair, channel: ProtocolChannel
) -> None:
    other = pair.channel()
    channel.declare_exchange("e", "fanout")
    channel.bind_queue("q", "e")
    pair.publish(channel, b"1")
    pair.publish(channel, b"2", exchange="e", routing_key="x")
    pair.publish(channel, b"3", properties={"priority": 1})
    pair.publish(other, b"4")
    pair.publish(channel, b"5", mandatory=True)
    channel.consume("q", pair.deliveries.append)
    assert pair.drain() == [b"1", b"2", b"3", b"4", b"5"]
    routes = [(each.exchange, each.routing_key) for each in pair.deliveries]
    assert routes == [("", "q"), ("e", "x"), ("", "q"), ("", "q"), ("", "q")]
    assert pair.deliveries[2].properties.priority == 1


def test_more_bytes_than_one_batch_arrive_in_order(pair: Pair, channel: ProtocolChannel) -> None:
    bodies = [bytes([number]) * 9000 for number in range(40)]
    pair.publish(channel, *bodies)
    channel.consume("q", pair.deliveries.append)
    assert pair.drain() == bodies


def test_confirms_are_waited_for_one_by_one_or_together(
    pair: Pair, channel: ProtocolChannel
) -> None:
    channel.confirm_select()
    channel.confirm_select()
    record = channel.properties({})
    numbers = [channel.publish("", "q", b"x", record) for _ in range(5)]
    assert numbers == [1, 2, 3, 4, 5]
    assert channel.unconfirmed == 5
    assert channel.answer(1) is None
    assert channel.confirmed(3)
    assert channel.answer(1) is True
    channel.wait_for_answers(0)
    assert channel.wait_for_confirms(0) == []
    assert channel.unconfirmed == 0


def test_refused_publishes_are_said_once(pair: Pair, channel: ProtocolChannel) -> None:
    channel.declare_queue("full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    channel.confirm_select()
    pair.publish(channel, b"1", b"2", b"3", routing_key="full")
    assert channel.wait_for_confirms() == [2, 3]
    assert channel.wait_for_confirms() == []


def test_waiting_for_a_confirm_ends_with_the_channel(pair: Pair, channel: ProtocolChannel) -> None:
    channel.confirm_select()
    number = channel.publish("nowhere", "q", b"x", channel.properties({}))
    with pytest.raises(NotFound):
        channel.confirmed(number)
    with pytest.raises(RecoverableConnectionError, match="channel is closed"):
        channel.confirmed(number)
    with pytest.raises(RecoverableConnectionError, match="channel is closed"):
        channel.wait_for_confirms()
    with pytest.raises(RecoverableConnectionError, match="channel is closed"):
        channel.publish("", "q", b"x", channel.properties({}))


def test_who_waits_when_the_channel_ends_is_told(pair: Pair, channel: ProtocolChannel) -> None:
    channel.confirm_select()
    channel.publish("nowhere", "q", b"x", channel.properties({}))
    with pytest.raises(NotFound):
        channel.wait_for_answers(0)


def test_a_mandatory_message_comes_back(pair: Pair, channel: ProtocolChannel) -> None:
    record = channel.properties({"message_id": "1"})
    channel.publish("", "nowhere", bytes(200_000), record, mandatory=True)
    channel.publish("", "nowhere", b"small", record, mandatory=True)
    pair.drain()
    first, second = pair.returned
    assert (len(first.message.body), first.reply_code) == (200_000, 312)
    assert (second.message.body, second.message.routing_key) == (b"small", "nowhere")
    assert second.message.properties.message_id == "1"


def test_a_name_over_255_bytes_and_what_amqp_cannot_carry_are_refused_here(
    pair: Pair, channel: ProtocolChannel
) -> None:
    record = channel.properties({})
    with pytest.raises(ValueError, match="255"):
        channel.publish("", "q" * 256, b"x", record)
    with pytest.raises(TypeError, match="colour"):
        channel.properties({"colour": 1})
    with pytest.raises(ValueError, match="priority"):
        channel.properties({"priority": 256})
    assert channel.declare_queue("q", passive=True) == ("q", 0, 0)


def test_a_broker_that_takes_no_messages_blocks_and_lets_go(
    pair: Pair, channel: ProtocolChannel, broker: Broker
) -> None:
    gate, guard = broker.host.gate, broker.host.guard
    with guard:
        gate.shut(MEMORY, lambda: "")
    pair.publish(channel, b"1")
    pair.talk()
    assert pair.client.blocked == "low on memory"
    with pytest.raises(PublisherBlocked, match="low on memory"):
        channel.publish("", "q", b"2", channel.properties({}), timeout=0.1)
    with guard:
        gate.open(MEMORY)
    pair.publish(channel, b"3")
    assert pair.client.blocked is None
    assert channel.declare_queue("q", passive=True).message_count == 2


def test_blocking_is_told(connect: Callable[..., Pair], broker: Broker) -> None:
    told: list[Any] = []
    options = {"on_blocked": told.append, "on_unblocked": lambda: told.append("on")}
    pair = connect(options=options).open()
    channel = pair.channel()
    channel.declare_queue("q")
    gate, guard = broker.host.gate, broker.host.guard
    with guard:
        gate.shut(MEMORY, lambda: "")
    pair.publish(channel, b"1")
    pair.drain()
    with guard:
        gate.open(MEMORY)
    pair.drain()
    assert told == ["low on memory", "on"]


def test_transactions_publish_at_their_commit(pair: Pair, channel: ProtocolChannel) -> None:
    channel.tx_select()
    pair.publish(channel, b"1")
    channel.tx_rollback()
    pair.publish(channel, b"2")
    channel.tx_commit()
    assert channel.get("q").delivery.body == b"2"


def test_what_publishes_in_which_bytes_is_for_the_subclass() -> None:
    assert issubclass(Publishing, ChannelState)
    bare = Publishing.__new__(Publishing)
    with pytest.raises(NotImplementedError):
        bare.publish("", "", b"", None)  # type: ignore[arg-type]  # never looked at
    with pytest.raises(NotImplementedError):
        bare.encode(None)  # type: ignore[arg-type]  # never looked at
