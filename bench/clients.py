"""One client of either library: the same code with the same arguments, for ours and for Kombu's.

Knows nothing of time or comparing.
"""

from __future__ import annotations

from itertools import count
from typing import Any, TypeAlias

import kombu

import minibroker_client

__all__ = ["KOMBU", "OURS", "Client", "Library"]

Library: TypeAlias = Any
"""A module that has Kombu's names."""

OURS: Library = minibroker_client
KOMBU: Library = kombu

_numbers = count(1)


class Client:
    """A connection to `memory://` with a producer, and a consumer whose callback acks.

    It has an exchange, and `queues` queues bound to it, all with names that nobody else has.
    """

    def __init__(self, library: Library, exchange_type: str = "direct", queues: int = 1) -> None:
        self.name = f"bench-{next(_numbers)}"
        self.received = 0
        self.connection = library.Connection(f"memory://{self.name}")
        self.channel = self.connection.channel()
        self.exchange = library.Exchange(self.name, type=exchange_type)(self.channel)
        self.exchange.declare()
        self.queues = [
            library.Queue(f"{self.name}-{number}", self.exchange, routing_key="key")(self.channel)
            for number in range(queues)
        ]
        for queue in self.queues:
            queue.declare()
        self.producer = library.Producer(self.channel, self.exchange, routing_key="key")
        self.consumer = library.Consumer(
            self.channel, self.queues, callbacks=[self.on_message], accept=["json"]
        )

    def on_message(self, _body: Any, message: Any) -> None:
        """What a consumer does at the least."""
        message.ack()
        self.received += 1

    def consume(self, prefetch: int | None = None) -> Client:
        """Start the consumer; returns the client itself."""
        if prefetch is not None:
            self.consumer.qos(prefetch_count=prefetch)
        self.consumer.consume()
        return self

    def one_by_one(self, number: int, body: Any, **arguments: Any) -> None:
        """Publish a message and drain until each queue has handed it out, `number` times."""
        publish, drain = self.producer.publish, self.connection.drain_events
        copies = len(self.queues)
        expected = self.received + number * copies
        for _ in range(number):
            publish(body, **arguments)
            for _ in range(copies):
                drain(timeout=1)
        assert self.received == expected

    def in_batches(self, number: int, size: int, body: Any) -> None:
        """Publish `size` messages, then drain them; `number` in all."""
        publish, drain = self.producer.publish, self.connection.drain_events
        expected = self.received + number
        for start in range(0, number, size):
            batch = range(min(size, number - start))
            for _ in batch:
                publish(body)
            for _ in batch:
                drain(timeout=1)
        assert self.received == expected

    def fetch(self, number: int, body: Any) -> None:
        """Publish a message, get it and ack it, `number` times."""
        publish, get = self.producer.publish, self.queues[0].get
        for _ in range(number):
            publish(body)
            get().ack()

    def fill(self, bodies: Any) -> None:
        """Publish messages that stay."""
        publish = self.producer.publish
        for body in bodies:
            publish(body)

    def purge(self) -> None:
        """Empty all queues."""
        for queue in self.queues:
            queue.purge()

    def close(self) -> None:
        """Delete what it declared, and disconnect."""
        for queue in self.queues:
            queue.delete()
        self.exchange.delete()
        self.connection.close()
