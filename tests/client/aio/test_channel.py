from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client.aio.threaded import ThreadedShell
from minibroker_client.exceptions import (
    MessageNacked,
    MessageReturned,
    NotFound,
    NotSupported,
    RecoverableConnectionError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from minibroker_client.aio import Connection

    Run = Callable[[Callable[[Connection], Awaitable[Any]]], Any]


def test_a_publish_returns_when_it_is_confirmed(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        queue = await channel.declare_queue("q")
        await channel.publish("", "q", b"x", {"delivery_mode": 2, "headers": {"a": 1}})
        message = await queue.get()
        assert message is not None
        assert (message.body, message.headers, message.left) == (b"x", {"a": 1}, 0)  # type: ignore[attr-defined]  # got by `get`
        message.ack()
        assert await queue.get() is None

    run(test)


def test_many_publishes_at_a_time_keep_their_order(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        await channel.declare_queue("q")
        await asyncio.gather(*(channel.publish("", "q", b"%d" % n) for n in range(200)))
        got = [(await channel.get("q", no_ack=True)).body for _ in range(200)]  # type: ignore[union-attr]  # there
        assert got == [b"%d" % n for n in range(200)]

    run(test)


def test_a_refused_message_is_raised_where_it_was_published(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        full = {"x-max-length": 1, "x-overflow": "reject-publish"}
        if isinstance(connection.shell, ThreadedShell):
            with pytest.raises(NotSupported):
                await channel.declare_queue("q", arguments=full)
            return
        await channel.declare_queue("q", arguments=full)
        results = await asyncio.gather(
            *(channel.publish("", "q", b"%d" % n) for n in range(3)), return_exceptions=True
        )
        assert [type(each) for each in results] == [type(None), MessageNacked, MessageNacked]

    run(test)


def test_a_message_that_comes_back_is_raised_where_it_was_published(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        await channel.declare_queue("q")
        results = await asyncio.gather(
            channel.publish("", "q", b"1", mandatory=True),
            channel.publish("", "nowhere", b"2", mandatory=True),
            channel.publish("", "q", b"3", mandatory=True),
            return_exceptions=True,
        )
        assert [type(each) for each in results] == [type(None), MessageReturned, type(None)]
        told: list[MessageReturned] = []
        channel.on_return = told.append
        await channel.publish("", "nowhere", b"4", mandatory=True)
        assert told[0].routing_key == "nowhere"

    run(test)


def test_a_channel_without_confirms_does_not_wait(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel(confirm=False)
        queue = await channel.declare_queue("q")
        await channel.publish("", "q", b"x")
        while await queue.get(no_ack=True) is None:
            await asyncio.sleep(0)

    run(test)


def test_an_error_closes_the_channel_and_leaves_the_connection(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        with pytest.raises(NotFound, match="nowhere"):
            await channel.get("nowhere")
        assert channel.closed
        with pytest.raises(RecoverableConnectionError, match="channel is closed"):
            await channel.declare_queue("q")
        async with await connection.channel() as other:
            await other.declare_queue("q")
        assert other.closed
        await other.close()

    run(test)


def test_a_publish_to_an_exchange_that_is_not_there_is_raised(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        with pytest.raises(NotFound, match="no exchange"):
            await channel.publish("nowhere", "q", b"x")

    run(test)


def test_a_callback_gets_messages_until_it_is_cancelled(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        await channel.qos(1)
        await channel.declare_queue("q")
        got: list[bytes] = []
        arrived = asyncio.Event()

        def take(message: Any) -> None:
            got.append(message.body)
            message.ack()
            if len(got) == 3:
                arrived.set()

        tag = await channel.consume("q", take)
        for body in (b"1", b"2", b"3"):
            await channel.publish("", "q", body)
        await arrived.wait()
        await channel.cancel(tag)
        await channel.publish("", "q", b"4")
        assert got == [b"1", b"2", b"3"]
        assert await channel.get("q") is not None

    run(test)


def test_settling_in_every_way(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        queue = await channel.declare_queue("q")
        for body in (b"1", b"2", b"3"):
            await channel.publish("", "q", body)
        first, second, third = [await queue.get() for _ in range(3)]
        assert first is not None
        assert second is not None
        assert third is not None
        channel.nack(first.delivery_tag or 0, requeue=True)
        second.reject()
        third.requeue()
        again = await queue.get()
        assert again is not None
        assert (again.body, again.delivery_info["redelivered"]) == (b"1", True)
        assert (await queue.purge()) == 1

    run(test)


def test_the_broker_may_end_a_consumer(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        queue = await channel.declare_queue("q")
        cancelled: list[str] = []
        tag = await channel.consume("q", print, on_cancel=cancelled.append)
        other = await connection.channel()
        await other.delete_queue(queue.name)
        while not cancelled:
            await asyncio.sleep(0)
        assert cancelled == [tag]

    run(test)


def test_an_answer_that_nobody_waits_for_any_more_harms_nobody(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        for _ in range(3):
            declaring = asyncio.ensure_future(channel.declare_queue("q"))
            await asyncio.sleep(0)
            declaring.cancel()
            await asyncio.gather(declaring, return_exceptions=True)
        assert (await channel.declare_queue("other")).name == "other"
        task = asyncio.ensure_future(channel.publish("", "q", b"x"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await channel.publish("", "other", b"y")
        assert await channel.get("other") is not None

    run(test)


def test_an_error_in_a_callback_goes_to_the_loop(run: Run) -> None:
    async def test(connection: Connection) -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        channel = await connection.channel()
        await channel.declare_queue("q")

        def fail(_: object) -> None:
            raise KeyError("broken")

        await channel.consume("q", fail, no_ack=True)
        await channel.publish("", "q", b"x")
        while not told:
            await asyncio.sleep(0)
        assert isinstance(told[0]["exception"], KeyError)

    run(test)
