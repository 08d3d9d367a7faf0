"""Brokers for the tests of the server: on a clock that stands still, or served on real sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker import Broker, ManualClock
from minibroker.server import HostedServer, ServerSettings
from minibroker.server.hosting import Address

from .pair import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOPBACK = Address("127.0.0.1", 0, None, None)


@pytest.fixture
def clock() -> ManualClock:
    """The time of all brokers of a test."""
    return ManualClock()


@pytest.fixture
def make_broker(clock: ManualClock) -> Iterator[Callable[..., Broker]]:
    """`make_broker(**kwargs)`: brokers on `clock`, checked and closed when the test is over."""
    brokers: list[Broker] = []

    def make(**kwargs: Any) -> Broker:
        brokers.append(Broker(**{"clock": clock, **kwargs}))
        return brokers[-1]

    yield make
    for broker in brokers:
        broker._check()
        broker.close()


@pytest.fixture
def broker(make_broker: Callable[..., Broker]) -> Broker:
    """A broker as RabbitMQ 3.10, with which the errors were recorded."""
    return make_broker(profile="rabbitmq-3.10")


@pytest.fixture
def client(broker: Broker) -> Client:
    """A client with channel 1 open."""
    return Client(broker).open(1)


@pytest.fixture(params=["asyncio", "uvloop"])
def serve(request: pytest.FixtureRequest) -> Iterator[Callable[..., HostedServer]]:
    """`serve(broker, settings)`: servers on either loop, closed when the test is over."""
    uvloop = request.param == "uvloop"
    if uvloop:
        pytest.importorskip("uvloop")
    servers: list[HostedServer] = []

    def begin(broker: Broker, settings: ServerSettings | None = None) -> HostedServer:
        servers.append(HostedServer(broker, LOOPBACK, settings, uvloop=uvloop))
        return servers[-1]

    yield begin
    for server in servers:
        server.close(timeout=0.2)


@pytest.fixture
def running() -> Iterator[Broker]:
    """A broker with the time of the system."""
    with Broker(profile="rabbitmq-3.10") as broker:
        yield broker
        broker._check()


@pytest.fixture
def stopped(clock: ManualClock) -> Iterator[Broker]:
    """A broker whose time stands still."""
    with Broker(profile="rabbitmq-3.10", clock=clock) as broker:
        yield broker
        broker._check()
