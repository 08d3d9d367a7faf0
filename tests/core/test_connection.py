"""One connection: its channels, its outbox, and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import ConnectionForced
from minibroker.events import Blocked, Unblocked
from minibroker.queues import Entry

if TYPE_CHECKING:
    from minibroker import Broker
    from minibroker.channel import Channel
    from minibroker.fields import Table
    from minibroker.local import LocalConnection


def tags(connection: LocalConnection) -> list[str]:
    """The consumers whose deliveries lie in the outbox, in order."""
    return [
        item.consumer.tag
        for item in connection.outbox
        if isinstance(item, Entry) and item.consumer is not None
    ]


# -- channels


def test_channels_get_the_next_number_or_the_one_that_is_asked_for(
    connection: LocalConnection,
) -> None:
    numbers = [connection.channel().number, connection.channel(7).number]
    assert numbers == [1, 7]
    assert connection.channel().number == 3
    assert [channel.number for channel in connection.channels] == [1, 7, 3]


def test_a_connection_knows_its_user_and_virtual_host(broker: Broker) -> None:
    broker.add_vhost("v")
    connection = broker.connect("v", "bob")
    assert (connection.vhost.name, connection.user, connection.impersonates) == ("v", "bob", False)


# -- the outbox


def test_events_and_deliveries_lie_in_the_outbox_in_order(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q")
    channel.consume("q")
    connection.send(Blocked("why"))
    channel.publish("", "q", b"")
    connection.send(Unblocked())
    blocked, entry, unblocked = connection.outbox
    assert (blocked, unblocked) == (Blocked("why"), Unblocked())
    assert isinstance(entry, Entry)


def test_whoever_waits_is_woken_by_events_and_deliveries(
    connection: LocalConnection, channel: Channel
) -> None:
    woken: list[int] = []
    connection.wake = lambda: woken.append(len(connection.outbox))
    channel.declare_queue("q")
    channel.consume("q")
    connection.send(Unblocked())
    channel.publish("", "q", b"")
    connection.close()
    assert woken[:2] == [1, 2]
    assert len(woken) == 3


def test_withdrawing_leaves_all_else_in_order(connection: LocalConnection) -> None:
    first, second = connection.channel(), connection.channel()
    first.declare_queue("q")
    first.consume("q", tag="A")
    second.consume("q", tag="B")
    first.consume("q", tag="N", no_ack=True)
    first.consume("q", tag="C")
    for _ in range(4):
        first.publish("", "q", b"")
    event = Unblocked()
    connection.send(event)
    first.get("q")
    for _ in range(4):
        first.publish("", "q", b"")
    assert tags(connection) == ["A", "B", "N", "C"] * 2
    connection.withdraw(first, first.consumers["C"])
    assert tags(connection) == ["A", "B", "N"] * 2
    connection.withdraw(first)
    assert tags(connection) == ["B", "N"] * 2
    assert connection.outbox[2] is event
    first.close()
    second.close()
    assert tags(connection) == ["N", "N"]


# -- room in the outbox


def bodies(connection: LocalConnection) -> list[bytes]:
    """What lies in the outbox, which is taken out of it."""
    taken = [item.message.body for item in connection.outbox if isinstance(item, Entry)]
    connection.outbox.clear()
    return taken


@pytest.mark.parametrize("no_ack", [True, False])
def test_without_room_the_consumers_of_a_connection_get_nothing_more(
    broker: Broker, connection: LocalConnection, channel: Channel, no_ack: bool
) -> None:
    channel.declare_queue("q", durable=True)
    channel.consume("q", no_ack=no_ack)
    connection.room = 100_000
    other = broker.connect().channel()
    for _ in range(20):
        other.publish("", "q", bytes(40_000))
    assert connection.congested
    assert len(bodies(connection)) == 3
    assert channel.vhost.queues["q"].message_count == 17
    broker._check()
    connection.relieve(100_000)
    assert len(bodies(connection)) == 3
    broker._check()
    connection.relieve(1 << 30)
    assert not connection.congested
    assert len(bodies(connection)) == 14
    broker._check()


def test_what_a_connection_has_no_room_for_goes_to_the_others(
    broker: Broker, connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q", durable=True)
    other = broker.connect()
    channel.consume("q")
    other.channel().consume("q")
    connection.room = 1
    for number in range(6):
        channel.publish("", "q", bytes((number,)))
    assert bodies(connection) == [b"\x00"]
    assert bodies(other) == [b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"]
    connection.relieve(1 << 20)
    channel.publish("", "q", b"x")
    channel.publish("", "q", b"y")
    assert sorted(bodies(connection) + bodies(other)) == [b"x", b"y"]


def test_acks_bring_nothing_to_a_connection_without_room(
    broker: Broker, connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q", durable=True)
    channel.qos(2)
    channel.consume("q")
    for number in range(4):
        channel.publish("", "q", bytes((number,)))
    connection.congest()
    channel.ack(1)
    channel.ack(2)
    assert bodies(connection) == [b"\x00", b"\x01"]
    broker._check()
    connection.relieve(1 << 20)
    assert bodies(connection) == [b"\x02", b"\x03"]


def test_a_consumer_that_comes_while_there_is_no_room_waits_too(
    broker: Broker, connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q", durable=True)
    channel.publish("", "q", b"m")
    connection.congest()
    channel.consume("q")
    assert bodies(connection) == []
    broker._check()
    connection.relieve(1 << 20)
    assert bodies(connection) == [b"m"]


def test_replies_are_not_kept_and_go_through_without_room(
    broker: Broker, connection: LocalConnection, channel: Channel
) -> None:
    channel.consume("amq.rabbitmq.reply-to", no_ack=True)
    assert channel.reply is not None
    connection.congest()
    broker.connect().channel().publish("", channel.reply.name, b"answer")
    assert bodies(connection) == [b"answer"]
    broker._check()


def test_a_connection_without_room_may_end(
    broker: Broker, connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q", durable=True)
    channel.consume("q")
    connection.room = 1
    for _ in range(3):
        channel.publish("", "q", b"m")
    connection.close()
    connection.relieve(1 << 20)
    other = broker.connect().channel()
    assert other.declare_queue("q", passive=True).message_count == 3


# -- the end


def test_closing_closes_channels_and_deletes_exclusive_queues(
    broker: Broker, connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("mine", exclusive=True)
    channel.declare_queue("all")
    channel.publish("", "all", b"")
    channel.get("all")
    assert list(connection.exclusive) == ["mine"]
    connection.close()
    connection.close()
    assert connection.closed
    assert channel.closed
    assert connection.channels == []
    assert connection.exclusive == {}
    other = broker.connect().channel()
    assert "mine" not in other.vhost.queues
    assert other.declare_queue("all", passive=True).message_count == 1
    assert connection not in other.vhost.connections
    with pytest.raises(ConnectionForced, match="the connection is closed"):
        connection.channel()


def test_nothing_goes_back_to_a_connection_that_is_closing(
    broker: Broker, connection: LocalConnection
) -> None:
    asking = broker.connect().channel()
    for queue, single in (("q", False), ("single", True)):
        arguments: Table = {"x-single-active-consumer": single, "x-queue-type": "quorum"}
        asking.declare_queue(queue, durable=True, arguments=arguments)
        asking.publish("", queue, b"")
        asking.publish("", queue, b"")
        for _ in range(3):
            channel = connection.channel()
            channel.qos(1)
            channel.consume(queue)
    connection.outbox.clear()
    connection.close()
    assert list(connection.outbox) == []
    asking.consume("q")
    asking.consume("single")
    counts = [
        item.message.headers.get("x-delivery-count")
        for item in asking.connection.outbox
        if isinstance(item, Entry)
    ]
    assert counts == [1, 1, 1, None]


def test_the_check_finds_a_queue_that_is_not_the_connections(
    broker: Broker, connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("mine", exclusive=True)
    other = broker.connect()
    other.exclusive = dict(connection.exclusive)
    with pytest.raises(AssertionError, match="'mine' belongs to another connection"):
        other._check()
    other.exclusive = {"gone": connection.exclusive["mine"]}
    with pytest.raises(AssertionError, match="'gone' is not a queue any more"):
        other._check()
    other.exclusive = {}
