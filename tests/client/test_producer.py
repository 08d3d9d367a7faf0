from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from minibroker import Broker
from minibroker_client import Channel, Connection, Exchange, Message, Producer, Queue, producer
from minibroker_client.exceptions import (
    MessageNacked,
    MessageReturned,
    NotBoundError,
    NotFound,
    PublisherBlocked,
    RecoverableConnectionError,
)

if TYPE_CHECKING:
    from minibroker import ManualClock

RAW: dict[str, Any] = {"content_type": "application/data", "content_encoding": "binary"}


@pytest.fixture
def queue(channel: Channel) -> Queue:
    queue = Queue("q", Exchange("e"), "k")(channel)
    queue.declare()
    return queue


def only(queue: Queue) -> Message:
    message, none = queue.get(no_ack=True), queue.get()
    assert message is not None
    assert none is None
    return message


@pytest.mark.semantics(129)
def test_what_is_published_is_serialized_by_its_type(channel: Channel, queue: Queue) -> None:
    publisher = Producer(channel, Exchange("e"), "k")
    for body, content_type, payload in (
        ({"a": 1}, "application/json", {"a": 1}),
        ("text", "text/plain", "text"),
        (b"raw", "application/data", b"raw"),
    ):
        publisher.publish(body)
        message = only(queue)
        assert (message.content_type, message.payload) == (content_type, payload)
        assert message.properties == {"delivery_mode": 2, "priority": 0}


def test_the_serializer_can_be_named_for_one_or_all(channel: Channel, queue: Queue) -> None:
    Producer(channel, "e", "k").publish([1], serializer="msgpack")
    assert only(queue).content_type == "application/x-msgpack"
    Producer(channel, "e", "k", serializer="msgpack").publish("text")
    assert only(queue).content_type == "application/x-msgpack"


def test_a_body_with_a_content_type_goes_as_it_is(channel: Channel, queue: Queue) -> None:
    publisher = Producer(channel, "e", "k")
    for body, encoding, sent in (
        (b"\xff", None, (b"\xff", "binary")),
        ("é", None, ("é".encode(), "utf-8")),
        ("é", "latin-1", (b"\xe9", "latin-1")),
        (bytearray(b"x"), None, (b"x", "binary")),
    ):
        publisher.publish(body, content_type="a/b", content_encoding=encoding)
        message = only(queue)
        assert (message.body, message.content_encoding) == sent


def test_all_properties_of_amqp_can_be_given(channel: Channel, queue: Queue) -> None:
    when = datetime(2026, 11, 24, tzinfo=UTC)
    Producer(channel, "e", "k").publish(
        b"x", delivery_mode="transient", priority=3, headers={"h": 1}, expiration=1.5,
        correlation_id="c", reply_to=Queue("r"), message_id="m", timestamp=int(when.timestamp()),
        type="t", user_id="guest", app_id="a",
    )  # fmt: skip
    message = only(queue)
    assert message.headers == {"h": 1}
    assert message.properties == {
        "delivery_mode": 1, "priority": 3, "expiration": "1500", "correlation_id": "c",
        "reply_to": "r", "message_id": "m", "timestamp": when, "type": "t", "user_id": "guest",
        "app_id": "a",
    }  # fmt: skip


def test_an_unknown_argument_is_refused(channel: Channel) -> None:
    with pytest.raises(TypeError, match="colour"):
        Producer(channel).publish(b"", colour="red")  # type: ignore[call-arg]  # on purpose


def test_expiration_is_seconds(channel: Channel, queue: Queue, clock: ManualClock) -> None:
    Producer(channel, "e", "k").publish(b"x", expiration=0.25)
    clock.advance("249ms")
    assert queue.queue_declare(passive=True).message_count == 1
    clock.advance("1ms")
    assert queue.get() is None


def test_the_message_does_not_change_with_the_publishers_headers(
    channel: Channel, queue: Queue
) -> None:
    headers: dict[str, Any] = {"list": [1]}
    Producer(channel, "e", "k", compression="zlib").publish(b"x", headers=headers)
    assert headers == {"list": [1]}
    headers["list"].append(2)
    assert only(queue).headers == {"list": [1], "compression": "application/x-gzip"}


@pytest.mark.semantics(129)
def test_bodies_can_be_compressed(channel: Channel, queue: Queue) -> None:
    publisher = Producer(channel, "e", "k")
    publisher.publish(b"x" * 100, compression="bzip2")
    assert only(queue).payload == b"x" * 100
    publisher.compression = "zlib"
    publisher.publish(b"x" * 100, **RAW)
    message = only(queue)
    assert publisher.compression == "zlib"
    assert message.headers == {"compression": "application/x-gzip"}
    assert message.payload == b"x" * 100


def test_the_exchange_is_declared_with_the_first_publish(channel: Channel) -> None:
    publisher = Producer(channel, Exchange("new"))
    publisher.publish(b"x", routing_key="k")
    channel.declare_exchange("new", durable=True)
    channel.delete_exchange("new")
    publisher.declare()
    channel.declare_exchange("new", passive=True)


def test_the_exchange_is_not_declared_if_that_is_off(channel: Channel) -> None:
    with pytest.raises(NotFound):
        Producer(channel, Exchange("new"), auto_declare=False).publish(b"x")


def test_an_exchange_that_may_go_by_itself_is_declared_each_time(channel: Channel) -> None:
    publisher = Producer(channel, Exchange("new", auto_delete=True))
    publisher.publish(b"x", **RAW)
    channel.delete_exchange("new")
    publisher.publish(b"x", **RAW)
    channel.declare_exchange("new", passive=True)


def test_an_exchange_given_by_name_is_not_declared(channel: Channel) -> None:
    with pytest.raises(NotFound):
        Producer(channel, "new").publish(b"x")


def test_one_message_can_go_to_another_exchange(channel: Channel, queue: Queue) -> None:
    publisher = Producer(channel, routing_key="k")
    transient = Exchange("e", delivery_mode=1)
    publisher.publish(b"1", **RAW)
    publisher.publish(b"2", exchange=transient, **RAW)
    message = only(queue)
    assert (message.body, message.properties["delivery_mode"]) == (b"2", 1)
    publisher.publish(b"3", exchange="e", **RAW)
    assert only(queue).properties["delivery_mode"] == 2
    publisher.publish(b"4", routing_key="q", **RAW)
    assert only(queue).delivery_info["exchange"] == ""


def test_another_default_exchange_takes_effect_at_once(channel: Channel, queue: Queue) -> None:
    publisher = Producer(channel, routing_key="k")
    publisher.publish(b"1", **RAW)
    publisher.exchange = Exchange("e", delivery_mode=1)
    publisher.publish(b"2", **RAW)
    publisher.publish(b"3", **RAW)
    assert publisher.exchange.name == "e"
    assert [queue.get(no_ack=True).properties["delivery_mode"] for _ in range(2)] == [1, 1]  # type: ignore[union-attr]  # there are two


def test_entities_can_be_declared_before_the_message(channel: Channel) -> None:
    queue = Queue("new", Exchange("new"), "k")
    Producer(channel).publish(b"x", "k", exchange="new", declare=[queue])
    assert only(queue(channel)).body == b"x"


def test_immediate_is_refused(channel: Channel) -> None:
    with pytest.raises(NotImplementedError, match="immediate"):
        Producer(channel).publish(b"x", immediate=True)


def test_a_returned_message_goes_to_on_return(connection: Connection) -> None:
    told: list[tuple[Any, ...]] = []
    publisher = Producer(connection, on_return=lambda *args: told.append(args))
    publisher.publish(b"x", "nowhere", mandatory=True, **RAW)
    publisher.publish(b"x", "nowhere", mandatory=True, **RAW)
    connection.drain_events(timeout=0)
    connection.drain_events(timeout=0)
    assert [(str(error)[:14], key) for error, _, key, _ in told] == [
        ("(312) NO_ROUTE", "nowhere")
    ] * 2


def test_a_refused_message_is_raised_in_confirm_mode(broker: Broker) -> None:
    with Connection(broker, transport_options={"confirm_publish": True}) as connection:
        arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
        queue = Queue("q", queue_arguments=arguments)
        publisher = Producer(connection, routing_key="q")
        publisher.publish(b"1", declare=[queue], confirm_timeout=1)
        choices: tuple[dict[str, Any], ...] = ({}, RAW, {"confirm_timeout": 1})
        for options in choices:
            with pytest.raises(MessageNacked):
                publisher.publish(b"2", **options)
        with pytest.raises(MessageReturned):
            publisher.publish(b"3", "nowhere", mandatory=True, **RAW)


def test_a_channel_may_change_to_confirm_mode_at_any_time(channel: Channel) -> None:
    publisher = Producer(channel, routing_key="q")
    channel.declare_queue("q", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    publisher.publish(b"1", **RAW)
    publisher.publish(b"2", **RAW)
    channel.confirm_select()
    with pytest.raises(MessageNacked):
        publisher.publish(b"3", **RAW)


def test_a_blocked_publisher_waits_as_long_as_it_is_told() -> None:
    with Broker(memory_limit=10) as broker, Connection(broker) as connection:
        publisher = Producer(connection, routing_key="q")
        publisher.publish(bytes(20), declare=[Queue("q")])
        choices: tuple[dict[str, Any], ...] = ({}, RAW)
        for options in choices:
            with pytest.raises(PublisherBlocked):
                publisher.publish(b"x", timeout=0, **options)


def test_a_lost_connection_is_made_anew_with_retry(connection: Connection) -> None:
    publisher = Producer(connection, Exchange("e"))
    revived: list[Channel] = []
    publisher.publish(b"1", **RAW)
    connection._link.close()  # type: ignore[union-attr]  # behind its back
    with pytest.raises(RecoverableConnectionError):
        publisher.publish(b"2", **RAW)
    publisher.publish(b"3", retry=True, retry_policy={"on_revive": revived.append}, **RAW)
    assert revived == [connection.default_channel]
    publisher.publish(b"4", **RAW)


def test_retrying_needs_a_connection() -> None:
    publisher = Producer(None)
    assert publisher.connection is None
    with pytest.raises(RecoverableConnectionError, match="no connection"):
        publisher.publish(b"x", retry=True)
    with pytest.raises(NotBoundError):
        publisher.publish(b"x")


def test_a_producer_knows_its_connection(connection: Connection) -> None:
    assert Producer(connection).connection is connection
    assert Producer(connection.channel()).connection is connection
    assert Producer(connection).__connection__ is connection


def test_a_pickled_producer_comes_back_without_a_channel(channel: Channel) -> None:
    publisher = Producer(channel, Exchange("e"), "k", "msgpack", False, "zlib")
    copy = pickle.loads(pickle.dumps(publisher))
    assert (copy.exchange, copy.routing_key, copy.serializer) == (Exchange("e"), "k", "msgpack")
    assert (copy.auto_declare, copy.compression, copy.connection) == (False, "zlib", None)


def test_many_kinds_of_messages_do_not_use_ever_more_memory(
    channel: Channel, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer, "MEMO_LIMIT", 2)
    publisher = Producer(channel, "e", "k")
    for number in range(5):
        publisher.publish(b"x", content_type=f"a/{number}", content_encoding="binary")
    assert len(publisher._memo) <= 2
    types = [message.content_type for _ in range(5) if (message := queue.get(no_ack=True))]
    assert types == [f"a/{number}" for number in range(5)]


def test_entities_are_declared_once_on_a_connection(channel: Channel) -> None:
    publisher = Producer(channel)
    assert publisher.maybe_declare(Exchange("e"))
    assert not publisher.maybe_declare(Exchange("e"))
    assert not publisher.maybe_declare(None)


def test_a_with_block_releases_it(connection: Connection) -> None:
    with Producer(connection) as publisher:
        publisher.publish(b"x")
    with pytest.raises(KeyError), Producer(connection):
        raise KeyError
    assert repr(publisher).startswith("<Producer: <Channel 1")
