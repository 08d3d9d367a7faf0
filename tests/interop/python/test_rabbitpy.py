"""rabbitpy's own ways: functions that do everything at once, a generator of messages, and
transactions as blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ..needed import needed_module

if TYPE_CHECKING:
    from ..servers import AmqpServer

rabbitpy = needed_module("rabbitpy")

Name = Callable[[str], str]


def test_functions_without_a_connection_publish_and_get(
    amqp_server: AmqpServer, name: Name
) -> None:
    url, queue, exchange = f"{amqp_server.url}%2f", name("queue"), name("exchange")
    rabbitpy.create_queue(url, queue, durable=False)
    rabbitpy.create_topic_exchange(url, exchange, durable=False)
    rabbitpy.publish(url, "", queue, {"number": 1}, confirm=True)
    message = rabbitpy.get(url, queue)
    assert message is not None
    assert (message.json(), message.properties["content_type"]) == (
        {"number": 1},
        "application/json",
    )
    assert rabbitpy.get(url, queue) is None
    rabbitpy.delete_queue(url, queue)
    rabbitpy.delete_exchange(url, exchange)


def test_a_generator_gives_one_message_after_the_other(amqp_server: AmqpServer, name: Name) -> None:
    with (
        rabbitpy.Connection(f"{amqp_server.url}%2f") as connection,
        connection.channel() as channel,
    ):
        queue = rabbitpy.Queue(channel, name("queue"), exclusive=True)
        queue.declare()
        for number in range(5):
            rabbitpy.Message(channel, str(number)).publish("", queue.name)
        seen = []
        for message in queue.consume(prefetch=1):
            seen.append(bytes(message.body))
            message.ack()
            if len(seen) == 5:
                break
        assert seen == [b"0", b"1", b"2", b"3", b"4"]


def test_a_transaction_is_committed_unless_its_block_fails(
    amqp_server: AmqpServer, name: Name
) -> None:
    with (
        rabbitpy.Connection(f"{amqp_server.url}%2f") as connection,
        connection.channel() as channel,
    ):
        queue = rabbitpy.Queue(channel, name("queue"), exclusive=True)
        queue.declare()
        with rabbitpy.Tx(channel):
            rabbitpy.Message(channel, "kept").publish("", queue.name)
        with suppress(ZeroDivisionError), rabbitpy.Tx(channel):
            rabbitpy.Message(channel, "forgotten").publish("", queue.name)
            raise ZeroDivisionError
        assert len(queue) == 1
