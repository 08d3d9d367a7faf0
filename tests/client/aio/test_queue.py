from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client.aio.queue import FULL, LOW

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from minibroker_client.aio import Connection

    Run = Callable[[Callable[[Connection], Awaitable[Any]]], Any]


def test_a_queue_is_iterated_over(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        queue = await channel.declare_queue("q")
        for number in range(5):
            await channel.publish("", "q", b"%d" % number)
        got = []
        async for message in queue:
            message.ack()
            got.append(message.body)
            if len(got) == 5:
                break
        assert got == [b"%d" % number for number in range(5)]

    run(test)


def test_at_the_end_of_the_block_what_was_not_asked_for_goes_back(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        queue = await channel.declare_queue("q")
        for number in range(5):
            await channel.publish("", "q", b"%d" % number)
        async with queue.iterator() as messages:
            async for message in messages:
                message.ack()
                break
        again = await channel.declare_queue("q", passive=True)
        while again.declared.message_count < 4:
            again = await channel.declare_queue("q", passive=True)
        assert again.declared.consumer_count == 0
        first = await queue.get()
        assert first is not None
        assert first.body == b"1"

    run(test)


def test_waiting_for_a_message_can_be_cancelled_without_losing_one(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        queue = await channel.declare_queue("q")
        async with queue.iterator() as messages:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await anext(messages)
            await channel.publish("", "q", b"x")
            message = await anext(messages)
            assert message.body == b"x"
            message.ack()

    run(test)


def test_the_iteration_ends_when_the_queue_is_deleted(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        queue = await channel.declare_queue("q")
        await channel.publish("", "q", b"last")
        async with queue.iterator(no_ack=True) as messages:
            assert (await anext(messages)).body == b"last"
            other = await connection.channel()
            await other.delete_queue("q")
            assert [message.body async for message in messages] == []

    run(test)


def test_a_slow_application_is_not_flooded(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel(confirm=False)
        queue = await channel.declare_queue("q")
        for _ in range(FULL + 500):
            await channel.publish("", "q", b"x")
        async with queue.iterator(no_ack=True) as messages:
            while len(messages._messages) < FULL:
                await asyncio.sleep(0)
            got = 0
            async for _ in messages:
                got += 1
                if got == FULL + 500:
                    break
            assert not messages._messages
        assert LOW < FULL

    run(test)


def test_several_iterate_over_one_queue(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        await channel.qos(1)
        queue = await channel.declare_queue("q")
        done: list[bytes] = []

        async def work() -> None:
            async for message in queue:
                await asyncio.sleep(0)
                message.ack()
                done.append(message.body)
                if len(done) == 30:
                    everything.set()

        everything = asyncio.Event()
        workers = [asyncio.create_task(work()) for _ in range(3)]
        for number in range(30):
            await channel.publish("", "q", b"%d" % number)
        await everything.wait()
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        assert sorted(map(int, done)) == list(range(30))

    run(test)
