"""Every library: deliveries within the prefetch, settled one way or the other, and the end of
consumers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .clients.base import Channel

if TYPE_CHECKING:
    from ..servers import AmqpServer
    from .conftest import Connect

Name = Callable[[str], str]

REPLIES = "amq.rabbitmq.reply-to"


def filled(channel: Channel, queue: str, *bodies: bytes) -> None:
    for body in bodies:
        channel.publish("", queue, body)


def test_no_more_messages_are_unacked_than_the_prefetch_allows(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    connection = connect(amqp_server.url)
    channel, other = connection.channel(), connection.channel()
    queue = other.declare_queue(name("queue")).name
    filled(other, queue, *(b"%d" % n for n in range(6)))
    channel.prefetch(2)
    consumer = channel.consume(queue)
    first, second = channel.receive(), channel.receive()
    assert (first.body, second.body) == (b"0", b"1")
    assert other.look_at_queue(queue).messages == 4
    channel.ack(first.tag)
    third = channel.receive()
    assert third.body == b"2"
    assert other.look_at_queue(queue).messages == 3
    channel.ack(third.tag, multiple=True)
    assert [channel.receive().body for _ in range(2)] == [b"3", b"4"]
    assert other.look_at_queue(queue).messages == 1
    channel.cancel(consumer)
    assert other.look_at_queue(queue).consumers == 0
    other.delete_queue(queue)


def test_a_requeued_message_comes_again_at_its_place_and_says_so(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    channel = connect(amqp_server.url).channel()
    queue = channel.declare_queue(name("queue"), exclusive=True).name
    filled(channel, queue, b"first", b"second", b"third")
    channel.prefetch(2)
    channel.consume(queue)
    first, second = channel.receive(), channel.receive()
    assert not first.redelivered
    channel.nack(second.tag, requeue=True, multiple=True)
    again = [channel.receive(), channel.receive()]
    assert [(each.body, each.redelivered) for each in again] == [
        (b"first", True),
        (b"second", True),
    ]
    channel.reject(again[1].tag, requeue=True)
    once_more = channel.receive()
    assert (once_more.body, once_more.redelivered) == (b"second", True)
    channel.ack(again[0].tag)
    last = channel.receive()
    assert (last.body, last.redelivered) == (b"third", False)


def test_a_rejected_message_is_dead_lettered_with_its_history(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    connection = connect(amqp_server.url)
    channel, worker = connection.channel(), connection.channel()
    exchange, work, dead = name("dlx"), name("work"), name("dead")
    channel.declare_exchange(exchange, "direct", None)
    channel.declare_queue(dead, exclusive=True)
    channel.bind_queue(dead, exchange, "gone")
    arguments = {"x-dead-letter-exchange": exchange, "x-dead-letter-routing-key": "gone"}
    channel.declare_queue(work, exclusive=True, arguments=arguments)
    filled(channel, work, b"bad", b"worse")
    channel.consume(dead)
    for refuse in (worker.reject, worker.nack):
        message = worker.get(work)
        assert message is not None
        refuse(message.tag, requeue=False)
        died = channel.receive()
        assert (died.body, died.exchange, died.key) == (message.body, exchange, "gone")
        (death,) = died.headers["x-death"]
        assert (death["queue"], death["reason"], death["count"]) == (work, "rejected", 1)
        assert (death["exchange"], death["routing-keys"]) == ("", [work])
        assert died.headers["x-first-death-queue"] == work
        channel.ack(died.tag)
    channel.delete_exchange(exchange)


def test_an_expired_message_is_dead_lettered_without_its_expiration(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    channel = connect(amqp_server.url).channel()
    dead = channel.declare_queue(name("dead"), exclusive=True).name
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
    work = channel.declare_queue(name("work"), exclusive=True, arguments=arguments).name
    channel.consume(dead, no_ack=True)
    channel.publish("", work, b"late", {"expiration": "1"})
    died = channel.receive()
    assert died.body == b"late"
    assert "expiration" not in died.properties
    (death,) = died.headers["x-death"]
    assert (death["reason"], death["original-expiration"]) == ("expired", "1")


def test_a_consumer_hears_that_its_queue_was_deleted(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    channel, other = connect(amqp_server.url).channel(), connect(amqp_server.url).channel()
    queue = channel.declare_queue(name("queue")).name
    consumer = channel.consume(queue)
    assert other.delete_queue(queue) == 0
    assert channel.wait_cancelled() == consumer


def test_messages_of_a_channel_that_closes_go_back_to_their_queue(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    connection = connect(amqp_server.url)
    channel, other = connection.channel(), connection.channel()
    queue = other.declare_queue(name("queue"), exclusive=True).name
    filled(other, queue, b"back")
    message = channel.get(queue)
    assert message is not None
    assert not message.redelivered
    channel.close()
    again = other.get(queue)
    assert again is not None
    assert (again.body, again.redelivered) == (b"back", True)


def test_a_higher_priority_is_delivered_first(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    channel = connect(amqp_server.url).channel()
    arguments = {"x-max-priority": 10}
    queue = channel.declare_queue(name("queue"), exclusive=True, arguments=arguments).name
    for priority in (1, 9, 5):
        channel.publish("", queue, b"%d" % priority, {"priority": priority})
    channel.consume(queue, no_ack=True)
    assert [channel.receive().body for _ in range(3)] == [b"9", b"5", b"1"]


def test_a_caller_gets_its_answer_through_direct_reply_to(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    caller = connect(amqp_server.url).channel()
    worker = connect(amqp_server.url).channel()
    queue = worker.declare_queue(name("questions"), exclusive=True).name
    worker.consume(queue)
    caller.consume(REPLIES, no_ack=True)
    for number in range(3):
        call = {"reply_to": REPLIES, "correlation_id": f"call-{number}"}
        caller.publish("", queue, b"%d" % number, call)
        question = worker.receive()
        address = question.properties["reply_to"]
        assert address.startswith(REPLIES + ".")
        answer = {"correlation_id": question.properties["correlation_id"]}
        worker.publish("", address, question.body * 2, answer)
        worker.ack(question.tag)
        reply = caller.receive()
        assert reply.body == b"%d%d" % (number, number)
        assert reply.properties["correlation_id"] == f"call-{number}"
