"""One program that publishes to a system and consumes there: with our client, with Kombu, or with
the system's own library.

Each has a queue that nobody else has. What it sends is numbered, so that what arrives can be told.
Knows nothing of time or comparing.
"""

from __future__ import annotations

import asyncio
import secrets
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import kombu

import minibroker_client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["End", "KombuEnd", "NatsEnd", "OurEnd", "StreamEnd", "bodies_of"]

PREFETCH = 250
WINDOW = 100
SECONDS = 60
"""How long the next message may take."""
BYTES = {"content_type": "application/octet-stream", "content_encoding": "binary"}


def bodies_of(number: int) -> list[bytes]:
    """So many bodies of 100 bytes, each another."""
    return [b"%0100d" % each for each in range(number)]


class End(Protocol):
    """A connection and a new queue."""

    def publish(self, bodies: Sequence[bytes]) -> None:
        """Publish each, until the system has them all."""

    def consume(self, number: int) -> list[bytes]:
        """Consume and ack so many, until the system knows; what they were."""
        raise NotImplementedError

    def close(self) -> None:
        """Delete the queue, and disconnect."""


class _LibraryEnd:
    """What is the same with our client and with Kombu."""

    def __init__(self, library: Any, url: str, options: Mapping[str, Any]) -> None:
        self.name = f"bench{secrets.token_hex(6)}"
        self.connection = library.Connection(url, transport_options=dict(options))
        self._channel = self.connection.channel()
        exchange = library.Exchange(self.name, "direct")
        self.queue = library.Queue(self.name, exchange, routing_key=self.name)(self._channel)
        self.queue.declare()
        self._publish = library.Producer(self._channel).publish
        self._consumer = library.Consumer(self._channel, [self.queue], on_message=self._take)
        self._got: list[bytes] = []

    def publish(self, bodies: Sequence[bytes]) -> None:
        publish, name = self._publish, self.name
        for body in bodies:
            publish(body, exchange=name, routing_key=name, **BYTES)

    def _take(self, message: Any) -> None:
        self._got.append(message.body)
        message.ack()

    def consume(self, number: int) -> list[bytes]:
        self._got = []
        self._consumer.qos(prefetch_count=PREFETCH)
        self._consumer.consume()
        drain = self.connection.drain_events
        while len(self._got) < number:
            drain(timeout=SECONDS)
        return self._got


class OurEnd(_LibraryEnd):
    """minibroker_client: each publish by itself, or with a window of confirms."""

    def __init__(self, url: str, window: int = 0) -> None:
        confirms = {"confirm_publish": True, "confirm_window": window} if window else {}
        super().__init__(minibroker_client, url, confirms)

    def publish(self, bodies: Sequence[bytes]) -> None:
        super().publish(bodies)
        self.connection.wait_for_confirms()

    def consume(self, number: int) -> list[bytes]:
        got = super().consume(number)
        self._consumer.cancel()  # which sends the acks that are left
        return got

    def close(self) -> None:
        assert self.queue.queue_declare(passive=True).message_count == 0
        self.queue.delete()
        self.queue.exchange.delete()
        self.connection.close()


class KombuEnd(_LibraryEnd):
    """Kombu, which waits for the system with each publish and each ack."""

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        super().__init__(kombu, url, options)

    def close(self) -> None:
        self._consumer.cancel()
        self.queue.delete()
        self.connection.release()


class StreamEnd:
    """redis-py on a stream with a consumer group: an XADD each, an XACK and XDEL for a batch."""

    def __init__(self, url: str) -> None:
        self._redis: Any = import_module("redis").Redis.from_url(url)
        self._name = f"bench{secrets.token_hex(6)}"
        self._redis.xgroup_create(self._name, "g", mkstream=True)

    def publish(self, bodies: Sequence[bytes]) -> None:
        add, name = self._redis.xadd, self._name
        for body in bodies:
            add(name, {"body": body})

    def consume(self, number: int) -> list[bytes]:
        got: list[bytes] = []
        while len(got) < number:
            ((_, entries),) = self._redis.xreadgroup(
                "g", "c", {self._name: ">"}, count=PREFETCH, block=SECONDS * 1000
            )
            keys = [key for key, _ in entries]
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.xack(self._name, "g", *keys)
                pipeline.xdel(self._name, *keys)
                pipeline.execute()
            got += [fields[b"body"] for _, fields in entries]
        return got

    def close(self) -> None:
        self._redis.delete(self._name)
        self._redis.close()


class NatsEnd:
    """nats-py on a stream: publishes awaited by themselves or together, and a pull consumer."""

    def __init__(self, url: str, window: int = 1) -> None:
        self._loop = asyncio.new_event_loop()
        self._name = f"bench{secrets.token_hex(6)}"
        self._window = window
        self._run: Callable[[Any], Any] = self._loop.run_until_complete
        self._client: Any = self._run(import_module("nats").connect(url))
        self._stream = self._client.jetstream()
        retention = import_module("nats.js.api").RetentionPolicy.WORK_QUEUE
        self._run(
            self._stream.add_stream(name=self._name, subjects=[self._name], retention=retention)
        )
        self._pull = self._run(self._stream.pull_subscribe(self._name, "c"))

    def publish(self, bodies: Sequence[bytes]) -> None:
        self._run(self._publish(bodies))

    async def _publish(self, bodies: Sequence[bytes]) -> None:
        send, name = self._stream.publish, self._name
        if self._window == 1:
            for body in bodies:
                await send(name, body)
            return
        for first in range(0, len(bodies), self._window):
            some = bodies[first : first + self._window]
            await asyncio.gather(*(send(name, body) for body in some))

    def consume(self, number: int) -> list[bytes]:
        got: list[bytes] = self._run(self._consume(number))
        return got

    async def _consume(self, number: int) -> list[bytes]:
        got: list[bytes] = []
        while len(got) < number:
            for message in await self._pull.fetch(min(PREFETCH, number - len(got)), SECONDS):
                got.append(message.data)
                await message.ack()
        await self._client.flush()
        return got

    def close(self) -> None:
        self._run(self._stream.delete_stream(self._name))
        self._run(self._client.close())
        self._loop.close()
