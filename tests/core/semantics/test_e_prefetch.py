"""How many deliveries a consumer may hold, and what get answers (76 to 79)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker import PROFILES
from minibroker.errors import NotImplementedByBroker
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection

QUORUM = {"x-queue-type": "quorum"}
GLOBAL_QOS = [name for name, profile in PROFILES.items() if profile.global_qos]


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


@pytest.fixture
def q(channel: Channel) -> Channel:
    """`channel`, with a queue `q`."""
    channel.declare_queue("q")
    return channel


# -- 76 to 78: prefetch


@pytest.mark.semantics(76)
@pytest.mark.parametrize("global_", [True, False])
def test_a_prefetch_size_is_not_implemented(channel: Channel, global_: bool) -> None:
    with pytest.raises(NotImplementedByBroker) as caught:
        channel.qos(1, global_=global_, prefetch_size=10)
    assert caught.value.reply_code == 540
    assert str(caught.value) == "prefetch_size!=0 (10)"
    assert channel.prefetch == 0


@pytest.mark.semantics(77)
def test_a_prefetch_limit_is_for_each_consumer_started_afterwards(
    connection: LocalConnection, q: Channel
) -> None:
    q.consume("q", tag="A")
    q.qos(2)
    q.consume("q", tag="B")
    q.consume("q", tag="C")
    publish(q, 9)
    got = turns(connection)
    assert (got.count("B"), got.count("C"), got.count("A")) == (2, 2, 5)
    q.qos(1)  # changes nothing for those who are there
    q.ack(0, multiple=True)
    publish(q, 9)
    got = turns(connection)
    assert (got.count("B"), got.count("C"), got.count("A")) == (2, 2, 5)


@pytest.mark.semantics(77)
def test_a_prefetch_limit_is_of_its_own_channel(connection: LocalConnection, q: Channel) -> None:
    q.qos(1)
    other = connection.channel()
    other.consume("q", tag="A")
    q.consume("q", tag="B")
    publish(q, 5)
    assert sorted(turns(connection)) == ["A", "A", "A", "A", "B"]


@pytest.mark.semantics(77)
@pytest.mark.parametrize("profile", GLOBAL_QOS)
def test_a_global_limit_is_one_for_all_consumers_besides_their_own(
    make_broker: Callable[..., Broker], profile: str
) -> None:
    connection = make_broker(profile=profile).connect()
    channel = connection.channel()
    for queue in ("q", "r"):
        channel.declare_queue(queue)
    channel.qos(2)
    channel.qos(3, global_=True)
    channel.consume("q", tag="A")
    channel.consume("r", tag="B")
    publish(channel, 5)
    publish(channel, 5, "r")
    assert turns(connection) == "AAB"
    channel.ack(1)
    assert turns(connection) == "A"
    channel.ack(3)  # it may be A's turn, but A has no more credit of its own
    assert turns(connection) == "B"


@pytest.mark.semantics(77)
def test_a_global_limit_also_holds_for_consumers_who_are_there(
    connection: LocalConnection, q: Channel
) -> None:
    publish(q, 4)
    q.consume("q", tag="A")
    q.qos(2, global_=True)
    q.ack(1)
    publish(q, 1)
    assert turns(connection) == "AAAA"
    q.ack(3, multiple=True)
    assert turns(connection) == "A"


@pytest.mark.semantics(77)
def test_consumers_share_a_global_limit_in_turn(connection: LocalConnection, q: Channel) -> None:
    q.qos(1, global_=True)
    for tag in "XYZ":
        q.consume("q", tag=tag)
    publish(q, 7)
    got = turns(connection)
    for number in range(1, 7):
        q.ack(number)
        got += turns(connection)
    assert got == "XYZXYZX"


@pytest.mark.semantics(77, 80)
def test_consumers_share_a_global_limit_by_priority(
    connection: LocalConnection, q: Channel
) -> None:
    q.qos(1, global_=True)
    q.consume("q", tag="L")
    q.consume("q", tag="H", arguments={"x-priority": 1})
    publish(q, 3)
    got = turns(connection)
    for tag in (1, 2):
        q.ack(tag)
        got += turns(connection)
    assert got == "HHH"


@pytest.mark.semantics(77)
@pytest.mark.parametrize("lift", [{"global_": True}, {"global_": False}])
def test_a_global_limit_ends_with_limit_0_or_with_a_limit_for_each(
    connection: LocalConnection, q: Channel, lift: dict[str, bool]
) -> None:
    q.qos(1, global_=True)
    q.consume("q", tag="A")
    publish(q, 3)
    assert turns(connection) == "A"
    q.qos(0, **lift)
    assert turns(connection) == "AA"


@pytest.mark.semantics(77)
def test_rabbitmq_4_3_takes_a_global_limit_for_one_per_consumer(
    make_broker: Callable[..., Broker],
) -> None:
    connection = make_broker(profile="rabbitmq-4.3").connect()
    channel = connection.channel()
    channel.declare_queue("q", durable=True)
    channel.qos(2, global_=True)
    channel.consume("q", tag="A")
    channel.consume("q", tag="B")
    publish(channel, 9)
    assert turns(connection) == "ABAB"


@pytest.mark.semantics(77)
@pytest.mark.parametrize("global_", [True, False])
def test_0_is_no_limit(connection: LocalConnection, q: Channel, global_: bool) -> None:
    q.qos(1, global_=global_)
    q.qos(0, global_=global_)
    q.consume("q", tag="A")
    publish(q, 100)
    assert turns(connection) == "A" * 100


@pytest.mark.semantics(78)
@pytest.mark.parametrize("global_", [True, False])
def test_get_and_consumers_without_acks_have_no_limit(
    connection: LocalConnection, q: Channel, global_: bool
) -> None:
    q.qos(1, global_=global_)
    publish(q, 4)
    assert [q.get("q") is not None for _ in range(2)] == [True, True]
    q.consume("q", tag="N", no_ack=True)
    publish(q, 2)
    assert turns(connection) == "NNNN"
    # and what get took is no use of the limit
    q.cancel("N")
    q.consume("q", tag="A")
    publish(q, 2)
    assert turns(connection) == "A"
    assert q.get("q") is not None


@pytest.mark.semantics(78)
@pytest.mark.parametrize(("prefetch", "most"), [(0, 2000), (1, 1), (2001, 2001), (2500, 2100)])
def test_a_quorum_queue_gives_2000_where_there_is_no_limit(
    connection: LocalConnection, channel: Channel, prefetch: int, most: int
) -> None:
    channel.declare_queue("q", durable=True, arguments=QUORUM)
    publish(channel, 2100)
    channel.qos(prefetch)
    channel.consume("q")
    assert len(entries(connection)) == most


@pytest.mark.semantics(78)
def test_a_quorum_queue_refuses_consumers_under_a_global_limit(channel: Channel) -> None:
    channel.declare_queue("q", durable=True, arguments=QUORUM)
    publish(channel, 1)
    channel.qos(5, global_=True)
    with pytest.raises(NotImplementedByBroker) as caught:
        channel.consume("q", tag="A")
    assert caught.value.reply_code == 540
    assert str(caught.value) == "queue 'q' in vhost '/' does not support global qos"
    assert channel.get("q") is not None
    channel.qos(0, global_=True)
    channel.consume("q", tag="A")
    channel.qos(5, global_=True)


@pytest.mark.semantics(79)
def test_get_says_how_many_are_left(q: Channel) -> None:
    publish(q, 3)
    counts = []
    while (answer := q.get("q")) is not None:
        counts.append(answer.message_count)
    assert counts == [2, 1, 0]
    assert len(q.unacked) == 3
