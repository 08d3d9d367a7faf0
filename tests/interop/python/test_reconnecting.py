"""Every library: it notices that a connection ended, and what was promised is there on the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..servers import AmqpServer
    from .conftest import Connect

Name = Callable[[str], str]

PERSISTENT = {"delivery_mode": 2}


def test_after_a_cut_connection_unacked_messages_come_again(
    amqp_server: AmqpServer, proxy: Proxy, connect: Connect, name: Name
) -> None:
    url = amqp_server.url.replace(str(amqp_server.port), str(proxy.port))
    connection = connect(url)
    channel = connection.channel()
    queue = channel.declare_queue(name("queue")).name
    channel.publish("", queue, b"kept")
    channel.consume(queue)
    assert channel.receive().body == b"kept"
    proxy.cut()
    connection.wait_lost()
    again = connect(url).channel()
    again.consume(queue)
    message = again.receive()
    assert (message.body, message.redelivered) == (b"kept", True)
    again.ack(message.tag)
    again.delete_queue(queue)


def test_a_killed_server_has_what_it_confirmed_when_it_is_started_again(
    fresh_amqp_server: AmqpServer, connect: Connect, name: Name
) -> None:
    connection = connect(fresh_amqp_server.url)
    channel = connection.channel()
    queue = channel.declare_queue(name("queue"), durable=True).name
    for number in range(10):
        channel.publish("", queue, b"%d" % number, PERSISTENT)
    first = channel.get(queue)
    assert first is not None
    fresh_amqp_server.kill()
    connection.wait_lost()
    fresh_amqp_server.start()
    again = connect(fresh_amqp_server.url).channel()
    again.consume(queue)
    bodies = []
    for _ in range(10):
        message = again.receive()
        bodies.append(message.body)
        again.ack(message.tag)
    assert bodies == [b"%d" % number for number in range(10)]
    assert again.look_at_queue(queue).messages == 0


def test_a_server_that_is_stopped_says_goodbye(
    fresh_amqp_server: AmqpServer, connect: Connect
) -> None:
    connection = connect(fresh_amqp_server.url)
    connection.channel()
    fresh_amqp_server.tell_to_stop()
    lost = connection.wait_lost()
    assert lost.code == 320
    assert (
        "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'" in lost.text
    )
    connection.close()
    assert fresh_amqp_server.stop() == 0
