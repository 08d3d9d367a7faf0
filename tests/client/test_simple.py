from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker_client import Connection, Exchange, Queue
from minibroker_client.exceptions import ContentDisallowed, NotFound
from minibroker_client.simple import SimpleQueue

if TYPE_CHECKING:
    from minibroker import Broker


def test_what_is_put_can_be_got_and_acked(connection: Connection) -> None:
    with connection.SimpleQueue("s") as queue:
        queue.put({"a": 1})
        queue.put("two", serializer="msgpack", headers={"h": 1}, compression="zlib", priority=1)
        assert queue.qsize() == len(queue) == 2
        one, two = queue.get(timeout=0), queue.get()
        assert (one.payload, two.payload, two.headers["h"]) == ({"a": 1}, "two", 1)
        one.ack()
        two.requeue()
        again = queue.get(timeout=0)
        assert (again.payload, again.delivery_info["redelivered"]) == ("two", True)


def test_an_empty_queue_says_so(connection: Connection) -> None:
    queue = connection.SimpleQueue("s")
    for get in (
        queue.get_nowait,
        lambda: queue.get(block=False),
        lambda: queue.get(timeout=0),
        lambda: queue.get(timeout=0.001),
    ):
        with pytest.raises(queue.Empty):
            get()
    assert queue


def test_what_was_delivered_already_is_got_without_waiting(connection: Connection) -> None:
    queue = connection.SimpleQueue("s")
    with pytest.raises(queue.Empty):
        queue.get(timeout=0)
    queue.put(1)
    connection.drain_events(timeout=0)
    assert queue.get_nowait().payload == 1


def test_it_is_durable_with_an_exchange_of_its_own(connection: Connection) -> None:
    connection.SimpleQueue("s", queue_args={"x-max-length": 5}).put(1)
    channel = connection.channel()
    channel.declare_queue("s", durable=True, arguments={"x-max-length": 5})
    channel.declare_exchange("s", "direct", durable=True)


def test_clear_removes_what_is_ready(connection: Connection) -> None:
    queue = connection.SimpleQueue("s")
    queue.put(1)
    queue.put(2)
    assert queue.clear() == 2
    assert queue.qsize() == 0


def test_a_queue_may_be_given(connection: Connection) -> None:
    given = Queue("q", Exchange("e", "topic"), "a.b")
    queue = connection.SimpleQueue(given)
    queue.put(1)
    message = queue.get(timeout=0)
    assert message.delivery_info["exchange"] == "e"
    assert message.delivery_info["routing_key"] == "a.b"


def test_a_given_queue_without_an_exchange_is_reached_by_its_name(connection: Connection) -> None:
    for given in (Queue("q"), Queue("q", [Exchange("e").binding("k")])):
        queue = SimpleQueue(connection, given)
        queue.put(1)
        assert queue.get_nowait().payload == 1


def test_options_are_passed_on(connection: Connection) -> None:
    queue = connection.SimpleQueue(
        "s", no_ack=True, queue_opts={"durable": False, "exclusive": True},
        exchange_opts={"type": "fanout"}, accept=["json"], serializer="msgpack",
    )  # fmt: skip
    queue.put([1])
    message = queue.get_nowait()
    assert message.acknowledged
    with pytest.raises(ContentDisallowed):
        message.decode()


def test_a_buffer_lives_as_long_as_its_connection(broker: Broker) -> None:
    with Connection(broker) as connection:
        buffer = connection.SimpleBuffer("b")
        buffer.put([1])
        message = buffer.get(timeout=0)
        assert (message.payload, message.acknowledged) == ([1], True)
        assert message.properties["delivery_mode"] == 1
        buffer.put([2])
    with Connection(broker) as connection, pytest.raises(NotFound):
        connection.channel().declare_queue("b", passive=True)
