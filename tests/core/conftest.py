"""Brokers for the tests of the core: the time stands still until a test moves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker import Broker, ManualClock

from .restarts import Restarts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minibroker.channel import Channel
    from minibroker.local import LocalConnection


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
    """A broker with the default profile."""
    return make_broker()


@pytest.fixture
def connection(broker: Broker) -> LocalConnection:
    """A connection to `broker`."""
    return broker.connect()


@pytest.fixture
def channel(connection: LocalConnection) -> Channel:
    """A channel of `connection`."""
    return connection.channel()


@pytest.fixture
def world(clock: ManualClock) -> Iterator[Restarts]:
    """A broker with a log, and ways to end it and open it again."""
    world = Restarts(clock)
    yield world
    world.close()


@pytest.fixture(params=["in order", "by a crash", "by a power cut"])
def restart(request: pytest.FixtureRequest, world: Restarts) -> Callable[[], Broker]:
    """`restart()`: the broker of `world` ends, after all so far was committed, and is opened."""

    def end() -> Broker:
        if request.param == "in order":
            return world.restart()
        world.broker.sync()
        return world.crash(power=1 if request.param == "by a power cut" else None)

    return end
