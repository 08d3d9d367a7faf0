"""Every library: the server's reply codes arrive as the library's errors, and only the channel or
connection that is to blame closes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from .clients.base import ChannelClosed, ConnectionLost

if TYPE_CHECKING:
    from ..servers import AmqpServer
    from .conftest import Connect

Name = Callable[[str], str]


def test_a_channel_error_closes_that_channel_and_another_can_be_opened(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    connection = connect(amqp_server.url)
    unharmed = connection.channel()
    queue = unharmed.declare_queue(name("queue"), exclusive=True).name
    for _ in range(3):
        channel = connection.channel()
        with pytest.raises(ChannelClosed, match="no queue '.*missing.*' in vhost '/'") as caught:
            channel.look_at_queue(name("missing"))
        assert caught.value.code == 404
    assert connection.channel().look_at_queue(queue).name == queue
    assert unharmed.look_at_queue(queue).name == queue


def test_an_exclusive_queue_is_locked_for_other_connections(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    owner = connect(amqp_server.url)
    queue = owner.channel().declare_queue(name("queue"), exclusive=True).name
    other = connect(amqp_server.url)
    with pytest.raises(ChannelClosed, match="cannot obtain exclusive access") as caught:
        other.channel().look_at_queue(queue)
    assert caught.value.code == 405
    owner.close()
    with pytest.raises(ChannelClosed) as caught:
        other.channel().look_at_queue(queue)
    assert caught.value.code == 404


def test_a_queue_cannot_be_declared_again_in_another_way(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    connection = connect(amqp_server.url)
    queue = connection.channel().declare_queue(name("queue"), exclusive=True).name
    with pytest.raises(ChannelClosed, match="inequivalent arg 'x-message-ttl' for") as caught:
        connection.channel().declare_queue(queue, exclusive=True, arguments={"x-message-ttl": 9})
    assert caught.value.code == 406


def test_an_exchange_that_does_not_exist_closes_the_channel_later(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    connection = connect(amqp_server.url)
    channel = connection.channel(confirms=False)
    channel.publish(name("missing"), "", b"")
    with pytest.raises(ChannelClosed, match="no exchange '.*missing.*' in vhost '/'") as caught:
        channel.declare_queue("", exclusive=True)
    assert caught.value.code == 404
    assert connection.channel().declare_queue("", exclusive=True).messages == 0


def test_a_delivery_that_was_not_made_cannot_be_acknowledged(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    connection = connect(amqp_server.url)
    channel = connection.channel()
    queue = channel.declare_queue(name("queue"), exclusive=True).name
    channel.publish("", queue, b"")
    channel.consume(queue)
    assert channel.receive().tag == 1
    channel.ack(99)
    with pytest.raises(ChannelClosed, match="unknown delivery tag 99") as caught:
        channel.look_at_queue(queue)
    assert caught.value.code == 406


def test_an_unknown_type_of_exchange_ends_the_connection(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    unharmed = connect(amqp_server.url).channel()
    channel = connect(amqp_server.url).channel()
    with pytest.raises(ConnectionLost, match="unknown exchange type 'odd'") as caught:
        channel.declare_exchange(name("exchange"), "odd", None)
    assert caught.value.code == 503
    assert unharmed.declare_queue("", exclusive=True).messages == 0


def test_a_wrong_password_is_refused(connect: Connect, amqp_server: AmqpServer) -> None:
    refused = r"ACCESS_REFUSED - Login was refused using authentication mechanism (AMQ)?PLAIN\."
    with pytest.raises(ConnectionLost, match=refused):
        connect(amqp_server.url.replace("guest:guest", "guest:wrong"))


def test_an_unknown_virtual_host_is_refused(connect: Connect, amqp_server: AmqpServer) -> None:
    # aiormq says only which method it did not expect.
    refused = r"NOT_ALLOWED - vhost nowhere not found|got <Connection\.Close"
    with pytest.raises(ConnectionLost, match=refused):
        connect(f"{amqp_server.url}nowhere")
