from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import Channel, Connection, Exchange, Message, Queue, binding
from minibroker_client.exceptions import (
    ContentDisallowed,
    DecodeError,
    NotFound,
    PreconditionFailed,
    ResourceLocked,
)

if TYPE_CHECKING:
    from minibroker import Broker


def publish(channel: Channel, queue: str, body: bytes = b"x", **properties: Any) -> None:
    channel.publish("", queue, body, properties)


def test_declaring_a_queue_declares_its_exchange_and_binds_them(channel: Channel) -> None:
    queue = Queue("q", Exchange("e", "topic"), "a.*")(channel)
    assert queue.declare() == "q"
    channel.publish("e", "a.b", b"1")
    assert queue.queue_declare(passive=True) == ("q", 1, 0)
    queue.queue_unbind()
    channel.publish("e", "a.b", b"2")
    assert queue.purge() == 1


def test_a_queue_without_an_exchange_is_reached_by_its_name(channel: Channel) -> None:
    queue = Queue("q")(channel)
    queue.declare()
    publish(channel, "q")
    assert queue.purge() == 1


def test_a_queue_has_any_number_of_bindings(channel: Channel) -> None:
    one, two = Exchange("one"), Exchange("two", "fanout")
    queue = Queue("q", [one.binding("a"), binding(two)], bindings=[one.binding("b")])(channel)
    assert queue.exchange is None
    queue.declare()
    for exchange, key in (("one", "a"), ("one", "b"), ("one", "c"), ("two", "")):
        channel.publish(exchange, key, b"")
    assert queue.purge() == 3


def test_an_exchange_may_be_given_by_name(channel: Channel) -> None:
    Queue("q", "e", "k")(channel).declare()
    channel.declare_exchange("e", passive=True)


def test_times_are_seconds_and_become_milliseconds(channel: Channel) -> None:
    queue = Queue(
        "q", expires=1.5, message_ttl=0.25, max_length=3, max_length_bytes=400, max_priority=5,
        queue_arguments={"x-overflow": "reject-publish"}, durable=False,
    )  # fmt: skip
    queue(channel).declare()
    channel.declare_queue(
        "q",
        arguments={
            "x-expires": 1500, "x-message-ttl": 250, "x-max-length": 3, "x-max-length-bytes": 400,
            "x-max-priority": 5, "x-overflow": "reject-publish",
        },
    )  # fmt: skip


def test_an_exclusive_queue_is_auto_delete(broker: Broker, channel: Channel) -> None:
    queue = Queue("q", exclusive=True)
    assert queue.auto_delete
    queue(channel).declare()
    with Connection(broker) as other, pytest.raises(ResourceLocked):
        queue(other).queue_declare(passive=True)


def test_the_broker_names_a_queue_without_a_name(channel: Channel) -> None:
    declared: list[tuple[str, int, int]] = []
    queue = Queue(on_declared=lambda *answer: declared.append(answer))(channel)
    name = queue.declare()
    assert name.startswith("amq.gen-")
    assert queue.name == name
    assert declared == [(name, 0, 0)]


def test_a_queue_that_is_not_to_be_declared_is_not(channel: Channel) -> None:
    assert Queue("q", no_declare=True)(channel).declare() == "q"
    with pytest.raises(NotFound):
        channel.declare_queue("q", passive=True)


def test_get_fetches_one_message_or_none(channel: Channel) -> None:
    queue = Queue("q")(channel)
    queue.declare()
    assert queue.get() is None
    for body in (b"1", b"2"):
        publish(channel, "q", body)
    message = queue.get()
    assert message is not None
    assert message.delivery_info == {
        "delivery_tag": 1, "redelivered": False, "exchange": "", "routing_key": "q",
        "message_count": 1,
    }  # fmt: skip
    message.ack()
    last = queue.get(no_ack=True)
    assert last is not None
    assert last.acknowledged
    assert queue.get() is None


def test_get_accepts_what_it_is_told(channel: Channel) -> None:
    queue = Queue("q", no_ack=True)(channel)
    queue.declare()
    for _ in range(2):
        publish(channel, "q", b"[1]", content_type="application/json")
    message, refused = queue.get(accept=["json"]), queue.get(accept=["msgpack"])
    assert message is not None
    assert message.payload == [1]
    assert refused is not None
    with pytest.raises(ContentDisallowed):
        refused.decode()


def test_get_raises_when_the_body_cannot_be_decompressed(channel: Channel) -> None:
    queue = Queue("q")(channel)
    queue.declare()
    publish(channel, "q", b"junk", headers={"compression": "application/x-gzip"})
    with pytest.raises(DecodeError):
        queue.get()


def test_consume_hands_each_message_to_the_callback(connection: Connection) -> None:
    channel = connection.channel()
    queue = Queue("q")(channel)
    queue.declare()
    received: list[Message] = []
    cancelled: list[str] = []
    tag = queue.consume("mine", received.append, on_cancel=cancelled.append)
    assert tag == "mine"
    publish(channel, "q", b"1")
    connection.drain_events(timeout=0)
    received[0].ack()
    queue.delete()
    connection.drain_events(timeout=0)
    assert cancelled == ["mine"]


def test_a_cancelled_consumer_gets_no_more(connection: Connection) -> None:
    queue = Queue("q", no_ack=True)(connection)
    queue.declare()
    received: list[Message] = []
    queue.cancel(queue.consume(callback=received.append))
    publish(connection.default_channel, "q")
    with pytest.raises(TimeoutError):
        connection.drain_events(timeout=0)


def test_consuming_needs_a_callback(channel: Channel) -> None:
    with pytest.raises(TypeError, match="callback"):
        Queue("q")(channel).consume()


def test_a_queue_can_be_bound_and_unbound_by_hand(channel: Channel) -> None:
    queue = Queue("q", no_declare=True)(channel)
    queue.queue_declare()
    queue.bind_to("amq.fanout")
    channel.publish("amq.fanout", "", b"")
    queue.unbind_from(Exchange("amq.fanout"))
    channel.publish("amq.fanout", "", b"")
    assert queue.purge() == 1


def test_a_full_queue_is_not_deleted_if_empty(connection: Connection) -> None:
    queue = Queue("q")
    queue(connection).declare()
    publish(connection.default_channel, "q")
    with pytest.raises(PreconditionFailed):
        queue(connection).delete(if_empty=True)
    assert queue(connection).delete() == 1


def test_queues_are_equal_by_value() -> None:
    assert Queue("q", Exchange("e"), "k") == Queue("q", Exchange("e"), "k")
    assert Queue("q", Exchange("e"), "k") != Queue("q", Exchange("e"), "l")
    assert Queue("q") != "q"
    assert len({Queue("q"), Queue("q")}) == 1


def test_a_pickled_queue_comes_back_unbound_and_without_its_callback(channel: Channel) -> None:
    queue = Queue("q", Exchange("e"), "k", on_declared=print, max_length=3)(channel)
    copy = pickle.loads(pickle.dumps(queue))
    assert copy == queue
    assert (copy.is_bound, copy.exchange.is_bound, copy.on_declared) == (False, False, None)
    assert copy.max_length == 3


def test_a_queue_shows_itself(channel: Channel) -> None:
    queue = Queue("q", Exchange("e"), "k")
    assert repr(queue) == "<unbound Queue q -> Exchange e(direct) -> 'k'>"
    assert "bound to chan:1" in repr(queue(channel))


def test_what_makes_up_a_queue_as_a_dict() -> None:
    queue = Queue("q", [Exchange("e").binding("k")], max_length=3)
    flat, deep = queue.as_dict(), queue.as_dict(recurse=True)
    assert flat["bindings"] == queue.bindings
    assert deep["bindings"][0]["exchange"]["name"] == "e"
    assert deep["max_length"] == 3
    assert Queue("q", Exchange("e")).as_dict(recurse=True)["exchange"]["type"] == "direct"


def test_a_queue_from_a_configuration() -> None:
    queue = Queue.from_dict(
        "q", exchange="e", exchange_type="topic", binding_key="a", routing_key="b", durable=False,
        queue_durable=True, exchange_arguments={"alternate-exchange": "x"}, max_length=3,
    )  # fmt: skip
    assert queue == Queue(
        "q",
        Exchange("e", "topic", durable=False, arguments={"alternate-exchange": "x"}),
        "a",
        durable=True,
    )
    assert queue.max_length == 3
    assert Queue.from_dict("q", exchange="e", routing_key="b").routing_key == "b"
    with pytest.raises(TypeError, match="colour"):
        Queue.from_dict("q", colour="red")


def test_a_declaration_that_may_go_by_itself_is_not_cached() -> None:
    assert Queue("q").can_cache_declaration
    assert not Queue("q", auto_delete=True).can_cache_declaration
    assert not Queue("q", expires=1).can_cache_declaration
    assert not Queue("q", queue_arguments={"x-expires": 1}).can_cache_declaration


def test_a_subclass_sets_defaults() -> None:
    class Temporary(Queue):
        durable = False
        exclusive = True
        exchange = Exchange("e")

    queue = Temporary("q")
    assert (queue.durable, queue.auto_delete, queue.exchange) == (False, True, Exchange("e"))
