"""What the client's tests share: a broker with a clock that stands still, and connections to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker import Broker, ManualClock
from minibroker_client import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minibroker_client import Channel


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def broker(clock: ManualClock) -> Iterator[Broker]:
    with Broker(clock=clock) as broker:
        yield broker
        broker._check()


@pytest.fixture
def connection(broker: Broker) -> Iterator[Connection]:
    with Connection(broker) as connection:
        yield connection


@pytest.fixture
def channel(connection: Connection) -> Channel:
    return connection.channel()
