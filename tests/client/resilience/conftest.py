from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from minibroker import Broker

from ...interop.needed import missing
from ...interop.servers import RABBITMQ, AmqpServer, MiniBrokerServer, RabbitMQServer
from .proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["amqp", "minibroker"])
def scheme(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def real_broker() -> Iterator[Broker]:
    """A broker on the system's clock."""
    with Broker() as broker:
        yield broker
        broker._check()


@pytest.fixture
def proxy(real_broker: Broker) -> Iterator[Proxy]:
    """A proxy in front of that broker."""
    with real_broker.listen() as server:
        port = urlsplit(server.url).port
        assert port is not None
        with Proxy(port) as proxy:
            yield proxy


@pytest.fixture
def fresh_amqp_server(tmp_path: Path) -> Iterator[AmqpServer]:
    """A MiniBroker in a process of its own, which keeps what is durable."""
    server = MiniBrokerServer(tmp_path, "--data", str(tmp_path / "data"))
    try:
        server.start()
        yield server
    finally:
        server.close()
    assert "Traceback" not in server.log()


@pytest.fixture
def own_rabbitmq(tmp_path: Path) -> Iterator[AmqpServer]:
    """A RabbitMQ for one test, which may end it and start it again."""
    if not RABBITMQ.exists():
        missing(f"{RABBITMQ}, of Debian's package rabbitmq-server,")
    server = RabbitMQServer(tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.close()
