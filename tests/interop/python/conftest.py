"""The libraries that the contract is asked of, each on its own connections."""

from __future__ import annotations

import gc
import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from ..proxy import Proxy
from ..servers import AmqpServer
from .clients.base import Connection, ConnectionLost

Connect = Callable[[str], Connection]

# Each is a module of the folder `clients`.
CLIENTS = (
    "pika_blocking",
    "pika_select",
    "pika_asyncio",
    "py_amqp",
    "kombu_amqp",
    "aio_pika_plain",
    "aiormq_plain",
    "amqpstorm_plain",
    "rabbitpy_plain",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Libraries leave sockets behind when a connection fails: that is not ours to judge."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))


@pytest.fixture(scope="module", autouse=True)
def _no_sockets_for_others() -> Iterator[None]:
    """What is left is collected here, not during a test that minds."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(params=CLIENTS)
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """`connect(url)`: a new connection of each library, closed when the test is over."""
    module = importlib.import_module(f"{__package__}.clients.{request.param}")

    def connecting(url: str) -> Connection:
        connection: Connection = module.connect(url)
        stack.callback(close, connection)
        return connection

    def close(connection: Connection) -> None:
        with suppress(ConnectionLost):
            connection.close()

    with ExitStack() as stack:
        yield connecting


@pytest.fixture
def proxy(amqp_server: AmqpServer) -> Iterator[Proxy]:
    """A way into the server that the test can cut."""
    way = Proxy(amqp_server.port)
    yield way
    way.close()
