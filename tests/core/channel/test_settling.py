"""What a settlement does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import (
    ChannelInvalid,
    NotImplementedByBroker,
    PreconditionFailed,
)

from .told import entries, publish, ready, turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection


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


def test_two_consumers_of_one_name_give_back_together(
    connection: LocalConnection, q: Channel
) -> None:
    publish(q, 2)
    q.qos(1)
    q.consume("q", tag="A")
    q.cancel("A")
    q.consume("q", tag="A")
    q.consume("q", tag="B")
    assert turns(connection) == "AA"
    q.nack(0, multiple=True)
    assert [entry.message.body for entry in entries(connection)] == [b"0", b"1"]
