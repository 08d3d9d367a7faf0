"""Real exchanges without a broker: destinations are exchanges too, so no queue is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.exchanges import (
    Binding,
    Destination,
    Exchange,
    ExchangeDeclaration,
    ExchangeSurroundings,
    create,
)
from minibroker.message import Message
from minibroker.profile import get_profile
from minibroker.properties import Properties
from minibroker.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.fields import Table


@pytest.fixture
def released() -> list[Message]:
    """What delayed exchanges let go, in order."""
    return []


@pytest.fixture
def world(released: list[Message]) -> ExchangeSurroundings:
    """What a virtual host lends; the time stands at 1,000 until a test replaces `now`."""
    return ExchangeSurroundings(
        profile=get_profile("rabbitmq-4.2"),
        timers=Timers(),
        now=lambda: 1_000,
        release=lambda _, message: released.append(message),
    )


@pytest.fixture
def declare(world: ExchangeSurroundings) -> Callable[..., Exchange]:
    """`declare(type, arguments=None, name="x")`: a new exchange."""

    def declare_one(
        type: str = "fanout",
        arguments: Table | None = None,
        name: str = "x",
    ) -> Exchange:
        return create(ExchangeDeclaration(name, type, arguments=arguments or {}), world)

    return declare_one


@pytest.fixture
def bind() -> Callable[..., bool]:
    """`bind(exchange, destination, routing_key="", arguments=None)`: whether it was new."""

    def bind_one(
        exchange: Exchange,
        destination: Destination,
        routing_key: str = "",
        arguments: Table | None = None,
    ) -> bool:
        new = exchange.bind(Binding(exchange, destination, routing_key, arguments or {}))
        exchange._check()
        return new

    return bind_one


@pytest.fixture
def matched() -> Callable[..., list[str]]:
    """`matched(exchange, *keys, headers=None)`: the names of the destinations, in order."""

    def match_one(exchange: Exchange, *keys: str, **properties: object) -> list[str]:
        carried = Properties().replace(**properties)
        message = Message("x", keys[0] if keys else "", carried, b"")
        return [destination.name for destination in exchange.match(message, keys or ("",))]

    return match_one
