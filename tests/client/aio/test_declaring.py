from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client.exceptions import PreconditionFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from minibroker_client.aio import Connection

    Run = Callable[[Callable[[Connection], Awaitable[Any]]], Any]


def test_what_is_declared_is_there_and_recorded(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        await channel.declare_exchange("e", "topic", durable=True)
        queue = await channel.declare_queue("q", arguments={"x-message-ttl": 60_000})
        await queue.bind("e", "a.#")
        await channel.publish("e", "a.b", b"x")
        again = await channel.declare_queue("q", passive=True)
        assert again.declared.message_count == 1
        assert list(connection.topology.queues) == ["q"]
        assert list(connection.topology.exchanges) == ["e"]
        assert len(connection.topology.bindings) == 1
        assert repr(queue) == "<Queue 'q'>"
        assert await queue.delete() == 1
        assert not connection.topology.bindings
        with pytest.raises(PreconditionFailed):
            await channel.declare_exchange("e", "fanout")

    run(test)


def test_exchanges_are_bound_to_exchanges_and_everything_is_undone(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        await channel.declare_exchange("s", "topic")
        await channel.declare_exchange("t", "fanout")
        await channel.declare_queue("q")
        await channel.bind_exchange("t", "s", "a.#")
        await channel.bind_queue("q", "t")
        await channel.publish("s", "a.b", b"1")
        assert await channel.purge_queue("q") == 1
        await channel.unbind_queue("q", "t")
        await channel.unbind_exchange("t", "s", "a.#")
        assert not connection.topology.bindings
        await channel.delete_exchange("t", if_unused=True)
        await channel.delete_exchange("s")
        assert not connection.topology.exchanges
        assert await channel.delete_queue("q", if_empty=True) == 0

    run(test)
