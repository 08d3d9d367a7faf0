"""The side of a channel that consumes: who gets what, and what a settlement does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import (
    AccessRefused,
    ChannelInvalid,
    NotAllowed,
    NotFound,
    NotImplementedByBroker,
    PreconditionFailed,
)
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection


@pytest.fixture
def q(channel: Channel) -> Channel:
    """`channel`, with a queue `q`."""
    channel.declare_queue("q")
    return channel


def entries(connection: LocalConnection) -> list[Entry]:
    """The deliveries in the outbox, which is empty then."""
    items = list(connection.outbox)
    connection.outbox.clear()
    return [item for item in items if isinstance(item, Entry)]


def turns(connection: LocalConnection) -> str:
    """Who got the deliveries in the outbox, by consumer tag."""
    found = entries(connection)
    return "".join(entry.consumer.tag for entry in found if entry.consumer is not None)


def publish(channel: Channel, count: int, queue: str = "q") -> None:
    for number in range(count):
        channel.publish("", queue, b"%d" % number)


def ready(channel: Channel, queue: str = "q") -> int:
    return channel.declare_queue(queue, passive=True).message_count


# -- consumers


def test_a_consumer_keeps_what_it_was_started_with(connection: LocalConnection, q: Channel) -> None:
    def callback(entry: Entry) -> None:
        raise AssertionError(f"{entry} is for whoever drains the outbox")

    publish(q, 1)
    q.qos(3)
    tag = q.consume("q", no_ack=True, callback=callback, arguments={"x-priority": 5})
    consumer = q.consumers[tag]
    assert (consumer.tag, consumer.no_ack, consumer.exclusive) == (tag, True, False)
    assert (consumer.prefetch, consumer.settings.priority) == (3, 5)
    assert consumer.callback is callback
    (entry,) = entries(connection)
    assert entry.consumer is consumer


REFUSED: list[tuple[type[Exception], Callable[[Channel], object]]] = [
    (NotAllowed, lambda channel: channel.consume("q", tag="x")),
    (NotFound, lambda channel: channel.consume("missing")),
    (AccessRefused, lambda channel: channel.consume("q", exclusive=True)),
    (PreconditionFailed, lambda channel: channel.consume("q", arguments={"x-priority": "a"})),
    (PreconditionFailed, lambda channel: channel.consume("amq.rabbitmq.reply-to")),
]


def test_a_refused_consumer_leaves_nothing_behind(q: Channel) -> None:
    q.consume("q", tag="x")
    for error, call in REFUSED:
        with pytest.raises(error):
            call(q)
    assert list(q.consumers) == ["x"]
    assert q.reply is None
    assert q.declare_queue("q", passive=True).consumer_count == 1


def test_an_address_for_replies_is_one_per_channel_and_ends_with_its_consumer(
    connection: LocalConnection, channel: Channel
) -> None:
    for _ in range(2):
        tag = channel.consume("amq.rabbitmq.reply-to", no_ack=True)
        with pytest.raises(PreconditionFailed, match="reply consumer already set"):
            channel.consume("amq.rabbitmq.reply-to", no_ack=True)
        assert channel.reply is not None
        assert list(channel.vhost.replies) == [channel.reply.name]
        channel.cancel(tag)
        assert channel.reply is None
        assert channel.vhost.replies == {}
    channel.drop_reply_queue()


def test_cancelling_passes_the_turn_on(connection: LocalConnection, q: Channel) -> None:
    q.consume("q", tag="A")
    q.consume("q", tag="B")
    q.cancel("A")
    q.cancel("A")
    publish(q, 2)
    assert turns(connection) == "BB"


def test_get_takes_the_head_or_nothing(q: Channel) -> None:
    assert q.get("q") is None
    publish(q, 3)
    first, second = q.get("q"), q.get("q", no_ack=True)
    assert first is not None
    assert second is not None
    assert (first.entry.message.body, first.entry.tag, first.message_count) == (b"0", 1, 2)
    assert (second.entry.message.body, second.entry.tag, second.message_count) == (b"1", 2, 1)
    assert first.entry.consumer is None
    assert list(q.unacked) == [1]


def test_what_get_takes_without_ack_frees_its_memory(
    make_broker: Callable[..., Broker],
) -> None:
    broker = make_broker(memory_limit=10_000)
    channel = broker.connect().channel()
    channel.declare_queue("q")
    publish(channel, 2)
    channel.get("q", no_ack=True)
    channel.get("q")
    channel.ack(2)
    assert broker.memory_used == 0


# -- prefetch


@pytest.mark.parametrize("count", [-1, 65_536])
def test_a_prefetch_count_is_16_bits(channel: Channel, count: int) -> None:
    with pytest.raises(ValueError, match=f"must be 0 to 65535, not {count}"):
        channel.qos(count)
    with pytest.raises(NotImplementedByBroker):
        channel.qos(1, prefetch_size=1)
    channel.qos(65_535)
    assert channel.prefetch == 65_535


def test_an_ack_gives_credit_back_that_may_not_be_needed(
    connection: LocalConnection, q: Channel
) -> None:
    q.qos(2)
    q.consume("q", tag="A")
    publish(q, 1)
    assert turns(connection) == "A"
    q.ack(1)
    assert q.consumers["A"].credit == 2
    publish(q, 3)
    assert turns(connection) == "AA"


def test_an_ack_gives_credit_back(connection: LocalConnection, q: Channel) -> None:
    q.qos(1)
    q.consume("q", tag="A")
    publish(q, 3)
    assert turns(connection) == "A"
    q.ack(1)
    assert turns(connection) == "A"
    q.reject(2, requeue=False)
    assert turns(connection) == "A"


def test_a_shared_limit_holds_for_all_that_ack(connection: LocalConnection, q: Channel) -> None:
    q.qos(2, global_=True)
    q.declare_queue("r")
    q.consume("q", tag="A")
    q.consume("r", tag="B")
    q.consume("r", tag="N", no_ack=True)
    publish(q, 3)
    publish(q, 2, "r")
    assert turns(connection) == "AANN"
    q.get("r")
    q.ack(1)
    assert turns(connection) == "A"
    q.qos(1, global_=True)
    q.ack(2)
    publish(q, 1)
    assert turns(connection) == ""
    q.ack(5)
    assert turns(connection) == "A"
    q.qos(0)
    publish(q, 2)
    assert turns(connection) == "AA"


def test_all_whose_credit_came_back_are_there_before_their_queue_deals(
    connection: LocalConnection, q: Channel
) -> None:
    q.qos(1)
    q.declare_queue("r")
    for queue, tag, priority in (("q", "L", 0), ("q", "H", 1), ("r", "R", 0)):
        q.consume(queue, tag=tag, arguments={"x-priority": priority})
    publish(q, 3)
    publish(q, 2, "r")
    assert turns(connection) == "HLR"
    q.ack(3, multiple=True)
    assert turns(connection) == "HR"


def test_a_shared_credit_may_end_within_one_round(connection: LocalConnection, q: Channel) -> None:
    q.declare_queue("r")
    q.qos(1, global_=True)
    q.consume("q", tag="A")
    q.consume("r", tag="B")
    for queue in ("q", "q", "r"):
        q.publish("", queue, b"")
    assert turns(connection) == "A"
    q.ack(1)
    assert turns(connection) == "B"
    q.ack(2)
    assert turns(connection) == "A"


# -- settling


def test_an_ack_of_get_gives_no_credit(connection: LocalConnection, q: Channel) -> None:
    q.qos(1)
    publish(q, 3)
    q.get("q")
    q.consume("q", tag="A")
    assert turns(connection) == "A"
    q.ack(1)
    assert turns(connection) == ""


def test_a_nack_or_reject_without_requeue_dead_letters(q: Channel) -> None:
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"}
    q.declare_queue("source", arguments=arguments)
    publish(q, 3, "source")
    for _ in range(3):
        q.get("source")
    q.nack(2, multiple=True, requeue=False)
    q.reject(3, requeue=False)
    assert (ready(q, "source"), ready(q)) == (0, 3)


def test_settling_for_a_queue_that_is_gone_does_nothing(
    make_broker: Callable[..., Broker],
) -> None:
    broker = make_broker(memory_limit=10_000)
    channel = broker.connect().channel()
    channel.declare_queue("q")
    publish(channel, 3)
    for _ in range(3):
        channel.get("q")
    channel.delete_queue("q")
    channel.ack(1)
    channel.nack(2)
    channel.reject(3, requeue=False)
    assert broker.memory_used == 0


def test_recover_takes_what_nobody_looked_at_out_of_the_outbox(
    connection: LocalConnection, q: Channel
) -> None:
    publish(q, 2)
    q.qos(1)
    q.consume("q", tag="A")
    q.recover()
    (entry,) = entries(connection)
    assert (entry.message.body, entry.tag, entry.redelivered) == (b"0", 2, True)
    with pytest.raises(NotImplementedByBroker, match="requeue=false"):
        q.recover(requeue=False)


@pytest.mark.parametrize("tag", [0, 1, 7])
@pytest.mark.parametrize("multiple", [True, False])
def test_only_outstanding_tags_can_be_settled(q: Channel, tag: int, multiple: bool) -> None:
    publish(q, 3)
    for _ in range(3):
        q.get("q")
    q.ack(1)
    if multiple and not tag:
        q.nack(tag, multiple=True)
        assert q.unacked == {}
        return
    for method in (q.ack, q.nack):
        with pytest.raises(PreconditionFailed, match=f"unknown delivery tag {tag}"):
            method(tag, multiple)
    assert list(q.unacked) == [2, 3]


def test_multiple_is_up_to_and_including(q: Channel) -> None:
    publish(q, 4)
    for _ in range(4):
        q.get("q")
    q.ack(3, multiple=True)
    assert list(q.unacked) == [4]


def test_in_a_transaction_settling_waits(q: Channel) -> None:
    publish(q, 2)
    q.tx_select()
    q.get("q")
    q.get("q")
    q.ack(1)
    q.nack(2)
    assert (q.unacked, ready(q)) == ({}, 0)
    q.tx_commit()
    assert ready(q) == 1


CALLS: list[Callable[[Channel], object]] = [
    lambda channel: channel.consume("q"),
    lambda channel: channel.cancel("tag"),
    lambda channel: channel.qos(1),
    lambda channel: channel.get("q"),
    lambda channel: channel.ack(1),
    lambda channel: channel.ack(0, multiple=True),
    lambda channel: channel.nack(1),
    lambda channel: channel.reject(1),
    lambda channel: channel.recover(),
]


@pytest.mark.parametrize("call", CALLS)
def test_a_closed_channel_consumes_and_settles_nothing(
    q: Channel, call: Callable[[Channel], object]
) -> None:
    publish(q, 1)
    q.get("q")
    q.close()
    with pytest.raises(ChannelInvalid):
        call(q)


# -- streams


def test_a_stream_takes_acks_but_its_profile_may_refuse_the_rest(
    make_broker: Callable[..., Broker],
) -> None:
    connection = make_broker(profile="rabbitmq-3.10").connect()
    channel = connection.channel()
    channel.declare_queue("s", durable=True, arguments={"x-queue-type": "stream"})
    channel.declare_queue("q")
    channel.qos(10)
    channel.consume("s")
    publish(channel, 1)
    channel.get("q")
    publish(channel, 1, "s")
    with pytest.raises(NotImplementedByBroker):
        channel.reject(2)
    with pytest.raises(NotImplementedByBroker):
        channel.nack(2, multiple=True)
    assert list(channel.unacked) == [1, 2]
    channel.ack(2, multiple=True)
