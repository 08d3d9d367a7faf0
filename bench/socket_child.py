"""One side of a benchmark of clients, in a process of its own: publishes, or consumes and acks.

    python socket_child.py LIBRARY ROLE URL QUEUE

Says "ready", then for each line "N SIZE" on its input it does N messages of SIZE bytes and says how
many microseconds of its own processor a message took. Knows nothing of time or comparing.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeAlias

Side: TypeAlias = Callable[[int, int], None]
"""Does so many messages of so many bytes."""
PREFETCH = 1000
PIPELINE = 100


def ours(role: str, url: str, queue: str) -> Side:
    """minibroker_client, with Kombu's calls."""
    import minibroker_client  # noqa: PLC0415 -- each child has its own

    return _kombu_like(minibroker_client, role, url, queue)


def kombu(role: str, url: str, queue: str) -> Side:
    """Kombu."""
    import kombu as library  # noqa: PLC0415 -- as above

    return _kombu_like(library, role, url, queue)


def _kombu_like(library: Any, role: str, url: str, queue: str) -> Side:
    connection = library.Connection(url)
    channel = connection.channel()
    declared = library.Queue(queue, durable=False)(channel)
    declared.declare()
    if role == "publish":
        publish = connection.Producer(channel).publish

        def send(number: int, size: int) -> None:
            body = b"x" * size
            for _ in range(number):
                publish(body, routing_key=queue, delivery_mode=1)
            declared.queue_declare(passive=True)  # everything has arrived

        return send
    got = 0

    def take(_: Any, message: Any) -> None:
        nonlocal got
        message.ack()
        got += 1

    consumer = connection.Consumer(declared, channel=channel, callbacks=[take])
    consumer.qos(prefetch_count=PREFETCH)
    consumer.consume()
    drain = connection.drain_events

    def receive(number: int, _: int) -> None:
        nonlocal got
        got = 0
        while got < number:
            drain(timeout=60)
        declared.queue_declare(passive=True)  # the acks have arrived

    return receive


def pika(role: str, url: str, queue: str) -> Side:
    """Pika's BlockingConnection."""
    library: Any = import_module("pika")  # it has no types

    connection = library.BlockingConnection(library.URLParameters(url))
    channel = connection.channel()
    channel.queue_declare(queue)
    if role == "publish":

        def send(number: int, size: int) -> None:
            body = b"x" * size
            for _ in range(number):
                channel.basic_publish("", queue, body)
            channel.queue_declare(queue, passive=True)

        return send
    channel.basic_qos(prefetch_count=PREFETCH)
    got = 0

    def take(_: Any, method: Any, __: Any, ___: Any) -> None:
        nonlocal got
        channel.basic_ack(method.delivery_tag)
        got += 1

    channel.basic_consume(queue, take)

    def receive(number: int, _: int) -> None:
        nonlocal got
        got = 0
        while got < number:
            connection.process_data_events(time_limit=60)
        channel.queue_declare(queue, passive=True)

    return receive


def redis(role: str, url: str, queue: str) -> Side:
    """redis-py on a stream with a consumer group, pipelined by 100."""
    library: Any = import_module("redis")  # not there where only types are checked

    client: Any = library.Redis.from_url(url)
    if role == "publish":

        def send(number: int, size: int) -> None:
            body = b"x" * size
            for first in range(0, number, PIPELINE):
                pipe = client.pipeline(transaction=False)
                for _ in range(min(PIPELINE, number - first)):
                    pipe.xadd(queue, {b"b": body})
                pipe.execute()

        return send
    client.delete(queue)
    client.xgroup_create(queue, "g", mkstream=True)

    def receive(number: int, _: int) -> None:
        got = 0
        while got < number:
            found = client.xreadgroup("g", "c", {queue: ">"}, count=PIPELINE, block=60_000)
            ids = [entry[0] for _, entries in found for entry in entries]
            pipe = client.pipeline(transaction=False)
            pipe.xack(queue, "g", *ids)
            pipe.xdel(queue, *ids)
            pipe.execute()
            got += len(ids)

    return receive


def nats(role: str, url: str, queue: str) -> Side:
    """nats-py on JetStream: publishes with acks awaited by 100, a pull consumer by 100."""
    library: Any = import_module("nats")  # as redis

    loop = asyncio.new_event_loop()

    async def start() -> Any:
        client = await library.connect(url)
        stream = client.jetstream()
        await stream.add_stream(name=queue, subjects=[queue], storage="memory")
        if role == "publish":
            return stream
        return await stream.pull_subscribe(queue, durable="d")

    side: Any = loop.run_until_complete(start())

    async def send(number: int, size: int) -> None:
        body = b"x" * size
        for first in range(0, number, PIPELINE):
            count = min(PIPELINE, number - first)
            await asyncio.gather(*(side.publish(queue, body) for _ in range(count)))

    async def receive(number: int) -> None:
        got = 0
        while got < number:
            messages = await side.fetch(min(PIPELINE, number - got), timeout=60)
            for message in messages:
                await message.ack()
            got += len(messages)

    if role == "publish":
        return lambda number, size: loop.run_until_complete(send(number, size))
    return lambda number, _: loop.run_until_complete(receive(number))


def aio(role: str, url: str, queue: str) -> Side:
    """minibroker_client.aio."""
    from minibroker_client import aio as library  # noqa: PLC0415 -- as above

    loop = asyncio.new_event_loop()

    async def start() -> Any:
        connection = await library.connect(url)
        channel = await connection.channel()
        await channel.qos(PREFETCH)
        return channel, await channel.declare_queue(queue)

    channel, declared = loop.run_until_complete(start())

    async def send(number: int, size: int) -> None:
        body = b"x" * size
        for first in range(0, number, PIPELINE):
            count = min(PIPELINE, number - first)
            await asyncio.gather(*(channel.publish("", queue, body) for _ in range(count)))

    if role == "publish":
        return lambda number, size: loop.run_until_complete(send(number, size))
    messages = declared.iterator()
    loop.run_until_complete(messages.__aenter__())

    async def receive(number: int) -> None:
        for _ in range(number):
            (await anext(messages)).ack()

    return lambda number, _: loop.run_until_complete(receive(number))


def aio_pika(role: str, url: str, queue: str) -> Side:
    """aio-pika, with its confirms, as it is by default."""
    import aio_pika as library  # noqa: PLC0415 -- as above

    loop = asyncio.new_event_loop()

    async def start() -> Any:
        connection = await library.connect(url)
        channel = await connection.channel()
        await channel.set_qos(PREFETCH)
        return channel, await channel.declare_queue(queue)

    channel, declared = loop.run_until_complete(start())
    publish = channel.default_exchange.publish

    async def send(number: int, size: int) -> None:
        body = b"x" * size
        for first in range(0, number, PIPELINE):
            count = min(PIPELINE, number - first)
            await asyncio.gather(
                *(publish(library.Message(body), routing_key=queue) for _ in range(count))
            )

    if role == "publish":
        return lambda number, size: loop.run_until_complete(send(number, size))

    async def consume() -> Any:
        iterator = declared.iterator()
        await iterator.consume()
        return iterator

    messages = loop.run_until_complete(consume())

    async def receive(number: int) -> None:
        for _ in range(number):
            await (await anext(messages)).ack()

    return lambda number, _: loop.run_until_complete(receive(number))


LIBRARIES = {
    "aio": aio, "aio-pika": aio_pika, "kombu": kombu, "nats": nats, "ours": ours, "pika": pika,
    "redis": redis,
}  # fmt: skip


def main() -> None:
    """See the module."""
    library, role, url, queue = sys.argv[1:]
    side = LIBRARIES[library](role, url, queue)
    print("ready", flush=True)
    for line in sys.stdin:
        number, size = map(int, line.split())
        before = time.process_time()
        side(number, size)
        print((time.process_time() - before) / number * 1e6, flush=True)


if __name__ == "__main__":
    main()
