"""What only random programs on a live RabbitMQ 3.10.8 told, across the chapters."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from minibroker import Broker, Properties
from minibroker.channel import Channel
from minibroker.errors import PreconditionFailed, ResourceLocked
from minibroker.events import Returned
from minibroker.local import LocalConnection
from minibroker.queues import Entry

REPLY_TO = "amq.rabbitmq.reply-to"
QUORUM = {"x-queue-type": "quorum"}


@pytest.fixture
def broker(make_broker: Callable[..., Broker]) -> Broker:
    return make_broker(profile="rabbitmq-3.10")


def ready(channel: Channel, queue: str = "q") -> int:
    return channel.declare_queue(queue, passive=True).message_count


def bodies(connection: LocalConnection) -> str:
    """The bodies of the deliveries in the outbox, taken out."""
    items = list(connection.outbox)
    connection.outbox.clear()
    return "".join(item.message.body.decode() for item in items if isinstance(item, Entry))


def publish(channel: Channel, letters: str, queue: str = "q", **properties: object) -> None:
    for letter in letters:
        channel.publish("", queue, letter.encode(), Properties().replace(**properties))


# -- declaring


@pytest.mark.semantics(40)
def test_a_binding_is_checked_before_it_is_asked_whose_queue_it_is(
    broker: Broker, channel: Channel
) -> None:
    channel.declare_queue("q", exclusive=True)
    other = broker.connect().channel()
    with pytest.raises(PreconditionFailed, match="Invalid x-match"):
        other.bind_queue("q", "amq.headers", arguments={"x-match": "none"})
    with pytest.raises(ResourceLocked):
        other.bind_queue("q", "amq.headers")


@pytest.mark.semantics(87)
def test_a_timeout_of_ones_own_is_not_known_yet(channel: Channel) -> None:
    channel.declare_queue("q", arguments={"x-consumer-timeout": -1})
    channel.consume("q", arguments={"x-consumer-timeout": "soon"})
    channel.declare_queue("q")


@pytest.mark.semantics(74)
def test_a_delivery_limit_that_is_none_is_passed_over(channel: Channel) -> None:
    channel.declare_queue("q", durable=True, arguments={**QUORUM, "x-delivery-limit": "1"})
    channel.publish("", "q", b"m")
    for _ in range(3):
        answer = channel.get("q")
        assert answer is not None
        channel.reject(answer.entry.tag)


# -- publishing


@pytest.mark.semantics(56)
def test_who_publishes_is_asked_before_most_of_what(channel: Channel) -> None:
    bad = Properties(user_id="nobody", expiration="abc", headers={"CC": 1})
    with pytest.raises(PreconditionFailed, match="^user_id"):
        channel.publish("", "q", b"", bad)
    with pytest.raises(PreconditionFailed, match="^fast reply consumer"):
        channel.publish("", "q", b"", bad.replace(reply_to=REPLY_TO))


@pytest.mark.semantics(52)
def test_the_default_exchange_is_no_alternate(channel: Channel) -> None:
    channel.declare_queue("q")
    channel.declare_exchange("x", arguments={"alternate-exchange": ""})
    channel.publish("x", "q", b"")
    assert ready(channel) == 0


@pytest.mark.semantics(117)
def test_a_reply_goes_out_at_once_and_comes_back_if_it_is_mandatory(
    broker: Broker, connection: LocalConnection, channel: Channel
) -> None:
    channel.consume(REPLY_TO, no_ack=True)
    assert channel.reply is not None
    other = broker.connect()
    responder = other.channel()
    responder.publish("", channel.reply.name, b"a", mandatory=True)
    assert isinstance(other.outbox.pop(), Returned)
    responder.tx_select()
    responder.publish("", channel.reply.name, b"b")
    assert bodies(connection) == "ab"
    responder.tx_commit()
    assert bodies(connection) == ""


# -- what is ready


@pytest.mark.semantics(89, 112)
def test_what_expires_at_once_stays_if_only_its_priority_brought_it_to_the_head(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q", arguments={"x-max-priority": 9})
    publish(channel, "a")
    publish(channel, "b", priority=5, expiration="0")
    assert ready(channel) == 2
    answer = channel.get("q", no_ack=True)
    assert answer is not None
    assert answer.entry.message.body == b"b"
    publish(channel, "c", priority=5, expiration="0")
    publish(channel, "d", priority=5, expiration="0")
    channel.consume("q", no_ack=True)
    assert bodies(connection) == "ca"


@pytest.mark.semantics(73)
def test_headers_stand_by_name_where_a_delivery_count_is_among_them(channel: Channel) -> None:
    channel.declare_queue("q", durable=True, arguments=QUORUM)
    channel.publish("", "q", b"", Properties(headers={"z": 1, "a": 1}))
    answer = channel.get("q")
    assert answer is not None
    assert list(answer.entry.message.headers) == ["a", "x-delivery-count", "z"]


# -- consumers


@pytest.mark.semantics(86, 71)
def test_who_takes_over_gets_first_what_the_one_before_gives_back(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q", arguments={"x-single-active-consumer": True})
    first = connection.channel()
    first.qos(2)
    first.consume("q")
    channel.consume("q")
    publish(channel, "abcd")
    assert bodies(connection) == "ab"
    first.close()
    assert bodies(connection) == "abcd"


@pytest.mark.semantics(35)
def test_whoever_holds_something_of_a_quorum_queue_counts_as_its_consumer(
    broker: Broker, channel: Channel
) -> None:
    channel.declare_queue("q", durable=True, arguments=QUORUM)

    def consumers() -> int:
        return channel.declare_queue("q", passive=True).consumer_count

    publish(channel, "abcd")
    channel.get("q")
    other = broker.connect().channel()
    other.get("q")
    assert consumers() == 2
    channel.consume("q", tag="C")
    assert consumers() == 3
    channel.cancel("C")
    assert consumers() == 3
    channel.tx_select()
    channel.ack(0, multiple=True)
    assert consumers() == 3
    channel.tx_commit()
    assert consumers() == 1
    other.close()
    assert consumers() == 0


@pytest.mark.semantics(115)
def test_the_arguments_of_a_direct_reply_are_not_looked_at(channel: Channel) -> None:
    channel.consume(REPLY_TO, no_ack=True, arguments={"x-priority": "1"})
    assert channel.reply is not None


@pytest.mark.semantics(101)
def test_a_letter_comes_behind_what_it_was_published_with(channel: Channel) -> None:
    letters = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"}
    channel.declare_queue("a", arguments=letters)
    channel.declare_queue("q")
    for queue in ("a", "q"):
        channel.bind_queue(queue, "amq.fanout")
    channel.publish("amq.fanout", "", b"", Properties(expiration="0"))
    assert ready(channel) == 1


@pytest.mark.semantics(86)
def test_in_a_quorum_queue_who_came_first_takes_over(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q", durable=True, arguments={**QUORUM, "x-single-active-consumer": True})
    for tag, priority in (("A", 0), ("B", 0), ("C", 2)):
        channel.consume("q", tag=tag, arguments={"x-priority": priority})
    channel.cancel("A")
    publish(channel, "m")
    (delivered,) = [item for item in connection.outbox if isinstance(item, Entry)]
    assert delivered.consumer is not None
    assert delivered.consumer.tag == "B"
