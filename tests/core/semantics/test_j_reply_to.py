"""Direct reply-to: an address that lives as long as its channel consumes from it (115 to 117)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from minibroker.errors import AccessRefused, NotAllowed, NotFound, PreconditionFailed
from minibroker.events import Confirmed, Returned
from minibroker.properties import Properties
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection

REPLY_TO = "amq.rabbitmq.reply-to"
ASKING = Properties(reply_to=REPLY_TO, correlation_id="1")


@pytest.fixture
def responder(broker: Broker) -> Channel:
    """A channel of another connection, with a queue `rpc`."""
    channel = broker.connect().channel()
    channel.declare_queue("rpc")
    return channel


@pytest.fixture
def address(channel: Channel, responder: Channel) -> str:
    """The address that a responder sees once `channel` consumes and has asked."""
    channel.consume(REPLY_TO, tag="replies", no_ack=True)
    return ask(channel, responder)


def ask(requester: Channel, responder: Channel) -> str:
    requester.publish("", "rpc", b"request", ASKING)
    answer = responder.get("rpc", no_ack=True)
    assert answer is not None
    reply_to = answer.entry.message.properties.reply_to
    assert reply_to is not None
    return reply_to


def replies(connection: LocalConnection) -> list[bytes]:
    """The bodies of the deliveries in the outbox, taken out."""
    items = list(connection.outbox)
    connection.outbox.clear()
    return [item.message.body for item in items if isinstance(item, Entry)]


# -- 115: consuming


@pytest.mark.semantics(115)
def test_consuming_with_acks_is_refused(channel: Channel) -> None:
    with pytest.raises(PreconditionFailed, match="^reply consumer cannot acknowledge$"):
        channel.consume(REPLY_TO)
    channel.consume(REPLY_TO, no_ack=True)
    with pytest.raises(PreconditionFailed, match="^reply consumer cannot acknowledge$"):
        channel.consume(REPLY_TO)


@pytest.mark.semantics(115)
def test_a_second_consumer_on_the_channel_is_refused(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.consume(REPLY_TO, no_ack=True)
    with pytest.raises(PreconditionFailed, match="^reply consumer already set$"):
        channel.consume(REPLY_TO, no_ack=True)
    connection.channel().consume(REPLY_TO, no_ack=True)


@pytest.mark.semantics(115)
def test_after_a_cancel_there_may_be_another_one(channel: Channel, responder: Channel) -> None:
    channel.consume(REPLY_TO, tag="a", no_ack=True)
    before = ask(channel, responder)
    channel.cancel("a")
    channel.consume(REPLY_TO, tag="a", no_ack=True)
    assert ask(channel, responder) != before


@pytest.mark.semantics(115)
def test_a_tag_in_use_is_refused_and_the_channel_has_no_address_then(channel: Channel) -> None:
    channel.declare_queue("q")
    channel.consume("q", tag="c")
    with pytest.raises(NotAllowed, match="attempt to reuse consumer tag 'c'"):
        channel.consume(REPLY_TO, tag="c", no_ack=True)
    with pytest.raises(PreconditionFailed, match="fast reply consumer does not exist"):
        channel.publish("", "q", b"", ASKING)


# -- 116: asking


@pytest.mark.semantics(116)
def test_asking_without_a_consumer_is_refused(channel: Channel, responder: Channel) -> None:
    with pytest.raises(PreconditionFailed, match="^fast reply consumer does not exist$"):
        channel.publish("", "rpc", b"request", ASKING)
    assert responder.get("rpc") is None


@pytest.mark.semantics(116)
def test_a_consumer_on_another_channel_of_the_connection_does_not_count(
    connection: LocalConnection, channel: Channel, responder: Channel
) -> None:
    channel.consume(REPLY_TO, no_ack=True)
    with pytest.raises(PreconditionFailed, match="^fast reply consumer does not exist$"):
        connection.channel().publish("", "rpc", b"request", ASKING)


@pytest.mark.semantics(116)
def test_reply_to_is_rewritten_to_an_address_that_nobody_can_guess(
    connection: LocalConnection, channel: Channel, responder: Channel, address: str
) -> None:
    assert re.fullmatch(rf"{re.escape(REPLY_TO)}\.[A-Za-z0-9_-]{{16,}}", address)
    assert ask(channel, responder) == address
    other = connection.channel()
    other.consume(REPLY_TO, no_ack=True)
    assert ask(other, responder) != address


@pytest.mark.semantics(116)
def test_the_publisher_s_own_properties_stay_as_they_were(channel: Channel, address: str) -> None:
    assert ASKING.reply_to == REPLY_TO


@pytest.mark.semantics(116)
def test_any_other_reply_to_is_left_alone(channel: Channel, responder: Channel) -> None:
    channel.publish("", "rpc", b"request", Properties(reply_to="my.queue"))
    answer = responder.get("rpc")
    assert answer is not None
    assert answer.entry.message.properties.reply_to == "my.queue"


# -- 117: answering


@pytest.mark.semantics(117)
def test_a_reply_is_delivered_at_once_with_the_default_exchange_and_the_address(
    connection: LocalConnection, responder: Channel, address: str
) -> None:
    responder.publish("", address, b"reply", Properties(correlation_id="1"))
    entry = connection.drain(0)
    assert isinstance(entry, Entry)
    message = entry.message
    assert (message.exchange, message.routing_key, message.body) == ("", address, b"reply")
    assert message.properties.correlation_id == "1"
    assert entry.consumer is not None
    assert (entry.consumer.tag, entry.redelivered) == ("replies", False)


@pytest.mark.semantics(117)
def test_any_number_of_replies_come_in_order_whatever_the_prefetch(
    connection: LocalConnection, channel: Channel, responder: Channel
) -> None:
    channel.qos(1)
    channel.consume(REPLY_TO, no_ack=True)
    address = ask(channel, responder)
    for number in range(5):
        responder.publish("", address, b"%d" % number, Properties(expiration="0"))
    assert replies(connection) == [b"0", b"1", b"2", b"3", b"4"]


@pytest.mark.semantics(117)
def test_a_reply_comes_to_the_channel_that_asked_and_to_no_other(
    broker: Broker, connection: LocalConnection, responder: Channel, address: str
) -> None:
    other = broker.connect()
    other.channel().consume(REPLY_TO, no_ack=True)
    responder.publish("", address, b"reply")
    assert (replies(other), replies(connection)) == ([], [b"reply"])


@pytest.mark.semantics(117)
def test_a_reply_through_any_other_exchange_does_not_arrive(
    connection: LocalConnection, responder: Channel, address: str
) -> None:
    responder.publish("amq.direct", address, b"reply")
    assert replies(connection) == []


@pytest.mark.semantics(117)
def test_a_passive_declare_tells_whether_the_address_is_alive(
    channel: Channel, responder: Channel, address: str
) -> None:
    assert responder.declare_queue(address, passive=True) == (address, 0, 1)
    channel.cancel("replies")
    with pytest.raises(NotFound, match=f"no queue '{re.escape(address)}' in vhost '/'"):
        responder.declare_queue(address, passive=True)


@pytest.mark.semantics(117)
@pytest.mark.parametrize("passive", [True, False])
def test_the_pseudo_queue_itself_can_always_be_declared(channel: Channel, passive: bool) -> None:
    # Observed on RabbitMQ 3.10.8; nothing is made by it.
    assert channel.declare_queue(REPLY_TO, passive=passive) == (REPLY_TO, 0, 1)
    assert channel.delete_queue(REPLY_TO) == 0


@pytest.mark.semantics(117)
@pytest.mark.parametrize("call", ["get", "purge_queue"])
def test_the_pseudo_queue_is_no_queue(channel: Channel, address: str, call: str) -> None:
    for name in (REPLY_TO, address):
        with pytest.raises(NotFound, match="no queue 'amq.rabbitmq.reply-to"):
            getattr(channel, call)(name)


@pytest.mark.semantics(55, 117)
@pytest.mark.parametrize(
    ("profile", "error"),
    [
        ("rabbitmq-3.10", NotFound),
        ("rabbitmq-3.13", NotFound),
        ("rabbitmq-4.2", AccessRefused),
        ("rabbitmq-4.3", AccessRefused),
    ],
)
def test_the_pseudo_queue_cannot_be_bound(
    make_broker: Callable[..., Broker], profile: str, error: type[Exception]
) -> None:
    channel = make_broker(profile=profile).connect().channel()
    with pytest.raises(error):
        channel.bind_queue(REPLY_TO, "amq.direct", "key")


def _cancel(connection: LocalConnection, channel: Channel) -> None:
    channel.cancel("replies")


def _close_channel(connection: LocalConnection, channel: Channel) -> None:
    channel.close()


def _close_connection(connection: LocalConnection, channel: Channel) -> None:
    connection.close()


@pytest.mark.semantics(117)
@pytest.mark.parametrize("end", [_cancel, _close_channel, _close_connection])
def test_the_address_dies_with_consumer_channel_or_connection_and_replies_are_returned_then(
    connection: LocalConnection,
    channel: Channel,
    responder: Channel,
    address: str,
    end: Callable[[LocalConnection, Channel], None],
) -> None:
    responder.publish("", address, b"alive", mandatory=True)
    assert not responder.connection.outbox
    end(connection, channel)
    responder.publish("", address, b"dropped")
    assert not responder.connection.outbox
    responder.publish("", address, b"returned", mandatory=True)
    (event,) = responder.connection.outbox
    assert isinstance(event, Returned)
    assert (event.reply_code, event.reply_text) == (312, "NO_ROUTE")
    assert event.message.body == b"returned"


@pytest.mark.semantics(117)
def test_a_reply_in_confirm_mode_is_confirmed_dead_or_alive(
    channel: Channel, responder: Channel, address: str
) -> None:
    responder.confirm_select()
    responder.publish("", address, b"alive")
    channel.close()
    responder.publish("", address, b"dead")
    events = list(responder.connection.outbox)
    assert [event.ok for event in events if isinstance(event, Confirmed)] == [True, True]


@pytest.mark.semantics(117)
def test_a_dead_letter_finds_its_way_to_an_address(
    connection: LocalConnection, responder: Channel, address: str
) -> None:
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": address}
    responder.declare_queue("q", arguments={**arguments, "x-max-length": 0})
    responder.publish("", "q", b"m")
    assert replies(connection) == [b"m"]


@pytest.mark.semantics(117)
def test_replies_are_not_counted_by_a_memory_limit(make_broker: Callable[..., Broker]) -> None:
    broker = make_broker(memory_limit=10_000)
    connection = broker.connect()
    requester, responder = connection.channel(), broker.connect().channel()
    responder.declare_queue("rpc")
    requester.consume(REPLY_TO, no_ack=True)
    address = ask(requester, responder)
    responder.publish("", address, b"x" * 20_000)
    assert replies(connection) == [b"x" * 20_000]
    assert broker.memory_used == 0
