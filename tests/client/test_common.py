from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import Channel, Connection, Exchange, Producer, Queue, common
from minibroker_client.common import (
    Broadcast,
    QoS,
    collect_replies,
    declaration_cached,
    drain_consumer,
    eventloop,
    ignore_errors,
    insured,
    itermessages,
    maybe_declare,
    send_reply,
    uuid,
)
from minibroker_client.exceptions import NotFound, RecoverableConnectionError

if TYPE_CHECKING:
    from minibroker import Broker


def send(connection: Connection, *bodies: Any) -> None:
    for body in bodies:
        Producer(connection).publish(body, "q")


# -- declaring once


def test_an_entity_is_declared_once_on_a_connection(connection: Connection) -> None:
    exchange, channel = Exchange("e"), connection.default_channel
    assert maybe_declare(exchange, channel)
    assert declaration_cached(exchange, channel)
    assert not maybe_declare(exchange, connection.channel())
    channel.delete_exchange("e")
    assert not maybe_declare(exchange(channel))
    connection.close()
    assert maybe_declare(exchange, connection)
    connection.default_channel.declare_exchange("e", passive=True)


def test_what_may_go_by_itself_is_declared_each_time(channel: Channel) -> None:
    queue = Queue("q", auto_delete=True)
    assert maybe_declare(queue, channel)
    assert maybe_declare(queue, channel)


def test_a_queue_that_the_broker_names_keeps_its_name(channel: Channel) -> None:
    one, two = Queue(), Queue()
    assert maybe_declare(one, channel)
    assert maybe_declare(two, channel)
    assert one.name.startswith("amq.gen-")
    assert one.name != two.name
    assert not maybe_declare(one, channel)


def test_declaring_can_be_tried_again(connection: Connection) -> None:
    revived: list[Channel] = []
    channel = connection.channel()
    channel.close()
    assert maybe_declare(Queue("q"), channel, retry=True, on_revive=revived.append)
    assert revived == [connection.default_channel]
    connection.default_channel.declare_queue("q", passive=True)


# -- loops


def test_the_event_loop_drains_so_many_events(connection: Connection) -> None:
    received: list[Any] = []
    callbacks = [lambda body, _: received.append(body)]
    with connection.Consumer(Queue("q"), callbacks=callbacks):
        send(connection, 1, 2, 3)
        assert list(eventloop(connection, limit=2, timeout=0)) == [None, None]
    assert received == [1, 2]


def test_the_event_loop_ends_with_a_timeout_unless_that_is_ignored(
    connection: Connection,
) -> None:
    with pytest.raises(TimeoutError):
        list(eventloop(connection, timeout=0.001))
    assert list(eventloop(connection, limit=3, timeout=0.001, ignore_timeouts=True)) == []


def test_messages_can_be_drained_from_a_consumer(connection: Connection) -> None:
    also: list[Any] = []
    consumer = connection.Consumer(Queue("q"))
    send(connection, 1, 2)
    drained = drain_consumer(
        consumer, limit=3, timeout=0.001, callbacks=[lambda body, _: also.append(body)]
    )
    assert [body for body, _ in drained] == [1, 2] == also


def test_messages_of_a_queue_can_be_iterated(connection: Connection) -> None:
    queue = Queue("q")
    queue(connection).declare()
    send(connection, 1, 2)
    [(body, message)] = itermessages(connection, connection.channel(), queue, limit=1)
    assert body == 1
    message.ack()
    assert list(itermessages(connection, None, Queue("empty"), timeout=0.001)) == []


# -- replies


def test_a_request_is_answered_where_it_says(connection: Connection) -> None:
    replies, requests = Queue("r")(connection), Queue("q")(connection)
    replies.declare()
    requests.declare()
    for serializer in ("msgpack", "raw"):
        Producer(connection).publish(
            b"ask", "q", serializer=serializer, reply_to="r", correlation_id="c"
        )
        request = requests.get(no_ack=True)
        assert request is not None
        send_reply("", request, b"answer", Producer(connection))
        reply = replies.get(no_ack=True)
        assert reply is not None
        assert (reply.payload, reply.content_type) == (b"answer", request.content_type)
        assert reply.properties["correlation_id"] == "c"


def test_replies_are_collected_with_or_without_acks(connection: Connection) -> None:
    Queue("q")(connection).declare()
    for no_ack in (True, False):
        send(connection, 1)
        got = list(collect_replies(connection, connection.channel(), Queue("q"), no_ack=no_ack))
        assert got == [1]
    assert connection.default_channel.get("q") is None


def test_every_consumer_of_a_broadcast_gets_all(broker: Broker) -> None:
    with Connection(broker) as one, Connection(broker) as two:
        queues = [Broadcast("news")(one), Broadcast("news", queue="mine")(two)]
        for queue in queues:
            queue.declare()
        Producer(one, Exchange("news", "fanout")).publish("x")
        assert [queue.purge() for queue in queues] == [1, 1]
        assert [queue.alias for queue in queues] == ["news", "news"]
        assert all(queue.auto_delete for queue in queues)
    assert queues[0].name.startswith("bcast.")
    assert queues[1].name == "mine"
    assert Broadcast("news", "mine", unique=True).name.startswith("mine.")
    assert Broadcast(exchange=Exchange("e")).exchange == Exchange("e")


# -- errors


def test_errors_of_connections_and_channels_can_be_ignored(connection: Connection) -> None:
    with ignore_errors(connection):
        connection.channel().get("nowhere")
    assert ignore_errors(connection, connection.channel().get, "nowhere") is None
    assert ignore_errors(connection, len, "abc") == 3
    with pytest.raises(ZeroDivisionError), ignore_errors(connection):
        _ = 1 / 0


def get_from_nowhere(connection: Connection, channel: Channel) -> None:
    assert channel.connection is connection
    channel.get("nowhere")


def test_a_call_with_a_pooled_connection_is_tried_again(connection: Connection) -> None:
    failures = [RecoverableConnectionError("lost")]
    revived: list[Channel] = []

    def call(name: str, connection: Connection, channel: Channel) -> str:
        if failures:
            raise failures.pop()
        assert channel is connection.default_channel
        return Queue(name)(channel).declare()

    with connection.Pool(limit=1) as pool:
        assert insured(pool, call, ("q",), {}, on_revive=revived.append) == "q"
        assert len(revived) == 1
        with pytest.raises(NotFound):
            insured(pool, get_from_nowhere, (), {})


# -- prefetch


class Told:
    """Takes a prefetch count as `Consumer.qos` does."""

    def __init__(self, told: list[int]) -> None:
        self.told = told

    def __call__(self, prefetch_count: int) -> None:
        self.told.append(prefetch_count)


def test_a_prefetch_count_is_changed_by_many_and_told_by_one() -> None:
    told: list[int] = []
    qos = QoS(Told(told), 10, max_prefetch=12)
    qos.update()
    qos.update()
    assert qos.increment_eventually() == 11
    assert qos.increment_eventually(5) == 12
    assert qos.decrement_eventually(2) == 10
    assert told == [10]
    assert qos.increment_eventually(-5) == 10
    assert qos.decrement_eventually(50) == 1
    qos.update()
    assert told == [10, 1]


def test_no_limit_stays_no_limit() -> None:
    told: list[int] = []
    qos = QoS(Told(told), 0)
    assert (qos.increment_eventually(), qos.decrement_eventually()) == (0, 0)
    assert qos.set(common.PREFETCH_COUNT_MAX + 1) == common.PREFETCH_COUNT_MAX + 1
    assert told == [0]
    unbounded = QoS(Told(told), 1)
    assert unbounded.increment_eventually(100) == 101


def test_unique_ids_differ() -> None:
    assert uuid() != uuid()
    assert len(uuid()) == 36
