from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import Channel, Connection, Consumer, Exchange, Message, Producer, Queue
from minibroker_client.exceptions import (
    ChannelError,
    ContentDisallowed,
    DecodeError,
    NotBoundError,
    NotFound,
    NotImplementedByBroker,
    RecoverableConnectionError,
)

if TYPE_CHECKING:
    from minibroker import Broker

RAW: dict[str, Any] = {"content_type": "application/data", "content_encoding": "binary"}


class Received(list[tuple[Any, Message]]):
    """A callback that keeps what it is called with."""

    def __call__(self, body: Any, message: Message) -> None:
        self.append((body, message))

    @property
    def bodies(self) -> list[Any]:
        return [body for body, _ in self]


@pytest.fixture
def received() -> Received:
    return Received()


def send(channel: Channel, body: Any, queue: str = "q", **options: Any) -> None:
    Producer(channel).publish(body, queue, **options)


def drain(connection: Connection) -> None:
    while True:
        try:
            connection.drain_events(timeout=0)
        except TimeoutError:
            return


def test_callbacks_get_the_decoded_body_and_the_message(
    connection: Connection, received: Received
) -> None:
    channel = connection.channel()
    with Consumer(channel, Queue("q"), callbacks=[received]) as consumer:
        also = Received()
        consumer.register_callback(also)
        for body in ({"a": 1}, "text", b"raw", b"again"):
            send(channel, body)
        send(channel, b"marked", **RAW)
        drain(connection)
    assert received.bodies == [{"a": 1}, "text", b"raw", b"again", b"marked"]
    assert also.bodies == received.bodies
    assert received[2][1].payload == b"raw"
    for _, message in received:
        message.ack()


def test_messages_that_share_their_properties_each_have_their_own_body(
    connection: Connection, received: Received
) -> None:
    with Consumer(connection, Queue("q"), callbacks=[received]) as consumer:
        producer = Producer(connection, routing_key="q")
        for body in (b"1", b"2", b"3"):
            producer.publish(body, **RAW)
        drain(connection)
        consumer.callbacks = [lambda _, message: message.ack()]
        producer.publish(b"4", **RAW)
        drain(connection)
    assert received.bodies == [b"1", b"2", b"3"]
    assert connection.channel().get("q") is None


def test_nothing_is_consumed_before_consume(connection: Connection, received: Received) -> None:
    consumer = Consumer(connection, [Queue("q")], callbacks=[received])
    send(connection.default_channel, "1")
    drain(connection)
    assert received == []
    consumer.consume()
    consumer.consume()
    drain(connection)
    assert received.bodies == ["1"]
    consumer.cancel()
    send(connection.default_channel, "2")
    drain(connection)
    assert received.bodies == ["1"]


def test_queues_are_declared_with_the_consumer(channel: Channel) -> None:
    Consumer(channel, Queue("q", Exchange("e"), "k"))
    channel.declare_queue("q", passive=True)
    Consumer(channel, Queue("other"), auto_declare=False)
    with pytest.raises(NotFound):
        channel.declare_queue("other", passive=True)


def test_a_queue_that_the_broker_names_is_consumed_by_that_name(
    connection: Connection, received: Received
) -> None:
    with Consumer(connection, Queue(), callbacks=[received]) as consumer:
        [queue] = consumer.queues
        assert consumer.consuming_from(queue)
        send(connection.default_channel, "1", queue.name)
        drain(connection)
    assert received.bodies == ["1"]


def test_without_acks_messages_are_settled_when_they_come(
    connection: Connection, received: Received
) -> None:
    with Consumer(connection, Queue("q"), no_ack=True, callbacks=[received]):
        send(connection.default_channel, b"1")
        drain(connection)
    assert received[0][1].acknowledged
    assert connection.channel().get("q") is None


def test_a_queue_says_itself_whether_it_wants_acks(
    connection: Connection, received: Received
) -> None:
    queues = [Queue("a", no_ack=True), Queue("b")]
    with Consumer(connection, queues, callbacks=[received]):
        send(connection.default_channel, b"1", "a")
        send(connection.default_channel, b"2", "b")
        drain(connection)
    assert [message.acknowledged for _, message in received] == [True, False]


def test_on_message_gets_the_message_undecoded(connection: Connection) -> None:
    messages: list[Message] = []
    with Consumer(connection, Queue("q"), on_message=messages.append, accept=["msgpack"]):
        send(connection.default_channel, b"1")
        send(connection.default_channel, {"a": 1})
        drain(connection)
    assert [message.body for message in messages] == [b"1", b'{"a": 1}']
    with pytest.raises(ContentDisallowed):
        messages[1].decode()


@pytest.mark.semantics(130)
def test_content_that_is_not_accepted_is_refused(
    connection: Connection, received: Received
) -> None:
    with Consumer(connection, Queue("q"), callbacks=[received], accept=["msgpack"]):
        send(connection.default_channel, [1], serializer="msgpack")
        send(connection.default_channel, [2], serializer="json")
        connection.drain_events(timeout=0)
        with pytest.raises(ContentDisallowed, match="json"):
            connection.drain_events(timeout=0)
    assert received.bodies == [[1]]


@pytest.mark.semantics(130)
def test_pickle_is_refused_unless_it_is_asked_for(
    connection: Connection, received: Received
) -> None:
    with Consumer(connection, Queue("q"), callbacks=[received]) as consumer:
        send(connection.default_channel, {1, 2}, serializer="pickle")
        with pytest.raises(ContentDisallowed, match="pickle"):
            connection.drain_events(timeout=0)
        consumer.accept = {"application/x-python-serialize"}
        send(connection.default_channel, {1, 2}, serializer="pickle")
        drain(connection)
    assert received.bodies == [{1, 2}]


@pytest.mark.parametrize(
    ("body", "properties"),
    [
        (b"{", {"content_type": "application/json"}),
        (b"junk", {"headers": {"compression": "application/x-gzip"}}),
    ],
)
def test_what_cannot_be_decoded_goes_to_on_decode_error(
    connection: Connection, received: Received, body: bytes, properties: dict[str, Any]
) -> None:
    failed: list[tuple[Message, Exception]] = []
    channel = connection.channel()
    consumer = Consumer(channel, Queue("q"), callbacks=[received])
    with consumer:
        channel.publish("", "q", body, properties)
        with pytest.raises(DecodeError):
            connection.drain_events(timeout=0)
        consumer.on_decode_error = lambda *args: failed.append(args)
        channel.publish("", "q", body, properties)
        drain(connection)
    [(message, error)] = failed
    assert message.body == body
    assert isinstance(error, DecodeError)
    assert received == []


def test_an_error_of_a_callback_is_not_a_decode_error(connection: Connection) -> None:
    def fail(_: Any, message: Message) -> None:
        raise ZeroDivisionError(message)

    failed: list[object] = []
    consumer = Consumer(
        connection, Queue("q"), callbacks=[fail], on_decode_error=lambda *args: failed.append(args)
    )
    with consumer:
        for body in (b"1", {"a": 1}):
            send(connection.default_channel, body)
            with pytest.raises(ZeroDivisionError):
                connection.drain_events(timeout=0)
    assert failed == []


def test_compressed_bodies_are_undone(connection: Connection, received: Received) -> None:
    with Consumer(connection, Queue("q"), callbacks=[received]):
        headers = {"compression": "application/x-gzip"}
        connection.default_channel.publish(
            "", "q", zlib.compress(b"long"), {**RAW, "headers": headers}
        )
        drain(connection)
    assert received.bodies == [b"long"]


def test_a_consumer_without_callbacks_says_so(connection: Connection) -> None:
    with Consumer(connection, Queue("q")):
        for body in (b"1", "text"):
            send(connection.default_channel, body)
            with pytest.raises(NotImplementedError, match="no callbacks"):
                connection.drain_events(timeout=0)


def test_a_subclass_can_receive_in_its_own_way(connection: Connection) -> None:
    class Own(Consumer):
        bodies: list[Any] = []  # noqa: RUF012 -- one instance

        def receive(self, body: Any, message: Message) -> None:
            self.bodies.append(body)

    with Own(connection, Queue("q")) as consumer:
        send(connection.default_channel, b"1")
        send(connection.default_channel, [2])
        drain(connection)
    assert consumer.bodies == [b"1", [2]]


def test_callbacks_of_a_subclass_are_kept(connection: Connection, received: Received) -> None:
    class Own(Consumer):
        callbacks = [received]  # noqa: RUF012 -- one instance

    with Own(connection, Queue("q")):
        send(connection.default_channel, b"1")
        drain(connection)
    assert received.bodies == [b"1"]


def test_the_prefetch_count_limits_what_is_unacked(
    connection: Connection, received: Received
) -> None:
    with Consumer(connection, Queue("q"), callbacks=[received], prefetch_count=1) as consumer:
        for body in ("1", "2"):
            send(connection.default_channel, body)
        drain(connection)
        assert received.bodies == ["1"]
        received[0][1].ack()
        drain(connection)
        assert received.bodies == ["1", "2"]
        consumer.recover()
        drain(connection)
    assert received[2][1].delivery_info["redelivered"]


def test_queues_can_be_added_and_left(connection: Connection, received: Received) -> None:
    with Consumer(connection, Queue("a"), callbacks=[received], tag_prefix="mine-") as consumer:
        consumer.add_queue(Queue("b"))
        assert not consumer.consuming_from("b")
        consumer.consume()
        assert consumer.consuming_from("b")
        consumer.cancel_by_queue("a")
        consumer.cancel_by_queue(Queue("unknown"))
        assert not consumer.consuming_from("a")
        for queue in ("a", "b"):
            send(connection.default_channel, queue, queue)
        drain(connection)
    assert received.bodies == ["b"]
    assert received[0][1].delivery_info["consumer_tag"].startswith("mine-")


def test_a_queue_added_without_declaring_must_exist(channel: Channel) -> None:
    consumer = Consumer(channel, auto_declare=False)
    consumer.add_queue(Queue("q"))
    with pytest.raises(NotFound):
        consumer.consume()


def test_purging_empties_all_queues(channel: Channel) -> None:
    consumer = Consumer(channel, [Queue("a"), Queue("b")])
    for queue in ("a", "a", "b"):
        send(channel, "x", queue)
    assert consumer.purge() == 3


def test_reviving_goes_on_with_what_was_consumed(
    connection: Connection, received: Received
) -> None:
    consumer = Consumer(connection.channel(), Queue("a"), callbacks=[received], prefetch_count=5)
    consumer.consume(no_ack=True)
    consumer.add_queue(Queue("b"))
    consumer.channel.close()
    channel = connection.channel()
    consumer.revive(channel)
    assert consumer.channel is channel
    assert consumer.consuming_from("a")
    assert not consumer.consuming_from("b")
    send(channel, "1", "a")
    drain(connection)
    assert received[0][1].acknowledged


def test_flow_cannot_be_stopped(channel: Channel) -> None:
    consumer = Consumer(channel)
    consumer.flow(True)
    with pytest.raises(NotImplementedByBroker):
        consumer.flow(False)


def test_a_consumer_without_a_channel_can_do_nothing() -> None:
    consumer = Consumer(None, Queue("q"))
    assert consumer.connection is None
    assert consumer.queues == [Queue("q")]
    with pytest.raises(NotBoundError):
        consumer.consume()


def leave(consumer: Consumer, error: BaseException | None) -> None:
    """Leave a `with` block of the consumer with this error."""
    with consumer:
        if error is not None:
            raise error


@pytest.mark.parametrize("error", [RecoverableConnectionError("lost"), OSError("lost")])
def test_leaving_with_a_lost_connection_does_not_try_to_cancel(
    connection: Connection, error: Exception
) -> None:
    consumer = Consumer(connection, Queue("q"))
    with pytest.raises(type(error), match="lost"):
        leave(consumer, error)
    assert consumer.consuming_from("q")


def test_leaving_with_a_closed_channel_hides_no_error(connection: Connection) -> None:
    consumer = Consumer(connection, Queue("q"))
    consumer.consume()
    consumer.channel.close()
    consumer.__exit__(None, None, None)
    consumer.consuming_from("q")
    with pytest.raises(RecoverableConnectionError):
        consumer.consume()


def test_an_error_of_leaving_itself_is_raised(connection: Connection) -> None:
    class Stubborn(Consumer):
        def cancel(self) -> None:
            raise ChannelError("no")

    with pytest.raises(ChannelError, match="no"):
        leave(Stubborn(connection, Queue("q")), None)
    with pytest.raises(KeyError):
        leave(Stubborn(connection, Queue("r")), KeyError())


def test_a_consumer_knows_its_connection(connection: Connection) -> None:
    consumer = connection.Consumer(Queue("q"))
    assert consumer.connection is connection
    assert repr(consumer).startswith("<Consumer: [<Queue q ->")


def test_two_consumers_of_one_message_do_not_see_each_others_changes(broker: Broker) -> None:
    with Connection(broker) as one, Connection(broker) as two:
        received = [Received(), Received()]
        fanout = Exchange("f", "fanout")
        for number, connection in enumerate((one, two)):
            queue = Queue(f"q{number}", fanout, no_ack=True)
            Consumer(connection, queue, callbacks=[received[number]]).consume()
        Producer(one, fanout).publish({"a": [1]}, headers={"h": {"x": 1}})
        drain(one)
        body, message = received[0][0]
        body["a"].append(2)
        message.headers["h"]["x"] = 2
        drain(two)
        body, message = received[1][0]
        assert body == {"a": [1]}
        assert message.headers == {"h": {"x": 1}}
