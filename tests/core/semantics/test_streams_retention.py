"""Streams: what retention removes, and what they do not do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import NotImplementedByBroker, PreconditionFailed
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock
    from minibroker.channel import Channel
    from minibroker.fields import FieldValue
    from minibroker.local import LocalConnection


def declare(channel: Channel, **given: FieldValue) -> None:
    arguments = {f"x-{key.replace('_', '-')}": value for key, value in given.items()}
    channel.declare_queue("s", durable=True, arguments={"x-queue-type": "stream", **arguments})


def publish(channel: Channel, *bodies: str) -> None:
    for body in bodies:
        channel.publish("", "s", body.encode())


def consume(
    channel: Channel, offset: FieldValue = "first", prefetch: int = 100, tag: str = ""
) -> str:
    channel.qos(prefetch)
    arguments = None if offset is None else {"x-stream-offset": offset}
    return channel.consume("s", tag=tag, arguments=arguments)


def delivered(connection: LocalConnection) -> list[str]:
    """The bodies of the deliveries in the outbox, taken out."""
    items = list(connection.outbox)
    connection.outbox.clear()
    return [item.message.body.decode() for item in items if isinstance(item, Entry)]


def kept(broker: Broker) -> list[str]:
    """What the stream holds, as a new reader sees it."""
    with broker.connect() as connection:
        consume(connection.channel(), prefetch=1000)
        return delivered(connection)


def test_the_oldest_messages_go_when_the_bodies_are_over_max_length_bytes(
    broker: Broker, channel: Channel
) -> None:
    declare(channel, max_length_bytes=10)
    publish(channel, "aaaa", "bbbb", "cc")
    assert kept(broker) == ["aaaa", "bbbb", "cc"]
    publish(channel, "d")
    assert kept(broker) == ["bbbb", "cc", "d"]
    publish(channel, "larger than the limit")
    assert kept(broker) == ["larger than the limit"]


def test_messages_go_when_they_are_older_than_max_age(
    clock: ManualClock, broker: Broker, channel: Channel
) -> None:
    declare(channel, max_age="1m")
    publish(channel, "a")
    clock.advance("30s")
    publish(channel, "b", "c")
    clock.advance("29999ms")
    assert kept(broker) == ["a", "b", "c"]
    clock.advance("1ms")
    assert kept(broker) == ["b", "c"]
    clock.advance("30s")
    assert kept(broker) == []


def test_retention_does_not_care_who_has_read(
    clock: ManualClock, broker: Broker, connection: LocalConnection, channel: Channel
) -> None:
    declare(channel, max_length_bytes=2)
    consume(channel, prefetch=1)
    publish(channel, "a", "b", "c", "d")
    assert delivered(connection) == ["a"]
    channel.ack(1)
    assert delivered(connection) == ["c"]


def test_offsets_go_on_after_retention(connection: LocalConnection, channel: Channel) -> None:
    declare(channel, max_length_bytes=2)
    publish(channel, "a", "b", "c", "d")
    consume(channel, 0)
    offsets = [
        item.message.headers["x-stream-offset"]
        for item in connection.outbox
        if isinstance(item, Entry)
    ]
    assert offsets == [2, 3]


def test_a_long_stream_with_retention_keeps_the_right_ones(
    broker: Broker, channel: Channel
) -> None:
    declare(channel, max_length_bytes=30)
    for number in range(5000):
        publish(channel, f"{number:03}")
    broker._check()
    assert kept(broker) == [str(number) for number in range(4993, 5000)]


@pytest.mark.semantics(111)
def test_policies_set_and_lower_the_retention(
    clock: ManualClock, broker: Broker, channel: Channel
) -> None:
    declare(channel, max_length_bytes=3)
    publish(channel, "a", "b", "c")
    broker.set_policy("p", "^s$", {"max-length-bytes": 2}, apply_to="streams")
    assert kept(broker) == ["b", "c"]
    broker.set_policy("p", "^s$", {"max-age": "10s", "max-length-bytes": 9})
    clock.advance("10s")
    assert kept(broker) == []
    broker.delete_policy("p")
    publish(channel, "d", "e", "f", "g")
    clock.advance("1h")
    assert kept(broker) == ["e", "f", "g"]


# -- what streams do not do


def test_get_and_purge_are_refused(channel: Channel) -> None:
    declare(channel)
    publish(channel, "a")
    with pytest.raises(NotImplementedByBroker, match="basic.get not supported by stream queues"):
        channel.get("s")
    with pytest.raises(NotImplementedByBroker, match="queue.purge not supported by stream queues"):
        channel.purge_queue("s")
    assert channel.declare_queue("s", passive=True).message_count == 1


def test_reading_needs_acks_and_a_prefetch_limit(channel: Channel) -> None:
    declare(channel)
    with pytest.raises(PreconditionFailed, match="consumer prefetch count is not set"):
        channel.consume("s")
    channel.qos(1)
    with pytest.raises(NotImplementedByBroker, match="automatic acknowledgement not supported"):
        channel.consume("s", no_ack=True)


@pytest.mark.parametrize(
    "argument",
    ["message_ttl", "expires", "max_length", "max_priority", "delivery_limit"],
)
def test_arguments_of_other_queues_are_refused(channel: Channel, argument: str) -> None:
    with pytest.raises(PreconditionFailed, match="of queue type rabbit_stream_queue"):
        declare(channel, **{argument: 5})


def test_a_stream_counts_for_a_memory_limit_until_retention_lets_go(
    make_broker: Callable[..., Broker],
) -> None:
    broker = make_broker(memory_limit=1_000_000)
    connection = broker.connect()
    channel = connection.channel()
    declare(channel, max_length_bytes=1000)
    publish(channel, "x" * 1000)
    held = broker.memory_used
    assert held is not None
    assert held >= 1000
    consume(channel)
    channel.ack(1)
    assert broker.memory_used == held
    publish(channel, "y" * 1000)
    assert broker.memory_used == held
    channel.delete_queue("s")
    assert broker.memory_used == 0
