"""Publishing, confirming and consuming on RabbitMQ in this process, by our client and by pika."""

from __future__ import annotations

from importlib import import_module
from itertools import count
from typing import Any

import minibroker_client

__all__ = ["Ours", "Pika", "WindowedPika"]

BODY = b"x" * 100
PREFETCH = 100
WINDOW = 100
_numbers = count(1)
pika: Any = import_module("pika")  # it has no types


class Ours:
    """minibroker_client over `amqp://`."""

    def __init__(self, url: str, *, window: int = 0) -> None:
        self.queue = f"one-process-{next(_numbers)}"
        options = {"confirm_publish": bool(window), "confirm_window": window}
        self._connection = minibroker_client.Connection(url, transport_options=options)
        channel = self._connection.channel()
        self._declared = minibroker_client.Queue(self.queue, durable=False)(channel)
        self._declared.declare()
        self._publish = self._connection.Producer(channel).publish
        self._consumer = self._connection.Consumer(
            self._declared, channel=channel, callbacks=[self._take]
        )
        self._got = 0

    def fill(self, number: int) -> None:
        """Publish, until the broker has it all."""
        for _ in range(number):
            self._publish(BODY, routing_key=self.queue, delivery_mode=1)
        self._connection.wait_for_confirms()
        self._declared.queue_declare(passive=True)

    def _take(self, _: Any, message: Any) -> None:
        message.ack()
        self._got += 1

    def empty(self, number: int) -> None:
        """Consume and ack each."""
        self._got = 0
        self._consumer.qos(prefetch_count=PREFETCH)
        with self._consumer:
            while self._got < number:
                self._connection.drain_events(timeout=60)
        self._declared.queue_declare(passive=True)

    def purge(self) -> None:
        """Remove everything."""
        self._declared.purge()

    def close(self) -> None:
        """Delete the queue and disconnect."""
        self._declared.delete()
        self._connection.close()


class Pika:
    """pika's BlockingConnection."""

    def __init__(self, url: str) -> None:
        self.queue = f"one-process-{next(_numbers)}"
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()
        self._channel.queue_declare(self.queue)
        self._got = 0

    def fill(self, number: int) -> None:
        """Publish, until the broker has it all."""
        publish = self._channel.basic_publish
        for _ in range(number):
            publish("", self.queue, BODY)
        self._channel.queue_declare(self.queue, passive=True)

    def _take(self, channel: Any, method: Any, *_: Any) -> None:
        channel.basic_ack(method.delivery_tag)
        self._got += 1

    def empty(self, number: int) -> None:
        """Consume and ack each."""
        self._got = 0
        self._channel.basic_qos(prefetch_count=PREFETCH)
        tag = self._channel.basic_consume(self.queue, self._take)
        while self._got < number:
            self._connection.process_data_events(time_limit=60)
        self._channel.basic_cancel(tag)
        self._channel.queue_declare(self.queue, passive=True)

    def purge(self) -> None:
        """Remove everything."""
        self._channel.queue_purge(self.queue)

    def close(self) -> None:
        """Delete the queue and disconnect."""
        self._channel.queue_delete(self.queue)
        self._connection.close()


class WindowedPika:
    """pika's SelectConnection, with 100 publishes unconfirmed at the most."""

    def __init__(self, url: str) -> None:
        self.queue = f"one-process-{next(_numbers)}"
        self._left = self._sent = self._confirmed = 0
        self._connection = pika.SelectConnection(
            pika.URLParameters(url), on_open_callback=self._opened
        )
        self._channel: Any = None
        self._connection.ioloop.start()

    def _opened(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._channel_open)

    def _channel_open(self, channel: Any) -> None:
        self._channel = channel
        channel.confirm_delivery(self._answered, callback=self._selected)

    def _selected(self, _: Any) -> None:
        self._channel.queue_declare(self.queue, callback=self._stop)

    def _stop(self, _: Any) -> None:
        self._connection.ioloop.stop()

    def _answered(self, frame: Any) -> None:
        method = frame.method
        self._confirmed = method.delivery_tag if method.multiple else self._confirmed + 1
        self._send()
        if not self._left and self._confirmed >= self._sent:
            self._connection.ioloop.stop()

    def _send(self) -> None:
        while self._left and self._sent - self._confirmed < WINDOW:
            self._channel.basic_publish("", self.queue, BODY)
            self._left -= 1
            self._sent += 1

    def fill(self, number: int) -> None:
        """Publish, until all is confirmed."""
        self._left = number
        self._send()
        self._connection.ioloop.start()

    def purge(self) -> None:
        """Remove everything."""
        self._channel.queue_purge(self.queue, callback=self._stop)
        self._connection.ioloop.start()

    def close(self) -> None:
        """Disconnect."""
        self._connection.add_on_close_callback(lambda *_: self._connection.ioloop.stop())
        self._connection.close()
        self._connection.ioloop.start()
        self._connection.ioloop.close()
