from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from minibroker.gate import MEMORY
from minibroker_client import aio
from minibroker_client.exceptions import NotAllowed, PublisherBlocked, RecoverableConnectionError

if TYPE_CHECKING:
    from minibroker import Broker


def test_messages_from_other_threads_wake_the_loop(real_broker: Broker) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), aio.connect(real_broker) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue("q")

            def publish() -> None:
                inside = real_broker.connect().channel()
                for _ in range(100):
                    inside.publish("", "q", b"x")

            thread = threading.Thread(target=publish)
            thread.start()
            got = 0
            async with queue.iterator(no_ack=True) as messages:
                async for _ in messages:
                    got += 1
                    if got == 100:
                        break
            thread.join()

    asyncio.run(main())


def test_a_broker_that_is_closed_ends_the_connection(real_broker: Broker) -> None:
    async def main() -> None:
        connection = await aio.connect(real_broker)
        channel = await connection.channel()
        queue = await channel.declare_queue("q")
        async with queue.iterator() as messages:
            waiting = asyncio.ensure_future(anext(messages))
            await asyncio.sleep(0)
            real_broker.close()
            with pytest.raises(RecoverableConnectionError):
                await waiting
        with pytest.raises(RecoverableConnectionError):
            await channel.publish("", "q", b"x")
        assert not connection.connected
        await connection.close()

    asyncio.run(main())


def test_a_virtual_host_that_is_missing(real_broker: Broker) -> None:
    async def main() -> None:
        with pytest.raises(NotAllowed):
            await aio.connect(real_broker, virtual_host="x")

    asyncio.run(main())


def test_names_in_memory_are_shared_with_other_connections() -> None:
    async def main() -> None:
        async with aio.connect("memory://shared") as one, aio.connect("memory://shared") as other:
            await (await one.channel()).declare_queue("q")
            await (await other.channel()).declare_queue("q", passive=True)

    asyncio.run(main())


def test_a_broker_that_is_short_holds_up_who_publishes_and_not_the_loop(
    real_broker: Broker,
) -> None:
    gate, guard = real_broker.host.gate, real_broker.host.guard

    async def main() -> None:
        async with asyncio.timeout(20), aio.connect(real_broker) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue("q")
            with guard:
                gate.shut(MEMORY, lambda: "full")
            with pytest.raises(PublisherBlocked, match="low on memory: full"):
                await channel.publish("", "q", b"x", timeout=0.01)
            waiting = asyncio.ensure_future(channel.publish("", "q", b"y"))
            await asyncio.sleep(0.01)
            assert not waiting.done()
            with guard:
                gate.open(MEMORY)
            await waiting
            message = await queue.get()
            assert message is not None
            assert message.body == b"y"

    asyncio.run(main())
