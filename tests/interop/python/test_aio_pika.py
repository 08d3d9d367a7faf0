"""aio-pika's own ways: robust connections that come back by themselves, iterators, many publishes
at once, and its pattern of callers and workers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ..needed import needed_module
from .clients.base import TIMEOUT

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..servers import AmqpServer

aio_pika = needed_module("aio_pika")
patterns = needed_module("aio_pika.patterns")

Name = Callable[[str], str]


def run(test: Awaitable[None]) -> None:
    asyncio.run(asyncio.wait_for(test, TIMEOUT))


async def survives(url: str, name: Name, end: Callable[[], Awaitable[None]]) -> None:
    """A robust connection's exchange, queues, bindings and consumer are there again after `end`."""
    connection = await aio_pika.connect_robust(url, reconnect_interval=0.05)
    back = asyncio.Event()
    connection.reconnect_callbacks.add(lambda _connection: back.set())
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=5)
        exchange = await channel.declare_exchange(name("exchange"), "topic", auto_delete=True)
        queue = await channel.declare_queue(name("queue"), exclusive=True)
        await queue.bind(exchange, "a.#")
        received: asyncio.Queue[Any] = asyncio.Queue()
        await queue.consume(received.put)
        await exchange.publish(aio_pika.Message(b"before"), "a.b")
        async with (await received.get()).process() as message:
            assert message.body == b"before"
        await end()
        await back.wait()
        await channel.ready()
        await exchange.publish(aio_pika.Message(b"after"), "a.c")
        async with (await received.get()).process() as message:
            assert (message.body, message.routing_key) == (b"after", "a.c")


def test_a_robust_connection_restores_everything_after_a_cut(
    amqp_server: AmqpServer, proxy: Proxy, name: Name
) -> None:
    async def cut() -> None:
        proxy.cut()

    run(survives(amqp_server.url.replace(str(amqp_server.port), str(proxy.port)), name, cut))


def test_a_robust_connection_restores_everything_on_a_server_that_was_killed(
    fresh_amqp_server: AmqpServer, name: Name
) -> None:
    async def restart() -> None:
        await asyncio.to_thread(fresh_amqp_server.restart)

    run(survives(fresh_amqp_server.url, name, restart))


def test_an_iterator_ends_with_the_messages_that_are_wanted(
    amqp_server: AmqpServer, name: Name
) -> None:
    async def main() -> None:
        async with await aio_pika.connect(amqp_server.url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(name("queue"), exclusive=True)
            for number in range(5):
                await channel.default_exchange.publish(aio_pika.Message(b"%d" % number), queue.name)
            seen = []
            async with queue.iterator() as messages:
                async for message in messages:
                    async with message.process():
                        seen.append(message.body)
                    if len(seen) == 5:
                        break
            assert seen == [b"0", b"1", b"2", b"3", b"4"]

    run(main())


def test_a_thousand_publishes_at_once_are_all_confirmed(
    amqp_server: AmqpServer, name: Name
) -> None:
    async def main() -> None:
        async with await aio_pika.connect(amqp_server.url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(name("queue"), exclusive=True)
            publishes = (
                channel.default_exchange.publish(aio_pika.Message(b"%d" % n), queue.name)
                for n in range(1000)
            )
            confirms = await asyncio.gather(*publishes)
            assert all(type(each).__name__ == "Ack" for each in confirms)
            declared = await channel.declare_queue(queue.name, passive=True)
            assert declared.declaration_result.message_count == 1000

    run(main())


def test_a_call_returns_what_the_worker_returns_or_raises_what_it_raises(
    amqp_server: AmqpServer, name: Name
) -> None:
    async def double(*, number: int) -> int:
        if number < 0:
            raise ValueError("negative")
        return number * 2

    async def main() -> None:
        async with await aio_pika.connect(amqp_server.url) as connection:
            channel = await connection.channel()
            rpc = await patterns.JsonRPC.create(channel)
            method = name("double")
            await rpc.register(method, double, auto_delete=True)
            answers = await asyncio.gather(
                *(rpc.call(method, kwargs={"number": n}) for n in range(20))
            )
            assert answers == [n * 2 for n in range(20)]
            failed = await asyncio.gather(
                rpc.call(method, kwargs={"number": -1}), return_exceptions=True
            )
            assert "negative" in str(failed[0])
            await rpc.close()

    run(main())
