"""Delivery tags, acks, and what goes back to its place (69 to 72, 75, 84)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import NotImplementedByBroker, PreconditionFailed
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker
    from minibroker.channel import Channel
    from minibroker.fields import Table
    from minibroker.local import LocalConnection


def entries(connection: LocalConnection) -> list[Entry]:
    """The deliveries in the outbox, which is empty then."""
    items = list(connection.outbox)
    connection.outbox.clear()
    return [item for item in items if isinstance(item, Entry)]


def bodies(connection: LocalConnection) -> list[bytes]:
    return [entry.message.body for entry in entries(connection)]


def publish(channel: Channel, *bodies: bytes, queue: str = "q") -> None:
    for body in bodies:
        channel.publish("", queue, body)


def tag_of_get(channel: Channel, no_ack: bool = False) -> int:
    answer = channel.get("q", no_ack)
    assert answer is not None
    return answer.entry.tag


def left(channel: Channel, queue: str = "q") -> list[tuple[bytes, bool]]:
    """What is ready, taken out: bodies, and whether they had been delivered before."""
    found = []
    while (answer := channel.get(queue, no_ack=True)) is not None:
        found.append((answer.entry.message.body, answer.entry.redelivered))
    return found


@pytest.fixture
def q(channel: Channel) -> Channel:
    """`channel`, with a queue `q`."""
    channel.declare_queue("q")
    return channel


# -- 69: delivery tags


@pytest.mark.semantics(69)
def test_deliveries_and_gets_share_one_counter_per_channel(
    connection: LocalConnection, q: Channel
) -> None:
    publish(q, b"1", b"2", b"3")
    assert tag_of_get(q) == 1
    assert tag_of_get(q, no_ack=True) == 2
    q.consume("q")
    assert [entry.tag for entry in entries(connection)] == [3]
    other = connection.channel()
    publish(other, b"4")
    other.consume("q", no_ack=True)
    assert [entry.tag for entry in entries(connection)] == [4]
    q.close()
    assert {entry.tag for entry in entries(connection)} == {1, 2, 3}


@pytest.mark.semantics(69)
def test_a_redelivery_gets_a_new_tag(connection: LocalConnection, q: Channel) -> None:
    publish(q, b"0", b"1", b"2", b"3")
    q.consume("q")
    assert [entry.tag for entry in entries(connection)] == [1, 2, 3, 4]
    q.nack(4, multiple=True)
    again = entries(connection)
    assert [(entry.tag, entry.message.body) for entry in again] == [
        (5, b"0"),
        (6, b"1"),
        (7, b"2"),
        (8, b"3"),
    ]


# -- 70: unknown tags


@pytest.mark.semantics(70)
@pytest.mark.parametrize("tag", [0, 1, 3])
@pytest.mark.parametrize("method", ["ack", "nack", "reject"])
def test_a_tag_that_is_not_outstanding_is_unknown(q: Channel, method: str, tag: int) -> None:
    publish(q, b"1", b"2")
    q.ack(tag_of_get(q))
    unacked = tag_of_get(q)
    with pytest.raises(PreconditionFailed) as caught:
        getattr(q, method)(tag)
    assert caught.value.reply_code == 406
    assert str(caught.value) == f"unknown delivery tag {tag}"
    assert list(q.unacked) == [unacked]


@pytest.mark.semantics(70)
@pytest.mark.parametrize("method", ["ack", "nack"])
def test_tag_0_with_multiple_means_all_even_if_there_is_none(q: Channel, method: str) -> None:
    getattr(q, method)(0, multiple=True)
    publish(q, b"1", b"2")
    tag_of_get(q)
    tag_of_get(q)
    getattr(q, method)(0, multiple=True)
    assert q.unacked == {}


@pytest.mark.semantics(70)
@pytest.mark.parametrize("method", ["ack", "nack"])
@pytest.mark.parametrize("tag", [1, 2, 4])
def test_another_tag_must_be_outstanding_with_multiple_too(
    q: Channel, method: str, tag: int
) -> None:
    if tag != 1:  # then there are lower tags, which does not help
        publish(q, b"1", b"2", b"3")
        for _ in range(3):
            tag_of_get(q)
        q.ack(2)
    before = list(q.unacked)
    with pytest.raises(PreconditionFailed) as caught:
        getattr(q, method)(tag, multiple=True)
    assert str(caught.value) == f"unknown delivery tag {tag}"
    assert list(q.unacked) == before


@pytest.mark.semantics(70)
def test_an_ack_settles_one_delivery_or_all_up_to_it(q: Channel) -> None:
    publish(q, b"1", b"2", b"3", b"4")
    for _ in range(4):
        tag_of_get(q)
    q.ack(3)
    q.ack(2, multiple=True)
    assert list(q.unacked) == [4]
    q.close()


@pytest.mark.semantics(70)
def test_what_was_delivered_without_acks_cannot_be_acked(
    connection: LocalConnection, q: Channel
) -> None:
    publish(q, b"1", b"2")
    got = tag_of_get(q, no_ack=True)
    q.consume("q", no_ack=True)
    (delivered,) = entries(connection)
    for tag in (got, delivered.tag):
        with pytest.raises(PreconditionFailed, match=f"unknown delivery tag {tag}"):
            q.ack(tag)


@pytest.mark.semantics(70)
def test_a_tag_is_of_its_own_channel(connection: LocalConnection, q: Channel) -> None:
    publish(q, b"1")
    tag = tag_of_get(q)
    with pytest.raises(PreconditionFailed, match="unknown delivery tag"):
        connection.channel().ack(tag)
    q.ack(tag)


# -- 71: original places


@pytest.mark.semantics(71)
@pytest.mark.parametrize("way", ["nack", "reject", "recover", "close", "connection"])
def test_whatever_goes_back_takes_its_original_place(
    broker: Broker, connection: LocalConnection, q: Channel, way: str
) -> None:
    publish(q, *(b"%d" % number for number in range(6)))
    taker = broker.connect()
    channel = taker.channel()
    for _ in range(4):
        tag_of_get(channel)
    channel.ack(2)
    publish(q, b"6")
    if way == "nack":
        channel.nack(4, multiple=True)
    elif way == "reject":
        for tag in (3, 1, 4):
            channel.reject(tag)
    elif way == "recover":
        channel.recover()
    elif way == "close":
        channel.close()
    else:
        taker.close()
    assert left(q) == [
        (b"0", True),
        (b"2", True),
        (b"3", True),
        (b"4", False),
        (b"5", False),
        (b"6", False),
    ]


@pytest.mark.semantics(71)
def test_what_comes_back_from_several_channels_is_merged_in_order(
    connection: LocalConnection, q: Channel
) -> None:
    publish(q, *(b"%d" % number for number in range(6)))
    first, second = connection.channel(), connection.channel()
    for channel in (first, second) * 3:
        tag_of_get(channel)
    second.nack(0, multiple=True)
    first.close()
    assert [body for body, _ in left(q)] == [b"0", b"1", b"2", b"3", b"4", b"5"]


@pytest.mark.semantics(71)
def test_deliveries_that_nobody_looked_at_go_back_too(
    connection: LocalConnection, q: Channel
) -> None:
    publish(q, b"1", b"2")
    consuming = connection.channel()
    consuming.consume("q")
    consuming.close()
    assert entries(connection) == []
    assert left(q) == [(b"1", True), (b"2", True)]


@pytest.mark.semantics(71)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_end_of_a_connection_is_one_end_for_all_its_channels(
    broker: Broker, channel: Channel, channels: int
) -> None:
    quorum: Table = {"x-queue-type": "quorum", "x-delivery-limit": 1}
    channel.declare_queue("quorum", durable=True, arguments=quorum)
    publish(channel, b"1", queue="quorum")
    taker = broker.connect()
    for _ in range(channels):
        taker.channel().consume("quorum")
    taker.close()
    answer = channel.get("quorum")
    assert answer is not None
    assert answer.entry.message.headers == {"x-delivery-count": 1}


# -- 72: redelivered


@pytest.mark.semantics(72)
def test_everything_after_a_requeue_is_redelivered(connection: LocalConnection, q: Channel) -> None:
    publish(q, b"1")
    first = q.get("q")
    assert first is not None
    assert not first.entry.redelivered
    q.nack(first.entry.tag)
    q.consume("q")
    for method in (q.nack, q.reject, lambda _: q.recover(), lambda _: None):
        (entry,) = entries(connection)
        assert entry.redelivered
        assert entry.message.headers == {}
        method(entry.tag)
    assert not first.entry.redelivered  # what was handed out stays what it was


@pytest.mark.semantics(72)
def test_a_dead_lettered_copy_starts_as_not_redelivered(q: Channel) -> None:
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"}
    q.declare_queue("source", arguments=arguments)
    publish(q, b"1", queue="source")
    for requeue in (True, False):
        answer = q.get("source")
        assert answer is not None
        q.reject(answer.entry.tag, requeue=requeue)
    assert left(q) == [(b"1", False)]


# -- 75: recover


@pytest.mark.semantics(75)
def test_recover_without_requeue_is_not_implemented(q: Channel) -> None:
    publish(q, b"1")
    tag = tag_of_get(q)
    with pytest.raises(NotImplementedByBroker) as caught:
        q.recover(requeue=False)
    assert caught.value.reply_code == 540
    assert str(caught.value) == "requeue=false"
    q.ack(tag)


@pytest.mark.semantics(75)
def test_recover_returns_all_that_its_channel_holds_and_no_other(
    connection: LocalConnection, q: Channel
) -> None:
    publish(q, b"1", b"2", b"3")
    other = connection.channel()
    q.declare_queue("r")
    publish(q, b"r", queue="r")
    tag_of_get(q)
    tag_of_get(other)
    q.get("r")
    q.recover()
    assert q.unacked == {}
    assert len(other.unacked) == 1
    assert left(q) == [(b"1", True), (b"3", False)]
    assert left(q, "r") == [(b"r", True)]


@pytest.mark.semantics(75)
def test_recover_delivers_again_to_a_consumer_of_the_channel(
    connection: LocalConnection, q: Channel
) -> None:
    q.qos(2)
    q.consume("q")
    publish(q, b"1", b"2", b"3")
    assert bodies(connection) == [b"1", b"2"]
    q.recover()
    again = entries(connection)
    assert [(entry.message.body, entry.tag, entry.redelivered) for entry in again] == [
        (b"1", 3, True),
        (b"2", 4, True),
    ]


# -- 84: cancel


@pytest.mark.semantics(84)
def test_cancelling_an_unknown_consumer_is_no_error(q: Channel) -> None:
    q.cancel("nobody")
    tag = q.consume("q")
    q.cancel(tag)
    q.cancel(tag)


def recover(channel: Channel) -> None:
    channel.recover()


def close(channel: Channel) -> None:
    channel.close()


def requeue(channel: Channel) -> None:
    channel.nack(0, multiple=True)


@pytest.mark.semantics(84)
@pytest.mark.parametrize("give_back", [recover, close, requeue])
def test_what_a_cancelled_consumer_holds_stays_unacked(
    connection: LocalConnection, q: Channel, give_back: Callable[[Channel], None]
) -> None:
    consuming = connection.channel()
    tag = consuming.consume("q")
    publish(q, b"1", b"2")
    assert bodies(connection) == [b"1", b"2"]
    consuming.cancel(tag)
    assert left(q) == []
    consuming.ack(1)
    publish(q, b"3")
    assert bodies(connection) == []
    give_back(consuming)
    assert left(q) == [(b"2", True), (b"3", False)]
