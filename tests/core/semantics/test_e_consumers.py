"""Consumers: their turns, tags, exclusivity, and their end (80 to 83, 85, 86)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import (
    AccessRefused,
    NotAllowed,
    ResourceLocked,
)
from minibroker.events import Cancelled
from minibroker.queues import Entry

if TYPE_CHECKING:
    from minibroker import Broker
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection

QUORUM = {"x-queue-type": "quorum"}
SINGLE_ACTIVE = {"x-single-active-consumer": True}


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


@pytest.fixture
def q(channel: Channel) -> Channel:
    """`channel`, with a queue `q`."""
    channel.declare_queue("q")
    return channel


# -- 80, 81: turns and tags


@pytest.mark.semantics(80)
def test_consumers_take_turns(broker: Broker, connection: LocalConnection, q: Channel) -> None:
    for tag in "XYZ":
        connection.channel().consume("q", tag=tag)
    publish(q, 7)
    assert turns(connection) == "XYZXYZX"


@pytest.mark.semantics(80)
def test_a_higher_priority_gets_everything_until_its_prefetch_is_full(
    connection: LocalConnection, q: Channel
) -> None:
    q.qos(1)
    for tag, priority in (("Z", -1), ("X", 0), ("Y", 0)):
        q.consume("q", tag=tag, arguments={"x-priority": priority})
    q.qos(2)
    q.consume("q", tag="H", arguments={"x-priority": 10})
    publish(q, 5)
    assert turns(connection) == "HHXYZ"
    publish(q, 1)
    q.ack(1)
    assert turns(connection) == "H"


@pytest.mark.semantics(80)
def test_credit_that_comes_back_to_several_goes_to_the_highest_priority_first(
    connection: LocalConnection, q: Channel
) -> None:
    q.qos(1)
    q.consume("q", tag="L")
    q.consume("q", tag="H", arguments={"x-priority": 1})
    publish(q, 3)
    assert turns(connection) == "HL"
    q.ack(0, multiple=True)
    assert turns(connection) == "H"


@pytest.mark.semantics(81)
def test_the_broker_makes_a_tag_where_there_is_none(q: Channel) -> None:
    tags = {q.consume("q"), q.consume("q", tag="")}
    assert len(tags) == 2
    assert all(tag.startswith("amq.ctag-") for tag in tags)
    assert q.consume("q", tag="mine") == "mine"


@pytest.mark.semantics(81)
def test_a_tag_in_use_on_the_channel_is_not_allowed(
    connection: LocalConnection, q: Channel
) -> None:
    q.consume("q", tag="x")
    with pytest.raises(NotAllowed) as caught:
        q.consume("missing", tag="x")
    assert caught.value.reply_code == 530
    assert str(caught.value) == "attempt to reuse consumer tag 'x'"
    assert q.declare_queue("q", passive=True).consumer_count == 1
    connection.channel().consume("q", tag="x")
    q.cancel("x")
    q.consume("q", tag="x")


# -- 82, 83: exclusive, no_local

IN_USE = "queue 'q' in vhost '/' in exclusive use"


@pytest.mark.semantics(82)
def test_an_exclusive_consumer_is_alone_from_the_beginning(
    connection: LocalConnection, q: Channel
) -> None:
    tag = q.consume("q")
    other = connection.channel()
    with pytest.raises(AccessRefused) as caught:
        other.consume("q", exclusive=True)
    assert (caught.value.reply_code, str(caught.value)) == (403, IN_USE)
    q.cancel(tag)
    other.consume("q", exclusive=True)


@pytest.mark.semantics(82)
@pytest.mark.parametrize("exclusive", [True, False])
def test_an_exclusive_consumer_stays_alone(
    connection: LocalConnection, q: Channel, exclusive: bool
) -> None:
    q.consume("q", tag="A", exclusive=True)
    other = connection.channel()
    with pytest.raises(AccessRefused) as caught:
        other.consume("q", tag="B", exclusive=exclusive)
    assert (caught.value.reply_code, str(caught.value)) == (403, IN_USE)
    publish(q, 1)
    assert turns(connection) == "A"
    q.close()
    other.consume("q", tag="B", exclusive=exclusive)
    assert turns(connection) == "B"


@pytest.mark.semantics(82)
def test_get_and_purge_are_allowed_beside_an_exclusive_consumer(broker: Broker, q: Channel) -> None:
    q.qos(1)
    q.consume("q", exclusive=True)
    publish(q, 3)
    other = broker.connect().channel()
    assert other.get("q", no_ack=True) is not None
    assert other.purge_queue("q") == 1


@pytest.mark.semantics(82)
@pytest.mark.parametrize(("arguments", "counted"), [(QUORUM, 3), ({**QUORUM, **SINGLE_ACTIVE}, 1)])
def test_a_quorum_queue_ignores_that_a_consumer_is_exclusive(
    channel: Channel, arguments: dict[str, str | bool], counted: int
) -> None:
    channel.declare_queue("q", durable=True, arguments=arguments)
    channel.consume("q", tag="A")
    channel.consume("q", tag="B", exclusive=True)
    channel.consume("q", tag="C")
    assert channel.declare_queue("q", passive=True).consumer_count == counted


@pytest.mark.semantics(83)
def test_own_messages_are_delivered(connection: LocalConnection, q: Channel) -> None:
    # There is no way to ask for anything else: no_local ends where the protocol is read.
    q.consume("q", tag="A")
    publish(q, 1)
    assert turns(connection) == "A"


# -- 85: the broker cancels


@pytest.mark.semantics(85)
def test_consumers_are_told_when_their_queue_is_deleted(
    broker: Broker, connection: LocalConnection, q: Channel
) -> None:
    q.consume("q", tag="A")
    publish(q, 2)
    other = broker.connect()
    elsewhere = other.channel()
    elsewhere.consume("q", tag="B")
    q.delete_queue("q")
    first, second, cancelled = connection.outbox
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    assert cancelled == Cancelled(q, "A")
    assert list(other.outbox) == [Cancelled(elsewhere, "B")]
    assert q.consumers == {}
    q.ack(second.tag, multiple=True)  # which is fine though there is no queue
    q.declare_queue("q")
    q.consume("q", tag="A")


@pytest.mark.semantics(85)
def test_what_goes_back_to_a_deleted_queue_is_gone(q: Channel) -> None:
    publish(q, 2)
    q.get("q")
    q.get("q")
    q.delete_queue("q")
    q.declare_queue("q")
    q.nack(1)
    q.reject(2, requeue=False)
    assert ready(q) == 0


# -- 86: single active consumer


@pytest.fixture(params=["classic", "quorum"])
def single(request: pytest.FixtureRequest, channel: Channel) -> Channel:
    """`channel`, with a queue `q` that has a single active consumer."""
    arguments = {"x-queue-type": request.param, "x-single-active-consumer": True}
    channel.declare_queue("q", durable=True, arguments=arguments)
    return channel


@pytest.mark.semantics(86)
def test_the_first_consumer_gets_all_and_the_others_wait(
    connection: LocalConnection, single: Channel
) -> None:
    single.qos(2)
    for tag in "ABC":
        single.consume("q", tag=tag)
    publish(single, 3)
    assert turns(connection) == "AA"  # the others wait even though A is full
    single.ack(1)
    assert turns(connection) == "A"


@pytest.mark.semantics(86)
def test_the_next_in_order_of_subscription_takes_over(
    connection: LocalConnection, single: Channel
) -> None:
    for tag in "ABC":
        single.consume("q", tag=tag)
    single.cancel("A")
    publish(single, 2)
    assert turns(connection) == "BB"
    single.cancel("B")
    publish(single, 1)
    assert turns(connection) == "C"
    single.consume("q", tag="A")
    publish(single, 1)
    assert turns(connection) == "C"
    single.cancel("C")
    publish(single, 1)
    assert turns(connection) == "A"


@pytest.mark.semantics(86)
def test_the_highest_priority_takes_over(connection: LocalConnection, single: Channel) -> None:
    for tag, priority in (("A", 0), ("B", 0), ("C", 5), ("D", 5)):
        single.consume("q", tag=tag, arguments={"x-priority": priority})
    publish(single, 1)
    single.cancel("A")
    publish(single, 1)
    assert turns(connection) == "AC"


@pytest.mark.semantics(86)
def test_the_end_of_a_channel_passes_on_what_it_held(
    connection: LocalConnection, single: Channel
) -> None:
    active = connection.channel()
    active.consume("q", tag="A")
    single.consume("q", tag="B")
    publish(single, 2)
    assert turns(connection) == "AA"
    active.close()
    passed_on = entries(connection)
    assert [entry.consumer.tag for entry in passed_on if entry.consumer is not None] == ["B", "B"]
    assert [entry.message.body for entry in passed_on] == [b"0", b"1"]


@pytest.mark.semantics(86)
def test_a_single_active_consumer_of_a_classic_queue_cannot_be_exclusive(
    channel: Channel,
) -> None:
    channel.declare_queue("q", arguments=SINGLE_ACTIVE)
    with pytest.raises(AccessRefused) as caught:
        channel.consume("q", exclusive=True)
    assert str(caught.value) == IN_USE
    channel.consume("q")
    with pytest.raises(AccessRefused):
        channel.consume("q", exclusive=True)


@pytest.mark.semantics(86)
def test_get_works_on_a_classic_queue_with_a_single_active_consumer(channel: Channel) -> None:
    channel.declare_queue("q", arguments=SINGLE_ACTIVE)
    channel.qos(1)
    channel.consume("q")
    publish(channel, 2)
    assert channel.get("q") is not None


@pytest.mark.semantics(86)
@pytest.mark.parametrize("consumers", [0, 1])
def test_get_is_locked_on_a_quorum_queue_with_a_single_active_consumer(
    channel: Channel, consumers: int
) -> None:
    channel.declare_queue("q", durable=True, arguments={**QUORUM, **SINGLE_ACTIVE})
    publish(channel, 1)
    for _ in range(consumers):
        channel.consume("q")
    with pytest.raises(ResourceLocked) as caught:
        channel.get("q")
    assert caught.value.reply_code == 405
    assert str(caught.value) == (
        "cannot obtain access to locked queue 'q' in vhost '/'. basic.get operations are not "
        "supported by quorum queues with single active consumer"
    )
