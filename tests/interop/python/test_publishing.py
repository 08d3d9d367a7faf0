"""Every library: what is published reaches the queues that are bound, and the publisher hears of
it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from .clients.base import ChannelClosed

if TYPE_CHECKING:
    from ..servers import AmqpServer
    from .conftest import Connect

Name = Callable[[str], str]


def test_a_message_takes_the_way_from_exchange_to_exchange_to_queue(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    channel = connect(amqp_server.url).channel()
    outer, inner, queue = name("outer"), name("inner"), name("queue")
    channel.declare_exchange(outer, "topic", None)
    channel.declare_exchange(inner, "direct", None)
    channel.declare_queue(queue, exclusive=True)
    channel.bind_exchange(inner, outer, "orders.#")
    channel.bind_queue(queue, inner, "orders.new")
    for key in ("orders.new", "orders.old", "invoices.new"):
        channel.publish(outer, key, key.encode())
    message = channel.get(queue)
    assert message is not None
    assert (message.exchange, message.key, message.body) == (outer, "orders.new", b"orders.new")
    assert not message.redelivered
    assert channel.get(queue) is None
    channel.delete_exchange(outer)
    channel.delete_exchange(inner)


def test_a_headers_exchange_compares_what_the_binding_says(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    channel = connect(amqp_server.url).channel()
    exchange, queue = name("headers"), name("queue")
    channel.declare_exchange(exchange, "headers", None)
    channel.declare_queue(queue, exclusive=True)
    channel.bind_queue(queue, exchange, "", {"x-match": "all", "kind": "order", "size": 3})
    channel.publish(exchange, "", b"both", {"headers": {"kind": "order", "size": 3}})
    channel.publish(exchange, "", b"one", {"headers": {"kind": "order"}})
    message = channel.get(queue)
    assert message is not None
    assert message.body == b"both"
    assert channel.get(queue) is None
    channel.delete_exchange(exchange)


def test_an_unroutable_message_takes_the_alternate_exchange(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    channel = connect(amqp_server.url).channel()
    first, second, queue = name("first"), name("second"), name("queue")
    channel.declare_exchange(second, "fanout", None)
    channel.declare_exchange(first, "direct", {"alternate-exchange": second})
    channel.declare_queue(queue, exclusive=True)
    channel.bind_queue(queue, second, "")
    assert channel.publish(first, "nowhere", b"lost", mandatory=True) is None
    message = channel.get(queue)
    assert message is not None
    assert (message.exchange, message.body) == (first, b"lost")
    channel.delete_exchange(first)
    channel.delete_exchange(second)


def test_each_of_many_messages_is_confirmed_and_kept_in_order(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    channel = connect(amqp_server.url).channel()
    queue = channel.declare_queue(name("queue"), exclusive=True).name
    for number in range(20):
        assert channel.publish("", queue, b"%d" % number, mandatory=True) is None
    channel.consume(queue, no_ack=True)
    assert [channel.receive().body for _ in range(20)] == [b"%d" % n for n in range(20)]


def test_a_mandatory_message_that_no_queue_takes_comes_back(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    channel = connect(amqp_server.url).channel()
    key = name("no-queue")
    returned = channel.publish("", key, b"back", mandatory=True)
    assert returned is not None
    assert (returned.code, returned.exchange, returned.key) == (312, "", key)
    assert returned.body in {b"back", None}
    assert channel.publish("", key, b"dropped") is None


def test_what_a_transaction_publishes_is_there_after_the_commit_only(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    connection = connect(amqp_server.url)
    channel, other = connection.channel(confirms=False), connection.channel()
    queue = channel.declare_queue(name("queue"), exclusive=True).name
    channel.tx_select()
    channel.publish("", queue, b"forgotten")
    channel.tx_rollback()
    channel.publish("", queue, b"kept")
    assert other.look_at_queue(queue).messages == 0
    channel.tx_commit()
    assert other.look_at_queue(queue).messages == 1
    message = channel.get(queue)
    assert message is not None
    assert message.body == b"kept"
    channel.ack(message.tag)
    channel.tx_rollback()
    channel.nack(message.tag, requeue=True)
    channel.tx_commit()
    again = other.get(queue)
    assert again is not None
    assert again.redelivered


def test_a_channel_cannot_be_transactional_and_confirm(
    connect: Connect, amqp_server: AmqpServer
) -> None:
    channel = connect(amqp_server.url).channel(confirms=False)
    channel.tx_select()
    with pytest.raises(ChannelClosed, match="cannot switch from tx to confirm mode") as caught:
        channel.confirm()
    assert caught.value.code == 406


def test_purge_and_delete_say_how_many_messages_there_were(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    channel = connect(amqp_server.url).channel()
    queue = channel.declare_queue(name("queue")).name
    for _ in range(3):
        channel.publish("", queue, b"purged")
    assert channel.purge_queue(queue) == 3
    assert channel.purge_queue(queue) == 0
    channel.publish("", queue, b"deleted")
    assert channel.delete_queue(queue) == 1
    assert channel.delete_queue(queue) == 0


def test_the_server_chooses_a_name_for_a_queue_without_one(
    connect: Connect, amqp_server: AmqpServer
) -> None:
    channel = connect(amqp_server.url).channel()
    queue = channel.declare_queue("", exclusive=True).name
    assert queue.startswith("amq.gen-")
    channel.publish("", queue, b"found")
    message = channel.get(queue)
    assert message is not None
    assert message.body == b"found"
