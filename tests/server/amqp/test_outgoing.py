"""The order of what a client hears: deliveries, returns, confirms, cancels; and how much of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker import Properties
from minibroker.errors import NotFound
from minibroker.events import ChannelClosed, Confirmed
from minibroker.server.amqp.shared import WINDOW
from minibroker.wire.amqp import spec
from minibroker.wire.amqp.frames import method_frame

from ..pair import Client, Said, publishing

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker


def kinds(said: list[Said]) -> list[str]:
    """What was said, by name."""
    return [type(each.method).__name__ for each in said]


# -- order


@pytest.mark.semantics(63)
def test_a_message_is_returned_before_it_is_confirmed(client: Client) -> None:
    client.ask(1, spec.ConfirmSelect(), spec.ConfirmSelectOk)
    properties = Properties(priority=5)
    said = client.publish(1, b"back", key="nowhere", mandatory=True, properties=properties)
    assert said == [
        Said(1, spec.BasicReturn(312, "NO_ROUTE", "", "nowhere"), b"\x08\x00\x05", b"back"),
        Said(1, spec.BasicAck(1)),
    ]


@pytest.mark.semantics(63)
def test_returns_between_confirmed_messages_keep_their_order(client: Client) -> None:
    client.declare(1, "q")
    client.ask(1, spec.ConfirmSelect(), spec.ConfirmSelectOk)
    good = publishing(1, b"m", key="q", mandatory=True)
    lost = publishing(1, b"m", key="nowhere", mandatory=True)
    said = client.feed(good + lost + good + lost)
    assert kinds(said) == ["BasicReturn", "BasicReturn", "BasicAck"]
    assert said[-1].method == spec.BasicAck(4, multiple=True)


def test_consume_ok_comes_before_the_deliveries(client: Client) -> None:
    client.declare(1, "q")
    client.feed(publishing(1, b"m", key="q") * 3)
    said = client.send(1, spec.BasicConsume("q", "t"))
    assert kinds(said) == ["BasicConsumeOk", *["BasicDeliver"] * 3]


@pytest.mark.parametrize(
    "method",
    [
        spec.BasicCancel("t"),
        spec.QueueDeclare("q", passive=True),
        spec.ChannelClose(),
        spec.BasicGet("q"),
        spec.BasicRecover(requeue=True),
        spec.BasicQos(),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_was_delivered_before_comes_before_an_answer(client: Client, method: object) -> None:
    client.declare(1, "q")
    client.send(1, spec.BasicConsume("q", "t"))
    said = client.feed(publishing(1, b"m", key="q") + method_frame(1, method))  # type: ignore[arg-type]  # a method
    assert kinds(said)[0] == "BasicDeliver"
    assert kinds(said)[1].startswith(type(method).__name__)


def test_what_was_delivered_before_comes_before_a_channel_is_closed(client: Client) -> None:
    client.declare(1, "q")
    client.send(1, spec.BasicConsume("q", "t", no_ack=True))
    data = publishing(1, b"m", key="q") + publishing(1, b"m", exchange="nowhere")
    assert kinds(client.feed(data)) == ["BasicDeliver", "ChannelClose"]


# -- confirms


@pytest.mark.semantics(64)
def test_a_full_queue_is_a_nack(client: Client) -> None:
    arguments = {"x-max-length": 2, "x-overflow": "reject-publish"}
    client.declare(1, "q", arguments=arguments)
    client.ask(1, spec.ConfirmSelect(), spec.ConfirmSelectOk)
    said = client.feed(publishing(1, b"m", key="q") * 4)
    assert said == [
        Said(1, spec.BasicAck(2, multiple=True)),
        Said(1, spec.BasicNack(3, multiple=False, requeue=False)),
        Said(1, spec.BasicNack(4, multiple=False, requeue=False)),
    ]


@pytest.mark.semantics(65)
def test_each_channel_has_its_own_confirms(broker: Broker) -> None:
    client = Client(broker).open(1, 2, 3)
    client.declare(1, "q")
    for channel in (1, 2):
        client.ask(channel, spec.ConfirmSelect(), spec.ConfirmSelectOk)
    said = client.feed(b"".join(publishing(number, b"m", key="q") for number in (1, 2, 3, 1)))
    assert sorted(said, key=lambda each: each.channel) == [
        Said(1, spec.BasicAck(2, multiple=True)), Said(2, spec.BasicAck(1)),
    ]  # fmt: skip


def test_the_confirms_of_a_channel_that_is_gone_are_not_sent_to_its_successor(
    client: Client,
) -> None:
    client.declare(1, "q")
    client.ask(1, spec.ConfirmSelect(), spec.ConfirmSelectOk)
    said = client.feed(
        publishing(1, b"m", key="q")
        + method_frame(1, spec.ChannelClose())
        + method_frame(1, spec.ChannelOpen())
        + publishing(1, b"m", key="q")
    )
    assert kinds(said)[-2:] == ["ChannelCloseOk", "ChannelOpenOk"]
    assert kinds(said)[:-2] in ([], ["BasicAck"])


@pytest.mark.semantics(62)
def test_with_a_log_a_confirm_comes_when_the_message_is_on_the_disk(
    make_broker: Callable[..., Broker], tmp_path: object
) -> None:
    broker = make_broker(data=str(tmp_path))
    client = Client(broker).open(1)
    client.declare(1, "q")
    client.ask(1, spec.ConfirmSelect(), spec.ConfirmSelectOk)
    persistent = publishing(1, b"m", key="q", properties=Properties(delivery_mode=2))
    transient = publishing(1, b"m", key="q")
    assert client.feed(persistent * 2 + transient + persistent) == [Said(1, spec.BasicAck(3))]
    woken = client.outlet.woken_times
    broker.sync()
    assert client.outlet.woken_times == woken + 1
    assert client.said() == [Said(1, spec.BasicAck(4, multiple=True))]


@pytest.mark.parametrize("again", [True, False])
def test_a_commit_after_a_channel_closed_confirms_nothing_to_its_successor(
    make_broker: Callable[..., Broker], tmp_path: object, again: bool
) -> None:
    broker = make_broker(data=str(tmp_path))
    client = Client(broker).open(1)
    client.declare(1, "q")
    client.ask(1, spec.ConfirmSelect(), spec.ConfirmSelectOk)
    persistent = publishing(1, b"m", key="q", properties=Properties(delivery_mode=2))
    assert client.feed(persistent) == []
    client.ask(1, spec.ChannelClose(), spec.ChannelCloseOk)
    if again:
        client.ask(1, spec.ChannelOpen(), spec.ChannelOpenOk)
    broker.sync()
    assert client.said() == []


@pytest.mark.parametrize("again", [True, False])
def test_events_of_a_channel_that_is_gone_are_told_to_nobody(client: Client, again: bool) -> None:
    gone = client.server.channels[1].model
    client.ask(1, spec.ChannelClose(), spec.ChannelCloseOk)
    if again:
        client.ask(1, spec.ChannelOpen(), spec.ChannelOpenOk)
    gone.connection.send(Confirmed(gone, 1, False, True))
    gone.connection.send(ChannelClosed(gone, NotFound("no more")))
    assert client.said() == []


# -- what cannot be told

CANNOT_BE_CARRIED = [
    Properties(headers={"n": 2**70}),
    Properties(headers={"n": object()}),  # type: ignore[dict-item]  # that is the point
    Properties(content_type="a" * 256),
    Properties(priority=700),
]


@pytest.mark.parametrize("properties", CANNOT_BE_CARRIED)
@pytest.mark.parametrize("no_ack", [True, False])
def test_what_amqp_cannot_carry_is_dropped_and_the_log_is_told(
    broker: Broker, client: Client, properties: Properties, no_ack: bool
) -> None:
    client.declare(1, "q")
    client.ask(1, spec.BasicQos(0, 1), spec.BasicQosOk)
    client.ask(1, spec.BasicConsume("q", "t", no_ack=no_ack), spec.BasicConsumeOk)
    channel = broker.connect().channel()
    channel.publish("", "q", b"no", properties)
    channel.publish("", "q", b"yes")
    said = [*client.said(), *client.said()]
    assert [each.body for each in said] == [b"yes"]
    assert [event for event, _ in client.outlet.events] == ["connected", "dropped"]
    assert broker.vhosts["/"].queues["q"].message_count == 0


@pytest.mark.parametrize("properties", CANNOT_BE_CARRIED)
def test_getting_what_amqp_cannot_carry_is_an_error_of_the_broker(
    broker: Broker, client: Client, properties: Properties
) -> None:
    client.declare(1, "q")
    broker.connect().channel().publish("", "q", b"no", properties)
    try:
        said = client.send(1, spec.BasicGet("q"))
    except (TypeError, ValueError):
        return  # the owner of the socket says 541
    assert isinstance(said[0].method, spec.BasicGetEmpty | spec.ConnectionClose | spec.ChannelClose)


# -- cancels


@pytest.mark.parametrize("told", [True, False])
def test_who_wants_to_know_hears_that_its_queue_is_gone(broker: Broker, told: bool) -> None:
    client = Client(broker, capabilities=("consumer_cancel_notify",) if told else ()).open(1)
    client.declare(1, "q")
    client.send(1, spec.BasicConsume("q", "t"))
    Client(broker).open(1).ask(1, spec.QueueDelete("q"), spec.QueueDeleteOk)
    expected = [Said(1, spec.BasicCancel("t", nowait=True))] if told else []
    assert client.said() == expected
    assert client.send(1, spec.BasicCancel("t")) == [Said(1, spec.BasicCancelOk("t"))]


# -- how much


def filled(broker: Broker, count: int, size: int) -> None:
    """A queue `q` with so many messages."""
    channel = broker.connect().channel()
    channel.declare_queue("q", durable=True)
    for number in range(count):
        channel.publish("", "q", number.to_bytes(4, "big") + bytes(size - 4))


SIZE = 10_000
MANY = 4 * WINDOW // SIZE
"""Messages of four windows."""


def taken(said: list[Said]) -> list[int]:
    """The numbers of the messages that were delivered."""
    return [int.from_bytes(each.body[:4], "big") for each in said if each.body]


@pytest.mark.parametrize("no_ack", [True, False])
def test_a_client_that_takes_nothing_holds_one_window_and_no_more(
    broker: Broker, no_ack: bool
) -> None:
    filled(broker, MANY, SIZE)
    client = Client(broker).open(1)
    client.server.receive(method_frame(1, spec.BasicConsume("q", "t", no_ack=no_ack)))
    (connection,) = (each for each in broker.vhosts["/"].connections if each.channels[0].consumers)
    held = len(connection.outbox) * SIZE
    assert 0.9 * WINDOW <= held <= WINDOW + SIZE
    assert connection.congested
    queue = broker.vhosts["/"].queues["q"]
    assert queue.message_count == MANY - held // SIZE
    broker._check()
    seen: list[int] = []
    rounds = 0
    while len(seen) < MANY:
        seen += taken(client.said())
        rounds += 1
        assert len(connection.outbox) * SIZE <= WINDOW + SIZE
        broker._check()
    assert seen == list(range(MANY))
    assert rounds in {4, 5}


def test_others_get_the_messages_of_a_queue_whose_consumer_takes_nothing(broker: Broker) -> None:
    slow, quick = Client(broker).open(1), Client(broker).open(1)
    filled(broker, 0, SIZE)
    for client in (slow, quick):
        client.ask(1, spec.BasicConsume("q", "t"), spec.BasicConsumeOk)
    channel = broker.connect().channel()
    got = 0
    for _ in range(MANY):
        channel.publish("", "q", bytes(SIZE))
        got += len(taken(quick.said()))
    left = len(taken_all(slow))
    assert got + left == MANY
    assert left * SIZE <= WINDOW + SIZE
    assert broker.vhosts["/"].queues["q"].message_count == 0


def taken_all(client: Client) -> list[Said]:
    """Everything that is delivered to a client."""
    said: list[Said] = []
    while more := client.said():
        said += more
    return [each for each in said if isinstance(each.method, spec.BasicDeliver)]


def test_a_message_larger_than_the_window_goes_through(broker: Broker) -> None:
    filled(broker, 3, 2 * WINDOW)
    client = Client(broker).open(1)
    first = client.send(1, spec.BasicConsume("q", "t"))
    assert kinds(first) == ["BasicConsumeOk", "BasicDeliver"]
    assert [len(each.body) for each in taken_all(client)] == [2 * WINDOW] * 2


def test_a_congested_consumer_may_be_cancelled_and_its_channel_closed(broker: Broker) -> None:
    for method in (spec.BasicCancel("t"), spec.ChannelClose()):
        filled(broker, MANY, SIZE)
        client = Client(broker).open(1, 2)
        client.server.receive(method_frame(1, spec.BasicConsume("q", "t")))
        client.server.receive(method_frame(1, method))
        broker._check()
        delivered = len(taken_all(client))
        if isinstance(method, spec.ChannelClose):
            assert broker.vhosts["/"].queues["q"].message_count == MANY
        else:
            assert broker.vhosts["/"].queues["q"].message_count == MANY - delivered
        broker._check()
        client.server.lost()
        broker.connect().channel().purge_queue("q")


def test_acks_while_a_connection_is_congested_bring_no_more_than_there_is_room(
    broker: Broker,
) -> None:
    filled(broker, MANY, SIZE)
    client = Client(broker).open(1)
    client.ask(1, spec.BasicQos(0, 2 * WINDOW // SIZE), spec.BasicQosOk)
    said = client.send(1, spec.BasicConsume("q", "t"))
    assert len(said) > 1
    (connection,) = (each for each in broker.vhosts["/"].connections if each.channels[0].consumers)
    for tag in range(1, len(said)):
        client.server.receive(method_frame(1, spec.BasicAck(tag)))
        assert len(connection.outbox) * SIZE <= WINDOW + SIZE
    broker._check()
