"""FastStream's RabbitBroker, in the loop of the test."""

# The library may be missing: to the type checker it is no module, and neither are its decorators.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ..needed import needed_module
from ..proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from ..servers import AmqpServer

faststream = needed_module("faststream")
rabbit = needed_module("faststream.rabbit")
pytestmark = pytest.mark.filterwarnings("default")  # theirs

PATIENCE = 30
MESSAGE = faststream.Context("message")
"""What a handler takes besides the body."""


@pytest.fixture
def proxy(amqp_server: AmqpServer) -> Iterator[Proxy]:
    proxy = Proxy(amqp_server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def broker(amqp_server: AmqpServer) -> Any:
    """Not connected yet."""
    return rabbit.RabbitBroker(amqp_server.url, logger=None)


def run(broker: Any, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Start the broker with its subscribers, do the work, and stop it."""

    async def main() -> None:
        async with asyncio.timeout(PATIENCE), broker:
            await broker.start()
            await work()

    asyncio.run(main())


def queue(name: Callable[[str], str], what: str = "queue", **options: Any) -> Any:
    return rabbit.RabbitQueue(name(what), auto_delete=True, **options)


def test_a_subscriber_gets_what_its_topic_matches(broker: Any, name: Callable[[str], str]) -> None:
    exchange = rabbit.RabbitExchange(
        name("exchange"), type=rabbit.ExchangeType.TOPIC, auto_delete=True
    )
    came: asyncio.Queue[tuple[str, dict[str, int]]] = asyncio.Queue()

    @broker.subscriber(queue(name, routing_key="orders.#"), exchange)
    async def order(body: dict[str, int], message: Any = MESSAGE) -> None:
        await came.put((message.raw_message.routing_key, body))

    async def work() -> None:
        for key in ("orders.new", "invoices.new", "orders.old.paid"):
            await broker.publish({"number": 1}, exchange=exchange, routing_key=key)
        assert await came.get() == ("orders.new", {"number": 1})
        assert await came.get() == ("orders.old.paid", {"number": 1})

    run(broker, work)


def test_what_a_handler_returns_is_published_further(
    broker: Any, name: Callable[[str], str]
) -> None:
    first, second = queue(name, "first"), queue(name, "second")
    came: asyncio.Queue[int] = asyncio.Queue()

    @broker.subscriber(first)
    @broker.publisher(second)
    async def double(number: int) -> int:
        return 2 * number

    @broker.subscriber(second)
    async def end(number: int) -> None:
        await came.put(number)

    async def work() -> None:
        for number in range(10):
            await broker.publish(number, first)
        assert [await came.get() for _ in range(10)] == list(range(0, 20, 2))

    run(broker, work)


def test_a_request_is_answered_over_direct_reply_to(
    broker: Any, name: Callable[[str], str]
) -> None:
    asked = queue(name)

    @broker.subscriber(asked)
    async def answer(text: str) -> str:
        return f"{text}!"

    async def work() -> None:
        replies = await asyncio.gather(
            *(broker.request(f"request {number}", asked, timeout=PATIENCE) for number in range(20))
        )
        assert [await each.decode() for each in replies] == [
            f"request {number}!" for number in range(20)
        ]

    run(broker, work)


def test_what_a_handler_gives_back_comes_again(broker: Any, name: Callable[[str], str]) -> None:
    came: asyncio.Queue[bool] = asyncio.Queue()
    source = queue(name)

    @broker.subscriber(source, ack_policy=faststream.AckPolicy.MANUAL)
    async def take(message: Any = MESSAGE) -> None:
        redelivered = message.raw_message.redelivered
        await came.put(redelivered)
        await (message.ack() if redelivered else message.nack())

    async def work() -> None:
        await broker.publish("m", source)
        assert [await came.get(), await came.get()] == [False, True]

    run(broker, work)


def test_what_a_handler_fails_on_is_a_dead_letter(broker: Any, name: Callable[[str], str]) -> None:
    letters = queue(name, "letters")
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": letters.name}
    source = queue(name, "source", arguments=arguments)
    came: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    @broker.subscriber(source, ack_policy=faststream.AckPolicy.REJECT_ON_ERROR)
    async def fail(text: str) -> None:
        raise RuntimeError(text)

    @broker.subscriber(letters)
    async def bury(text: str, message: Any = MESSAGE) -> None:
        await came.put((text, message.headers["x-first-death-reason"]))

    async def work() -> None:
        await broker.publish("bad", source)
        assert await came.get() == ("bad", "rejected")

    run(broker, work)


def test_subscribers_come_back_after_a_cut(
    amqp_server: AmqpServer, proxy: Proxy, name: Callable[[str], str]
) -> None:
    url = amqp_server.url.replace(str(amqp_server.port), str(proxy.port))
    broker = rabbit.RabbitBroker(url, logger=None, reconnect_interval=0.1)
    direct = rabbit.RabbitBroker(amqp_server.url, logger=None)
    came: asyncio.Queue[str] = asyncio.Queue()
    source = rabbit.RabbitQueue(name("kept"), durable=True)

    @broker.subscriber(source)
    async def take(text: str) -> None:
        await came.put(text)

    async def work() -> None:
        async with direct:
            await direct.connect()
            await direct.publish("before", source)
            assert await came.get() == "before"
            proxy.cut()
            await direct.publish("after", source)
            while await came.get() != "after":
                pass  # the ack of the first one may have been cut off

    run(broker, work)
