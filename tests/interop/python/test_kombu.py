"""Kombu's own ways: retries over a restart, a consumer that reconnects, simple queues and pools."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..needed import needed_module
from .clients.base import TIMEOUT

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..servers import AmqpServer

kombu = needed_module("kombu")
mixins = needed_module("kombu.mixins")
pools = needed_module("kombu.pools")

Name = Callable[[str], str]


def reconnecting(connection: Any, queue: Any) -> Any:
    """A consumer as Kombu's documentation has it, which stops after the message "stop"."""

    def on_message(consumer: Any, body: str, message: Any) -> None:
        consumer.seen.append(body)
        message.ack()
        if body == "first":
            # An ack is not answered: after this answer the server has it, whatever is cut.
            message.channel.basic_qos(0, 0, False)
            consumer.has_first.set()
        if body == "stop":
            consumer.should_stop = True

    def get_consumers(consumer: Any, make: Callable[..., Any], _channel: Any) -> list[Any]:
        return [make([queue], callbacks=[lambda *args: on_message(consumer, *args)])]

    kind = type(
        "Reconnecting", (mixins.ConsumerMixin,), {"get_consumers": get_consumers, "seen": []}
    )
    consumer = kind()
    consumer.connection, consumer.has_first = connection, threading.Event()
    return consumer


def test_a_consumer_reconnects_and_goes_on_after_a_cut(
    amqp_server: AmqpServer, proxy: Proxy, name: Name
) -> None:
    url = amqp_server.url.replace(str(amqp_server.port), str(proxy.port))
    queue = kombu.Queue(name("queue"), durable=False)
    with (
        kombu.Connection(f"{url}/") as connection,
        kombu.Connection(f"{amqp_server.url}/") as other,
    ):
        consumer = reconnecting(connection, queue)
        thread = threading.Thread(target=consumer.run, daemon=True)
        thread.start()
        producer = other.Producer(serializer="json")
        producer.publish("first", routing_key=queue.name, declare=[queue])
        assert consumer.has_first.wait(TIMEOUT)
        proxy.cut()
        producer.publish("stop", routing_key=queue.name)
        thread.join(TIMEOUT)
        assert not thread.is_alive()
        assert consumer.seen == ["first", "stop"]
        queue(other.default_channel).delete()


def test_a_publish_is_tried_again_until_the_server_is_back(
    fresh_amqp_server: AmqpServer, name: Name
) -> None:
    queue = kombu.Queue(name("queue"))
    options = {"confirm_publish": True}
    with kombu.Connection(f"{fresh_amqp_server.url}/", transport_options=options) as connection:
        producer = connection.Producer()
        producer.publish({"number": 1}, routing_key=queue.name, declare=[queue])
        fresh_amqp_server.kill()
        back = threading.Thread(target=fresh_amqp_server.start)
        policy = {"interval_start": 0.05, "interval_step": 0, "max_retries": 200}
        tried = []
        back.start()
        producer.publish(
            {"number": 2},
            routing_key=queue.name,
            declare=[queue],
            retry=True,
            retry_policy={**policy, "errback": lambda error, _interval: tried.append(error)},
        )
        back.join(TIMEOUT)
        with connection.SimpleQueue(queue) as simple:
            for number in (1, 2):
                message = simple.get(timeout=TIMEOUT)
                assert message.payload == {"number": number}
                message.ack()


def test_a_simple_queue_puts_and_gets_with_every_serializer(
    amqp_server: AmqpServer, name: Name
) -> None:
    serializers = ["json", "yaml", "msgpack", "pickle"]
    value = {"text": "naïve", "numbers": [1, 2.5, None, True]}
    with kombu.Connection(f"{amqp_server.url}/") as connection:
        simple = connection.SimpleQueue(name("queue"), accept=serializers)
        for serializer in serializers:
            for compression in (None, "zlib", "bzip2"):
                simple.put(value, serializer=serializer, compression=compression)
        for _ in range(12):
            message = simple.get(timeout=TIMEOUT)
            assert message.payload == value
            message.ack()
        assert simple.qsize() == 0
        simple.close()
        simple.queue(connection.default_channel).delete()


def test_producers_of_a_pool_share_connections(amqp_server: AmqpServer, name: Name) -> None:
    queue = kombu.Queue(name("queue"), durable=False)
    connection = kombu.Connection(f"{amqp_server.url}/")
    producers = pools.Producers(limit=2)
    for number in range(5):
        with producers[connection].acquire(block=True, timeout=TIMEOUT) as producer:
            producer.publish({"number": number}, routing_key=queue.name, declare=[queue])
    with kombu.Connection(f"{amqp_server.url}/") as reader:
        got = [queue(reader.default_channel).get(no_ack=True) for _ in range(5)]
        assert [message.payload["number"] for message in got] == [0, 1, 2, 3, 4]
        queue(reader.default_channel).delete()
    producers[connection].force_close_all()
    connection.release()
