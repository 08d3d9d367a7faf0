"""Streams: reading that removes nothing, from any offset."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from minibroker.errors import NotImplementedByBroker, PreconditionFailed
from minibroker.events import Cancelled, Confirmed
from minibroker.properties import Properties
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock
    from minibroker.channel import Channel
    from minibroker.fields import FieldValue
    from minibroker.local import LocalConnection

START = datetime(2026, 1, 1, tzinfo=UTC)
"""What a ManualClock shows at first."""


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


# -- offsets


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("first", ["a", "b", "c", "new"]),
        ("last", ["c", "new"]),
        ("next", ["new"]),
        (None, ["new"]),
        (0, ["a", "b", "c", "new"]),
        (2, ["c", "new"]),
        (3, ["new"]),
        (-5, ["a", "b", "c", "new"]),
        (4, []),
    ],
)
def test_reading_begins_where_the_offset_says_and_goes_on_with_what_is_new(
    connection: LocalConnection, channel: Channel, offset: FieldValue, expected: list[str]
) -> None:
    declare(channel)
    publish(channel, "a", "b", "c")
    consume(channel, offset)
    publish(channel, "new")
    assert delivered(connection) == expected


def test_an_offset_that_is_not_there_yet_is_waited_for(
    connection: LocalConnection, channel: Channel
) -> None:
    # Observed on RabbitMQ 3.10.8.
    declare(channel)
    consume(channel, 2)
    publish(channel, "a", "b", "c", "d")
    assert delivered(connection) == ["c", "d"]


@pytest.mark.parametrize("offset", ["first", "last", "next", 0, START])
def test_an_empty_stream_is_read_from_its_beginning(
    connection: LocalConnection, channel: Channel, offset: FieldValue
) -> None:
    declare(channel)
    consume(channel, offset)
    publish(channel, "a")
    assert delivered(connection) == ["a"]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, ["a", "b", "c"]), (1, ["b", "c"]), (10, ["b", "c"]), (11, ["c"]), (20, ["c"]), (21, [])],
)
def test_a_timestamp_means_the_first_message_published_then_or_later(
    clock: ManualClock,
    connection: LocalConnection,
    channel: Channel,
    seconds: int,
    expected: list[str],
) -> None:
    declare(channel)
    for body in ("a", "b", "c"):
        publish(channel, body)
        clock.advance("10s")
    consume(channel, START.replace(second=seconds))
    assert delivered(connection) == expected


def test_a_timestamp_before_the_first_message_means_the_first_and_a_later_one_the_next(
    connection: LocalConnection, channel: Channel
) -> None:
    declare(channel)
    publish(channel, "a")
    consume(channel, datetime(2020, 1, 1, tzinfo=UTC), tag="early")
    assert delivered(connection) == ["a"]
    channel.cancel("early")
    consume(channel, datetime(2030, 1, 1, tzinfo=UTC))
    publish(channel, "b")
    assert delivered(connection) == ["b"]


@pytest.mark.parametrize(("age", "expected"), [("25s", ["a", "b", "c"]), ("15s", ["c"])])
def test_an_age_means_what_was_published_since_then(
    clock: ManualClock,
    connection: LocalConnection,
    channel: Channel,
    age: str,
    expected: list[str],
) -> None:
    declare(channel)
    for body in ("a", "b", "c"):
        publish(channel, body)
        clock.advance("8s")
    consume(channel, age)
    assert delivered(connection) == expected


@pytest.mark.parametrize("offset", ["foo", "1X", 1.5, True, [1]])
def test_anything_else_is_refused_with_its_value(channel: Channel, offset: FieldValue) -> None:
    declare(channel)
    with pytest.raises(PreconditionFailed, match="invalid arg 'x-stream-offset' for queue 's'"):
        consume(channel, offset)


def test_each_delivery_tells_its_offset_beside_the_headers_it_was_published_with(
    connection: LocalConnection, channel: Channel
) -> None:
    declare(channel)
    publish(channel, "a")
    properties = Properties(headers={"mine": 1, "x-stream-offset": 77}, expiration="1")
    channel.publish("", "s", b"b", properties)
    consume(channel)
    headers = [item.message.headers for item in connection.outbox if isinstance(item, Entry)]
    assert headers == [{"x-stream-offset": 0}, {"mine": 1, "x-stream-offset": 1}]


# -- reading removes nothing


def test_every_reader_gets_every_message(
    broker: Broker, connection: LocalConnection, channel: Channel
) -> None:
    declare(channel)
    publish(channel, "a", "b")
    other = broker.connect()
    consume(channel)
    consume(other.channel())
    publish(channel, "c")
    assert delivered(connection) == delivered(other) == ["a", "b", "c"]


def test_two_consumers_of_one_channel_read_independently(
    connection: LocalConnection, channel: Channel
) -> None:
    declare(channel)
    publish(channel, "a", "b")
    consume(channel, "first", tag="all")
    consume(channel, "last", tag="some")
    read = [
        (item.consumer.tag, item.message.body)
        for item in connection.outbox
        if isinstance(item, Entry) and item.consumer is not None
    ]
    assert read == [("all", b"a"), ("all", b"b"), ("some", b"b")]


def test_acked_messages_stay_and_are_read_again_by_the_next_reader(
    broker: Broker, connection: LocalConnection, channel: Channel
) -> None:
    declare(channel)
    publish(channel, "a", "b")
    tag = consume(channel)
    channel.ack(0, multiple=True)
    channel.cancel(tag)
    assert kept(broker) == ["a", "b"]
    assert channel.declare_queue("s", passive=True).message_count == 2


def test_prefetch_limits_what_is_unacked_and_acks_give_credit(
    connection: LocalConnection, channel: Channel
) -> None:
    declare(channel)
    publish(channel, "a", "b", "c", "d", "e")
    consume(channel, prefetch=2)
    assert delivered(connection) == ["a", "b"]
    channel.ack(1)
    assert delivered(connection) == ["c"]
    channel.ack(3, multiple=True)
    assert delivered(connection) == ["d", "e"]
    publish(channel, "f")
    assert delivered(connection) == []


def test_a_slow_reader_does_not_hold_up_a_fast_one(
    broker: Broker, connection: LocalConnection, channel: Channel
) -> None:
    declare(channel)
    other = broker.connect()
    consume(channel, prefetch=1)
    consume(other.channel())
    publish(channel, "a", "b", "c")
    assert (delivered(connection), delivered(other)) == (["a"], ["a", "b", "c"])


@pytest.mark.parametrize("how", ["nack", "reject", "nack requeue", "reject requeue"])
@pytest.mark.parametrize("profile", ["rabbitmq-4.2", "rabbitmq-4.3"])
def test_from_4_0_on_a_rejection_only_gives_credit(
    make_broker: Callable[..., Broker], profile: str, how: str
) -> None:
    broker = make_broker(profile=profile)
    connection = broker.connect()
    channel = connection.channel()
    declare(channel)
    publish(channel, "a", "b")
    consume(channel, prefetch=1)
    assert delivered(connection) == ["a"]
    verb, _, requeue = how.partition(" ")
    getattr(channel, verb)(1, requeue=bool(requeue))
    assert delivered(connection) == ["b"]
    assert kept(broker) == ["a", "b"]


@pytest.mark.parametrize("how", ["nack", "reject"])
@pytest.mark.parametrize("profile", ["rabbitmq-3.10", "rabbitmq-3.13"])
def test_up_to_3_13_a_rejection_is_refused_and_the_delivery_stays_unacked(
    make_broker: Callable[..., Broker], profile: str, how: str
) -> None:
    connection = make_broker(profile=profile).connect()
    channel = connection.channel()
    declare(channel)
    publish(channel, "a", "b")
    consume(channel, prefetch=1)
    message = "basic.nack and basic.reject not supported by stream queues queue 's' in vhost '/'"
    with pytest.raises(NotImplementedByBroker, match=message):
        getattr(channel, how)(1)
    channel.ack(1)
    assert delivered(connection) == ["a", "b"]


@pytest.mark.parametrize("end", ["recover", "close"])
def test_nothing_goes_back_when_a_channel_recovers_or_ends(
    broker: Broker, connection: LocalConnection, channel: Channel, end: str
) -> None:
    declare(channel)
    publish(channel, "a", "b")
    consume(channel)
    assert delivered(connection) == ["a", "b"]
    getattr(channel, end)()
    assert delivered(connection) == []
    assert kept(broker) == ["a", "b"]


def test_a_cancelled_reader_gets_nothing_more(
    connection: LocalConnection, channel: Channel
) -> None:
    declare(channel)
    tag = consume(channel)
    channel.cancel(tag)
    publish(channel, "a")
    assert delivered(connection) == []


def test_publishing_is_confirmed_and_bindings_lead_here_as_to_any_queue(
    broker: Broker, connection: LocalConnection, channel: Channel
) -> None:
    declare(channel)
    channel.bind_queue("s", "amq.topic", "a.*")
    channel.confirm_select()
    channel.publish("amq.topic", "a.b", b"m")
    assert [item.ok for item in connection.outbox if isinstance(item, Confirmed)] == [True]
    assert kept(broker) == ["m"]


def test_readers_are_told_when_the_stream_is_deleted(
    connection: LocalConnection, channel: Channel
) -> None:
    declare(channel)
    consume(channel, tag="c")
    publish(channel, "a")
    assert channel.delete_queue("s", if_unused=True, if_empty=True) == 0
    event = connection.outbox[-1]
    assert isinstance(event, Cancelled)
    assert event.consumer_tag == "c"
