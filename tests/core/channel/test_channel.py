"""A channel as a whole: transactions, acks that do not come, and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import ChannelInvalid, PreconditionFailed, ResourceError
from minibroker.events import Cancelled, ChannelClosed
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection

HALF_AN_HOUR = "31m"


@pytest.fixture
def q(channel: Channel) -> Channel:
    """`channel`, with three messages in a queue `q`."""
    channel.declare_queue("q")
    for body in (b"1", b"2", b"3"):
        channel.publish("", "q", body)
    return channel


def ready(channel: Channel) -> int:
    return channel.declare_queue("q", passive=True).message_count


# -- transactions


def test_a_commit_publishes_and_then_settles(q: Channel) -> None:
    q.tx_select()
    q.get("q")
    q.ack(1)
    q.publish("", "q", b"4")
    q.get("q")
    q.nack(2)
    assert ready(q) == 1
    q.tx_commit()
    assert [q.get("q") is not None for _ in range(4)] == [True, True, True, False]


def test_a_commit_that_a_queue_refused_is_done_all_the_same(q: Channel) -> None:
    q.declare_queue("full", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    q.tx_select()
    q.get("q")
    q.ack(1)
    q.publish("", "full", b"")
    q.publish("", "q", b"4")
    with pytest.raises(PreconditionFailed, match="partial tx completion"):
        q.tx_commit()
    assert ready(q) == 3
    q.tx_commit()


def test_a_rollback_brings_back_what_was_settled_in_order_of_tags(q: Channel) -> None:
    q.tx_select()
    for _ in range(3):
        q.get("q")
    q.ack(3)
    q.nack(1)
    q.tx_rollback()
    assert list(q.unacked) == [1, 2, 3]


@pytest.mark.parametrize("call", ["tx_commit", "tx_rollback"])
def test_transactions_end_only_where_they_began(q: Channel, call: str) -> None:
    with pytest.raises(PreconditionFailed, match="channel is not transactional"):
        getattr(q, call)()
    q.tx_select()
    q.close()
    with pytest.raises(ChannelInvalid):
        getattr(q, call)()


# -- acks that do not come


def test_a_channel_that_does_not_ack_is_closed(
    connection: LocalConnection, q: Channel, clock: ManualClock
) -> None:
    q.get("q")
    clock.advance(HALF_AN_HOUR)
    assert q.closed
    (closed,) = connection.outbox
    assert isinstance(closed, ChannelClosed)
    assert closed.channel is q
    assert "Timeout value used: 1800000 ms." in str(closed.error)
    assert ready(connection.channel()) == 3


def test_the_watch_goes_on_as_long_as_something_is_unacked(q: Channel, clock: ManualClock) -> None:
    q.get("q")
    clock.advance("20m")
    q.get("q")
    q.ack(1)
    clock.advance("20m")
    q.ack(2)
    assert q.timeouts.running
    clock.advance("2m")
    assert not q.timeouts.running
    q.consume("q")
    assert q.timeouts.running
    assert not q.watches
    clock.advance(HALF_AN_HOUR)
    assert q.closed


def test_what_a_rollback_brings_back_is_watched_again(q: Channel, clock: ManualClock) -> None:
    q.tx_select()
    q.get("q")
    q.ack(1)
    clock.advance(HALF_AN_HOUR)
    assert not q.timeouts.running
    q.tx_rollback()
    clock.advance(HALF_AN_HOUR)
    assert q.closed


@pytest.mark.parametrize(
    ("consumer", "queue", "expected"),
    [(None, None, 1_800_000), (None, 5_000, 5_000), (7_000, 5_000, 7_000), (0, None, 0)],
)
def test_a_timeout_is_that_of_the_consumer_or_of_the_queue_or_of_the_profile(
    channel: Channel, consumer: int | None, queue: int | None, expected: int
) -> None:
    channel.declare_queue("q", arguments={} if queue is None else {"x-consumer-timeout": queue})
    arguments = {} if consumer is None else {"x-consumer-timeout": consumer}
    tag = channel.consume("q", arguments=arguments)
    started = channel.consumers[tag]
    assert channel._timeout_of(started.queue, started) == expected
    assert channel._timeout_of(started.queue, None) == (queue or 1_800_000)


def test_the_newest_profile_cancels_the_consumer_instead(
    make_broker: Callable[..., Broker], clock: ManualClock
) -> None:
    connection = make_broker(profile="rabbitmq-4.3").connect()
    channel = connection.channel()
    for queue, kind in (("classic", "classic"), ("quorum", "quorum")):
        channel.declare_queue(queue, durable=True, arguments={"x-queue-type": kind})
        channel.publish("", queue, b"")
        channel.consume(queue, tag=queue)
    clock.advance(HALF_AN_HOUR)
    assert list(channel.consumers) == ["classic"]
    delivery, cancelled = connection.outbox
    assert isinstance(delivery, Entry)
    assert cancelled == Cancelled(channel, "quorum")
    channel.get("quorum")
    clock.advance(HALF_AN_HOUR)  # there is no consumer to cancel
    assert channel.closed


# -- the end


def test_the_broker_says_why_it_closes_a_channel(connection: LocalConnection, q: Channel) -> None:
    error = ResourceError("enough")
    q.end(error)
    assert list(connection.outbox) == [ChannelClosed(q, error)]
    assert q.closed


def test_closing_ends_everything_the_channel_has(connection: LocalConnection, q: Channel) -> None:
    other = connection.channel()
    q.consume("amq.rabbitmq.reply-to", no_ack=True)
    q.get("q")
    q.qos(1)
    q.consume("q")
    q.tx_select()
    q.ack(1)
    q.publish("", "q", b"4")
    q.close()
    q.close()
    assert (q.closed, q.plain, q.unacked, q.consumers) == (True, False, {}, {})
    assert (q.reply, q.transaction, q.timeouts.running) == (None, None, False)
    assert connection.channels == [other]
    assert list(connection.outbox) == []
    assert other.declare_queue("q", passive=True) == ("q", 3, 0)


def test_what_goes_back_is_delivered_to_other_channels(
    connection: LocalConnection, q: Channel
) -> None:
    q.consume("q", tag="A")
    connection.outbox.clear()
    connection.channel().consume("q", tag="B")
    q.close()
    deliveries = [item for item in connection.outbox if isinstance(item, Entry)]
    assert [entry.message.body for entry in deliveries] == [b"1", b"2", b"3"]
    assert all(entry.redelivered for entry in deliveries)


def test_an_auto_delete_queue_goes_with_the_last_channel_that_consumes(
    connection: LocalConnection,
) -> None:
    first, second = connection.channel(), connection.channel()
    first.declare_queue("q", auto_delete=True)
    first.consume("q")
    second.consume("q")
    first.publish("", "q", b"")
    first.close()
    assert "q" in second.vhost.queues
    second.close()
    assert "q" not in second.vhost.queues
