"""The side of a channel that consumes: who gets what, and what `get` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import (
    AccessRefused,
    NotAllowed,
    NotFound,
    PreconditionFailed,
)
from minibroker.queues import Entry

from .told import entries, publish, turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection


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
