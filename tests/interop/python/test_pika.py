"""pika's own ways: a generator of messages, many confirms at once, recover, a channel's prefetch,
limits and what the server tells of itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..needed import needed_module
from .clients.base import TIMEOUT

if TYPE_CHECKING:
    from ..servers import AmqpServer

pika = needed_module("pika")

Name = Callable[[str], str]


def test_a_generator_ends_when_nothing_more_comes(amqp_server: AmqpServer, name: Name) -> None:
    with pika.BlockingConnection(pika.URLParameters(amqp_server.url)) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        for number in range(5):
            channel.basic_publish("", queue, b"%d" % number)
        seen = []
        for method, _properties, body in channel.consume(queue, inactivity_timeout=TIMEOUT):
            seen.append(body)
            channel.basic_ack(method.delivery_tag)
            if len(seen) == 4:
                break
        # The fifth goes back: it was delivered, or is on its way.
        channel.cancel()
        assert seen == [b"0", b"1", b"2", b"3"]
        assert channel.basic_get(queue)[2] == b"4"


def test_recover_delivers_again_what_is_unacked(amqp_server: AmqpServer) -> None:
    with pika.BlockingConnection(pika.URLParameters(amqp_server.url)) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        for number in range(3):
            channel.basic_publish("", queue, b"%d" % number)
        for _ in range(3):
            assert channel.basic_get(queue)[0] is not None
        channel.basic_recover(requeue=True)
        again = [channel.basic_get(queue) for _ in range(3)]
        assert [(body, method.redelivered) for method, _, body in again] == [
            (b"0", True),
            (b"1", True),
            (b"2", True),
        ]
        assert [method.message_count for method, _, _ in again] == [2, 1, 0]


def test_a_global_prefetch_is_shared_by_the_consumers_of_a_channel(
    amqp_server: AmqpServer,
) -> None:
    with pika.BlockingConnection(pika.URLParameters(amqp_server.url)) as connection:
        channel, other = connection.channel(), connection.channel()
        queues = [other.queue_declare("", exclusive=True).method.queue for _ in range(2)]
        for queue in queues:
            for _ in range(3):
                other.basic_publish("", queue, b"")
        channel.basic_qos(prefetch_count=3, global_qos=True)
        tags: list[int] = []

        def on_message(_channel: Any, method: Any, _properties: Any, _body: bytes) -> None:
            tags.append(method.delivery_tag)

        for queue in queues:
            channel.basic_consume(queue, on_message)
        while len(tags) < 3:
            connection.process_data_events(TIMEOUT)
        ready = [other.queue_declare(queue, passive=True).method.message_count for queue in queues]
        assert sum(ready) == 3
        channel.basic_ack(0, multiple=True)
        while len(tags) < 6:
            connection.process_data_events(TIMEOUT)
        assert tags == [1, 2, 3, 4, 5, 6]


def test_a_thousand_messages_in_flight_are_each_confirmed_once(amqp_server: AmqpServer) -> None:
    confirmed: list[int] = []
    last = 0

    def on_confirm(frame: Any) -> None:
        nonlocal last
        assert isinstance(frame.method, pika.spec.Basic.Ack)
        tag = frame.method.delivery_tag
        confirmed.extend(range(last + 1, tag + 1) if frame.method.multiple else [tag])
        last = max(last, tag) if frame.method.multiple else last
        if len(set(confirmed)) == 1000:
            connection.close()

    def on_queue(channel: Any, frame: Any) -> None:
        channel.confirm_delivery(on_confirm)
        for _ in range(1000):
            channel.basic_publish("", frame.method.queue, b"x" * 100)

    def on_channel(channel: Any) -> None:
        channel.queue_declare("", exclusive=True, callback=lambda frame: on_queue(channel, frame))

    connection = pika.SelectConnection(
        pika.URLParameters(amqp_server.url),
        on_open_callback=lambda opened: opened.channel(on_open_callback=on_channel),
        on_close_callback=lambda closed, _reason: closed.ioloop.stop(),
    )
    connection.ioloop.call_later(TIMEOUT, connection.ioloop.stop)
    connection.ioloop.start()
    assert set(confirmed) == set(range(1, 1001))


def test_both_sides_agree_on_limits_and_heartbeats(amqp_server: AmqpServer) -> None:
    url = f"{amqp_server.url}%2F?frame_max=8192&channel_max=3&heartbeat=7"
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        tuned = connection._impl.params
        assert (tuned.frame_max, tuned.channel_max, tuned.heartbeat) == (8192, 3, 7)
        channels = [connection.channel() for _ in range(3)]
        queue = channels[0].queue_declare("", exclusive=True).method.queue
        body = bytes(range(256)) * 100
        channels[1].confirm_delivery()
        channels[1].basic_publish("", queue, body)
        assert channels[0].basic_get(queue, auto_ack=True)[2] == body


def test_the_server_tells_its_product_and_what_it_can(amqp_server: AmqpServer) -> None:
    with pika.BlockingConnection(pika.URLParameters(amqp_server.url)) as connection:
        said = connection._impl.server_properties
        assert (said["product"], said["version"]) == ("RabbitMQ", "3.10.8")
        assert sorted(said["capabilities"]) == [
            "authentication_failure_close",
            "basic.nack",
            "connection.blocked",
            "consumer_cancel_notify",
            "consumer_priorities",
            "direct_reply_to",
            "exchange_exchange_bindings",
            "per_consumer_qos",
            "publisher_confirms",
        ]
        assert all(said["capabilities"].values())


def test_a_secret_can_be_updated(amqp_server: AmqpServer) -> None:
    with pika.BlockingConnection(pika.URLParameters(amqp_server.url)) as connection:
        connection.update_secret("guest", "it was old")
        assert connection.channel().is_open
