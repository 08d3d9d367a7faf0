from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from minibroker import Broker

from .proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator


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
