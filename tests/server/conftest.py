"""Brokers and clients for the tests of the server: no sockets, and the time stands still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker import Broker, ManualClock

from .pair import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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
