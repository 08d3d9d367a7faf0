from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .pair import PROTOCOLS, Pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker
    from minibroker_client.protocol.channel import ProtocolChannel


@pytest.fixture(params=PROTOCOLS)
def connect(request: pytest.FixtureRequest, broker: Broker) -> Callable[..., Pair]:
    """`connect(**fields)`: both sides of a connection, in each protocol."""

    def make(**fields: Any) -> Pair:
        return Pair(broker, request.param, **fields)

    return make


@pytest.fixture
def pair(connect: Callable[..., Pair]) -> Pair:
    """One that is open."""
    return connect().open()


@pytest.fixture
def channel(pair: Pair) -> ProtocolChannel:
    """A channel of it, with queue `q` declared."""
    channel = pair.channel()
    channel.declare_queue("q")
    return channel
