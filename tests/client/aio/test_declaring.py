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
        queue = await channel.declare_queue("q", arguments={"x-max-length": 5})
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
