from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client.aio.threaded import ThreadedShell
from minibroker_client.exceptions import NotSupported

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from minibroker_client.aio import Connection

    Run = Callable[[Callable[[Connection], Awaitable[Any]]], Any]


def test_a_transaction_publishes_at_its_commit(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel(confirm=False)
        queue = await channel.declare_queue("q")
        if isinstance(connection.shell, ThreadedShell):
            with pytest.raises(NotSupported):
                await channel.tx_select()
            return
        await channel.tx_select()
        await channel.publish("", "q", b"1")
        await channel.tx_rollback()
        await channel.publish("", "q", b"2")
        assert await queue.get() is None
        await channel.tx_commit()
        message = await queue.get()
        assert message is not None
        assert message.body == b"2"

    run(test)


def test_what_is_unacked_is_taken_back(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        queue = await channel.declare_queue("q")
        await channel.publish("", "q", b"x")
        assert await queue.get() is not None
        await channel.recover()
        again = await queue.get(no_ack=True)
        assert again is not None
        assert again.delivery_info["redelivered"]

    run(test)
