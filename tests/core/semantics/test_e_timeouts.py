"""Deliveries that are never acked (87)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from minibroker import PROFILES
from minibroker.errors import PreconditionFailed
from minibroker.events import Cancelled, ChannelClosed
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection

pytestmark = pytest.mark.semantics(87)

NEWEST = "rabbitmq-4.3"
CLOSING = [name for name in PROFILES if name != NEWEST]
QUORUM = {"x-queue-type": "quorum"}


def events(connection: LocalConnection) -> list[object]:
    """What lies in the outbox besides deliveries; it is empty then."""
    items = list(connection.outbox)
    connection.outbox.clear()
    return [item for item in items if not isinstance(item, Entry)]


def closing(connection: LocalConnection) -> str:
    """Why the one channel was closed."""
    (event,) = events(connection)
    assert isinstance(event, ChannelClosed)
    assert isinstance(event.error, PreconditionFailed)
    assert event.channel.closed
    return str(event.error)


def consuming(channel: Channel, messages: int = 1, **consumer: int) -> Channel:
    """`channel`, with a queue `q` and a consumer of its messages."""
    channel.declare_queue("q")
    for _ in range(messages):
        channel.publish("", "q", b"")
    arguments = {f"x-{name.replace('_', '-')}": value for name, value in consumer.items()}
    channel.consume("q", tag="tag", arguments=arguments)
    return channel


def ready(connection: LocalConnection) -> int:
    return connection.channel().declare_queue("q", passive=True).message_count


@pytest.mark.parametrize("profile", CLOSING)
def test_a_channel_is_closed_half_an_hour_after_a_delivery_that_is_not_acked(
    make_broker: Callable[..., Broker], clock: ManualClock, profile: str
) -> None:
    connection = make_broker(profile=profile).connect()
    consuming(connection.channel(7))
    clock.advance("30m")
    assert closing(connection) == (
        "delivery acknowledgement on channel 7 timed out. Timeout value used: 1800000 ms. "
        "This timeout value can be configured, see consumers doc guide to learn more"
    )
    answer = connection.channel().get("q")
    assert answer is not None
    assert answer.entry.redelivered


@pytest.mark.parametrize("way", ["ack", "nack", "reject"])
def test_a_delivery_that_is_settled_in_time_is_in_time(
    connection: LocalConnection, channel: Channel, clock: ManualClock, way: str
) -> None:
    channel.declare_queue("q")
    channel.publish("", "q", b"")
    channel.get("q")
    clock.advance("29m59s")
    getattr(channel, way)(1)
    clock.advance("10h")
    assert events(connection) == []
    assert not channel.closed


def test_each_delivery_has_its_own_half_hour(
    connection: LocalConnection, channel: Channel, clock: ManualClock
) -> None:
    consuming(channel)
    for tag in range(1, 20):
        clock.advance("20m")
        channel.publish("", "q", b"")
        channel.ack(tag)
    assert events(connection) == []
    clock.advance("29m")
    assert not channel.closed
    clock.advance("2m")  # a delivery may overstay by a thirtieth
    assert "timed out" in closing(connection)


def test_a_settled_delivery_in_front_hides_no_other(
    connection: LocalConnection, channel: Channel, clock: ManualClock
) -> None:
    consuming(channel, messages=3)
    clock.advance("20m")
    channel.ack(1)
    channel.ack(3)
    clock.advance("11m")
    assert "timed out" in closing(connection)
    assert ready(connection) == 1


def test_get_is_a_delivery_and_one_without_acks_is_none(
    connection: LocalConnection, channel: Channel, clock: ManualClock
) -> None:
    other = connection.channel()
    consuming(channel)
    channel.ack(1)
    channel.cancel("tag")
    other.consume("q", no_ack=True)
    channel.publish("", "q", b"")
    clock.advance("1h")
    assert events(connection) == []
    other.close()
    channel.publish("", "q", b"")
    channel.get("q")
    clock.advance("31m")
    assert "timed out" in closing(connection)


def test_a_consumer_may_have_a_timeout_of_its_own(
    connection: LocalConnection, clock: ManualClock
) -> None:
    longer, shorter = connection.channel(), connection.channel()
    consuming(longer, consumer_timeout=7_200_000)
    consuming(shorter, consumer_timeout=60_000)
    for _ in range(2):
        shorter.publish("", "q", b"")
    assert (len(longer.unacked), len(shorter.unacked)) == (3, 1)
    clock.advance("62s")
    assert "Timeout value used: 60000 ms." in closing(connection)
    clock.advance("119m")
    assert "Timeout value used: 7200000 ms." in closing(connection)


def test_a_queue_may_have_a_timeout_for_its_consumers(
    connection: LocalConnection, channel: Channel, clock: ManualClock
) -> None:
    channel.declare_queue("q", arguments={"x-consumer-timeout": 60_000})
    channel.declare_queue("r")
    for queue in ("q", "r"):
        channel.publish("", queue, b"")
    channel.consume("r")
    clock.advance("2m")
    assert events(connection) == []
    channel.get("q")
    clock.advance("62s")
    assert "Timeout value used: 60000 ms." in closing(connection)


def test_a_policy_may_give_queues_a_timeout(
    broker: Broker, connection: LocalConnection, channel: Channel, clock: ManualClock
) -> None:
    broker.set_policy("timeout", "^q$", {"consumer-timeout": 60_000}, apply_to="queues")
    consuming(channel)
    clock.advance("62s")
    assert "Timeout value used: 60000 ms." in closing(connection)


def test_the_timeout_of_a_consumer_goes_before_that_of_its_queue(
    connection: LocalConnection, channel: Channel, clock: ManualClock
) -> None:
    channel.declare_queue("q", arguments={"x-consumer-timeout": 60_000})
    channel.publish("", "q", b"")
    channel.consume("q", arguments={"x-consumer-timeout": 120_000})
    clock.advance("119s")
    assert events(connection) == []
    clock.advance("5s")
    assert "Timeout value used: 120000 ms." in closing(connection)


def test_the_timeout_of_all_consumers_can_be_set(
    make_broker: Callable[..., Broker], clock: ManualClock
) -> None:
    profile = replace(PROFILES["rabbitmq-4.2"], consumer_timeout=1_000)
    connection = make_broker(profile=profile).connect()
    consuming(connection.channel())
    clock.advance("1034ms")
    assert "Timeout value used: 1000 ms." in closing(connection)


def test_a_shorter_timeout_that_comes_later_is_looked_after(
    connection: LocalConnection, channel: Channel, clock: ManualClock
) -> None:
    consuming(channel)
    clock.advance("1m")
    channel.declare_queue("r")
    channel.publish("", "r", b"")
    channel.consume("r", arguments={"x-consumer-timeout": 1_000})
    clock.advance("1100ms")
    assert "Timeout value used: 1000 ms." in closing(connection)


def test_other_channels_live_on(connection: LocalConnection, clock: ManualClock) -> None:
    slow, other = connection.channel(), connection.channel()
    consuming(slow)
    clock.advance("31m")
    assert "timed out" in closing(connection)
    assert not connection.closed
    assert other.get("q") is not None


def test_settling_in_a_transaction_is_settling(
    connection: LocalConnection, channel: Channel, clock: ManualClock
) -> None:
    channel.tx_select()
    channel.declare_queue("q")
    connection.channel().publish("", "q", b"")
    channel.get("q")
    channel.ack(1)
    clock.advance("2h")
    assert events(connection) == []
    channel.tx_rollback()
    clock.advance("2h")
    assert "timed out" in closing(connection)


# -- RabbitMQ 4.3


@pytest.fixture
def newest(make_broker: Callable[..., Broker]) -> Channel:
    """A channel with a quorum queue `q` and a classic queue `c`, a message in each."""
    channel = make_broker(profile=NEWEST).connect().channel()
    channel.declare_queue("q", durable=True, arguments=QUORUM)
    channel.declare_queue("c", durable=True)
    for queue in ("q", "c"):
        channel.publish("", queue, b"")
    return channel


def test_rabbitmq_4_3_cancels_the_consumer_of_a_quorum_queue(
    newest: Channel, clock: ManualClock
) -> None:
    connection = newest.connection
    newest.consume("q", tag="slow")
    newest.consume("c", tag="other")
    assert len(connection.outbox) == 2
    clock.advance("31m")
    # What goes back is no delivery any more, even if nobody has looked at it yet.
    delivery, cancelled = connection.outbox
    assert isinstance(delivery, Entry)
    assert delivery.queue.name == "c"
    assert cancelled == Cancelled(newest, "slow")
    assert not newest.closed
    assert list(newest.consumers) == ["other"]
    taken = newest.get("q")
    assert taken is not None
    assert taken.entry.redelivered
    newest.ack(taken.entry.tag)


def test_rabbitmq_4_3_passes_the_messages_to_another_consumer(
    newest: Channel, clock: ManualClock
) -> None:
    connection = newest.connection
    newest.consume("q", tag="slow")
    connection.outbox.clear()
    connection.channel().consume("q", tag="quick")
    clock.advance("31m")
    cancelled, entry = connection.outbox
    assert cancelled == Cancelled(newest, "slow")
    assert isinstance(entry, Entry)
    assert entry.consumer is not None
    assert entry.consumer.tag == "quick"
    assert entry.redelivered


def test_rabbitmq_4_3_lets_consumers_of_classic_queues_take_their_time(
    newest: Channel, clock: ManualClock
) -> None:
    newest.consume("c", arguments={"x-consumer-timeout": 1_000})
    newest.get("c")
    newest.connection.outbox.clear()
    clock.advance("100h")
    assert not newest.connection.outbox
    assert not newest.closed
