"""The stream's store: offsets, readers and compaction. Rules: `semantics/test_streams*`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.queues import Entry, Stream
from minibroker.queues.offsets import COMPACT

if TYPE_CHECKING:
    from minibroker import Broker, ManualClock
    from minibroker.channel import Channel
    from minibroker.fields import FieldValue
    from minibroker.local import LocalConnection


def declare(broker: Broker, channel: Channel, **arguments: FieldValue) -> Stream:
    """A stream `s`."""
    table: dict[str, FieldValue] = {"x-queue-type": "stream"}
    table.update({f"x-{name.replace('_', '-')}": value for name, value in arguments.items()})
    channel.declare_queue("s", durable=True, arguments=table)
    stream = broker.vhosts["/"].queues["s"]
    assert isinstance(stream, Stream)
    return stream


def read(connection: LocalConnection, channel: Channel) -> list[bytes]:
    """Everything that comes, acked as it comes."""
    found = []
    while connection.outbox:
        item = connection.drain(0)
        assert isinstance(item, Entry)
        found.append(item.message.body)
        channel.ack(item.tag)
    return found


def test_offsets_go_on_while_retention_takes_the_oldest(broker: Broker, channel: Channel) -> None:
    stream = declare(broker, channel, max_length_bytes=5)
    for number in range(20):
        channel.publish("", "s", b"%d" % (number % 10))
        stream._check()
    assert (stream.offsets.first, stream.offsets.next, stream.size) == (15, 20, 5)
    assert stream.offsets.at(15).message.body == b"5"


def test_the_places_of_what_is_gone_are_reclaimed(broker: Broker, channel: Channel) -> None:
    stream = declare(broker, channel, max_length_bytes=100)
    for _ in range(3 * COMPACT):
        channel.publish("", "s", b"1")
    assert len(stream.offsets._held) < 2 * COMPACT
    assert (stream.offsets.first, stream.offsets.next) == (3 * COMPACT - 100, 3 * COMPACT)
    stream._check()


def test_each_reader_has_its_own_place(
    broker: Broker, connection: LocalConnection, channel: Channel
) -> None:
    declare(broker, channel)
    for number in range(5):
        channel.publish("", "s", b"%d" % number)
    channel.qos(2)
    channel.consume("s", arguments={"x-stream-offset": "first"})
    assert read(connection, channel) == [b"0", b"1", b"2", b"3", b"4"]
    other = broker.connect()
    later = other.channel()
    later.qos(10)
    later.consume("s", arguments={"x-stream-offset": 3})
    assert read(other, later) == [b"3", b"4"]
    channel.publish("", "s", b"5")
    assert read(connection, channel) == read(other, later) == [b"5"]


def test_a_reader_that_retention_overtakes_goes_on_at_the_first_there_is(
    broker: Broker, connection: LocalConnection, channel: Channel
) -> None:
    declare(broker, channel, max_length_bytes=3)
    channel.publish("", "s", b"0")
    channel.qos(1)
    channel.consume("s", arguments={"x-stream-offset": "first"})
    for number in range(1, 8):
        channel.publish("", "s", b"%d" % number)
    assert read(connection, channel) == [b"0", b"5", b"6", b"7"]


@pytest.mark.parametrize(("ago", "expected"), [("10m", b"01"), ("90s", b"1"), ("1s", b"")])
def test_a_reader_begins_at_a_time(
    broker: Broker,
    connection: LocalConnection,
    channel: Channel,
    clock: ManualClock,
    ago: str,
    expected: bytes,
) -> None:
    declare(broker, channel)
    channel.publish("", "s", b"0")
    clock.advance("1m")
    channel.publish("", "s", b"1")
    clock.advance("1m")
    unit = {"10m": "10m", "90s": "90s", "1s": "1s"}[ago]
    channel.qos(9)
    channel.consume("s", arguments={"x-stream-offset": unit})
    assert b"".join(read(connection, channel)) == expected


def test_age_takes_the_oldest_when_nobody_calls(
    broker: Broker, channel: Channel, clock: ManualClock
) -> None:
    stream = declare(broker, channel, max_age="1h")
    channel.publish("", "s", b"0")
    clock.advance("30m")
    channel.publish("", "s", b"1")
    clock.advance("30m")
    assert (stream.offsets.first, stream.message_count) == (1, 1)
    clock.advance("30m")
    assert stream.message_count == 0
    assert broker.next_deadline() is None
