"""The exchange types, and how one is made from its declaration. Knows nothing of who keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import PreconditionFailed
from .consistent_hash import ConsistentHashExchange
from .delayed import DelayedExchange
from .direct import DefaultExchange, DirectExchange
from .exchange import Binding, Destination, Exchange, ExchangeDeclaration, ExchangeSurroundings
from .fanout import FanoutExchange
from .headers import HeadersExchange
from .topic import TopicExchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..profile import Profile

__all__ = [
    "TYPES",
    "Binding",
    "ConsistentHashExchange",
    "DefaultExchange",
    "DelayedExchange",
    "Destination",
    "DirectExchange",
    "Exchange",
    "ExchangeDeclaration",
    "ExchangeSurroundings",
    "FanoutExchange",
    "HeadersExchange",
    "TopicExchange",
    "check_type",
    "create",
]


def create(declaration: ExchangeDeclaration, world: ExchangeSurroundings) -> Exchange:
    """A new exchange of the declared type.

    Raises the profile's error for an unknown type (SEMANTICS 42), `PreconditionFailed` for
    arguments that the type does not take.
    """
    check_type(declaration.type, world.profile)
    return TYPES[declaration.type](declaration, world)


def check_type(name: str, profile: Profile) -> None:
    """Raise the profile's error for a type that there is not (SEMANTICS 42)."""
    if name not in TYPES:
        what = "unknown" if name else "invalid"  # for Erlang the empty word is no unknown one
        raise profile.unknown_exchange_type_error(f"{what} exchange type '{name}'")


def _create_delayed(
    declaration: ExchangeDeclaration, world: ExchangeSurroundings
) -> DelayedExchange:
    inner = declaration.arguments.get("x-delayed-type")
    if not isinstance(inner, str):
        raise PreconditionFailed(
            "Invalid argument, 'x-delayed-type' must be an existing exchange type"
        )
    # A delayed exchange in a delayed exchange would hold nothing: what the outer one releases
    # has no delay left.
    if inner not in TYPES or inner == DelayedExchange.type:
        raise PreconditionFailed(f"unknown exchange type '{inner}'")
    return DelayedExchange(declaration, world, TYPES[inner](declaration, world))


TYPES: dict[str, Callable[[ExchangeDeclaration, ExchangeSurroundings], Exchange]] = {
    DirectExchange.type: DirectExchange,
    FanoutExchange.type: FanoutExchange,
    TopicExchange.type: TopicExchange,
    HeadersExchange.type: HeadersExchange,
    ConsistentHashExchange.type: ConsistentHashExchange,
    DelayedExchange.type: _create_delayed,
}
"""What makes an exchange, by the name of its type."""
