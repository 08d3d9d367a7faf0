"""A connection whose library is called on threads: what the loop sees of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import aio
from minibroker_client.aio.threaded import ThreadedShell
from minibroker_client.exceptions import ConnectionForced, LeaseLost, RecoverableConnectionError

from ...external.servers import RedisServer
from ..remote.places import KINDS, howto_driver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

SECONDS = 20
needs_redis = pytest.mark.skipif("redis" not in KINDS, reason="not one of the systems to test")


def within(test: Callable[[], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(SECONDS):
            return await test()

    return asyncio.run(main(), debug=True)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"{howto_driver()}:///{tmp_path}/queues.db"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.close()


def test_many_publishes_are_sent_together_and_each_is_confirmed(url: str) -> None:
    async def test() -> None:
        async with aio.connect(url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue("q")
            driver = connection.shell._inner.remote.driver  # type: ignore[union-attr]  # threaded
            batches: list[int] = []
            put = driver.put

            def counted(batch: Any) -> Any:
                batches.append(len(batch))
                return put(batch)

            driver.put = counted
            await asyncio.gather(*(channel.publish("", "q", b"x") for _ in range(50)))
            assert sum(batches) == 50
            assert len(batches) < 50
            assert (await channel.declare_queue("q", passive=True)).declared.message_count == 50
            assert queue.name == "q"

    within(test)


def test_a_system_that_cannot_be_reached_is_an_error(tmp_path: Path) -> None:
    async def test() -> None:
        with pytest.raises(ConnectionForced, match="unable to open"):
            await aio.connect(f"{howto_driver()}:///{tmp_path}/nowhere/queues.db")

    within(test)


def test_what_is_called_after_the_end_says_so(url: str) -> None:
    async def test() -> None:
        connection = await aio.connect(url)
        channel = await connection.channel()
        await connection.close()
        assert not connection.connected
        with pytest.raises(RecoverableConnectionError):
            await channel.declare_queue("q")
        with pytest.raises(RecoverableConnectionError):
            channel.ack(1)
        await connection.close()

    within(test)


def test_an_ack_that_comes_too_late_is_reported_to_the_loop(url: str) -> None:
    async def test() -> None:
        told: asyncio.Queue[BaseException] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.put_nowait(context["exception"]))
        async with aio.connect(url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue("q")
            await channel.publish("", "q", b"x")
            message = await queue.get()
            assert message is not None
            shell = connection.shell
            assert isinstance(shell, ThreadedShell)
            for entry in shell._inner.remote.held.values():
                entry.deadline = 0.0
            message.ack()
            assert isinstance(await told.get(), LeaseLost)

    within(test)


def test_nothing_is_leased_while_the_application_has_enough(url: str) -> None:
    async def test() -> None:
        async with aio.connect(url) as connection:
            channel = await connection.channel()
            await channel.declare_queue("q")
            got: asyncio.Queue[Any] = asyncio.Queue()
            connection.hold(True)
            await channel.consume("q", got.put_nowait)
            await channel.publish("", "q", b"x")
            assert got.empty()
            connection.hold(False)
            assert (await got.get()).body == b"x"

    within(test)


@needs_redis
def test_a_consumer_goes_on_when_its_server_is_back(server: RedisServer) -> None:
    async def test() -> None:
        url = f"redis://{server.host}:{server.port}"
        options = {"interval_start": 0.05, "interval_step": 0}
        async with aio.connect(url, recover=True, transport_options=options) as connection:
            channel = await connection.channel()
            await channel.declare_queue("q")
            got: asyncio.Queue[Any] = asyncio.Queue()
            await channel.consume("q", got.put_nowait)
            await channel.publish("", "q", b"before")
            (await got.get()).ack()
            await asyncio.to_thread(server.restart)
            await channel.publish("", "q", b"after")
            while (message := await got.get()).body != b"after":
                message.ack()

    within(test)
