"""A MiniBroker to be compared with, as RabbitMQ 3.10 and as a later one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from minibroker import Broker
from minibroker.differential.address import Address
from minibroker.differential.link import Link
from minibroker.differential.watch import Watch

PREFIX = "test0001-"


@pytest.fixture
def serve() -> Iterator[Callable[[str], Address]]:
    """`serve(profile)`: where a new broker listens."""
    with ExitStack() as stack:

        def start(profile: str) -> Address:
            broker = stack.enter_context(Broker(profile=profile))
            return Address.parse(stack.enter_context(broker.listen("127.0.0.1", 0)).url)

        yield start


@pytest.fixture
def address(serve: Callable[[str], Address]) -> Address:
    """A broker like RabbitMQ 3.10."""
    return serve("rabbitmq-3.10")


@pytest.fixture
def watch(address: Address) -> Iterator[Watch]:
    """A look at that broker."""
    watch = Watch(address, "test")
    yield watch
    watch.close()


@pytest.fixture
def link(address: Address) -> Iterator[Link]:
    """A connection to it."""
    link = Link(address)
    yield link
    link.close()
