from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from minibroker import Broker

from ..remote.places import KINDS, howto_driver, own_database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

SYSTEMS = [kind for kind in KINDS if kind == "redis"]
Run = "Callable[[Callable[[Any], Awaitable[Any]]], Any]"


@pytest.fixture
def real_broker() -> Iterator[Broker]:
    """A broker on the system's clock."""
    with Broker() as broker:
        yield broker
        broker._check()


@pytest.fixture(params=["memory", "file", "amqp", "minibroker", "sqlite", *SYSTEMS])
def where(request: pytest.FixtureRequest, real_broker: Broker, tmp_path: Path) -> Iterator[Any]:
    """What `aio.connect` gets, for each transport."""
    if request.param == "memory":
        yield real_broker
    elif request.param == "file":
        yield f"file://{tmp_path}/queues"
    elif request.param == "sqlite":
        yield f"{howto_driver()}:///{tmp_path}/queues.db"
    elif request.param == "redis":
        yield own_database()
    else:
        with real_broker.listen() as server:
            yield server.url if request.param == "amqp" else server.native_url


@pytest.fixture
def run(where: Any) -> Callable[[Callable[[Any], Awaitable[Any]]], Any]:
    """`run(test)`: runs a coroutine function with a connection, for at most 20 seconds."""
    from minibroker_client import aio  # noqa: PLC0415 -- only here

    def runs(test: Callable[[Any], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            async with asyncio.timeout(20), aio.connect(where) as connection:
                return await test(connection)

        return asyncio.run(main(), debug=True)

    return runs
