"""Making an exchange of a declared type."""

from __future__ import annotations

import pytest

from minibroker.errors import CommandInvalid, PreconditionFailed
from minibroker.exchanges import TYPES, ExchangeDeclaration, ExchangeSurroundings, create
from minibroker.profile import get_profile


def test_every_type_makes_an_exchange_of_that_type(world: ExchangeSurroundings) -> None:
    for name in TYPES:
        arguments = {"x-delayed-type": "fanout"}
        declaration = ExchangeDeclaration(
            "x", name, durable=True, auto_delete=True, internal=True, arguments=arguments
        )
        exchange = create(declaration, world)
        assert exchange.type == name
        assert exchange.name == "x"
        assert (exchange.durable, exchange.auto_delete, exchange.internal) == (True, True, True)
        assert exchange.arguments == arguments
        exchange._check()


@pytest.mark.semantics(42)
def test_an_unknown_type_is_refused_with_the_error_of_the_profile(
    world: ExchangeSurroundings,
) -> None:
    for profile, error in (
        ("rabbitmq-3.10", CommandInvalid),
        ("rabbitmq-3.13", CommandInvalid),
        ("rabbitmq-4.3", PreconditionFailed),
    ):
        world.profile = get_profile(profile)
        with pytest.raises(error) as caught:
            create(ExchangeDeclaration("x", "no-such"), world)
        assert str(caught.value) == "unknown exchange type 'no-such'"
