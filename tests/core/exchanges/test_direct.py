"""The direct exchange and the default exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from minibroker.errors import AccessRefused
from minibroker.exchanges import Binding, DefaultExchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.exchanges import Exchange, ExchangeSurroundings
    from minibroker.queues.base import BaseQueue


@pytest.fixture
def default(world: ExchangeSurroundings) -> DefaultExchange:
    """The default exchange of a virtual host without queues."""
    return DefaultExchange(world)


@pytest.mark.semantics(47)
def test_a_direct_exchange_compares_the_whole_key(
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
) -> None:
    exchange, a, b = declare("direct"), declare(name="a"), declare(name="b")
    bind(exchange, a, "k")
    bind(exchange, b, "k.*")
    bind(exchange, b, "")
    assert matched(exchange, "k") == ["a"]
    assert matched(exchange, "k.x") == []
    assert matched(exchange, "k.*") == ["b"]
    assert matched(exchange, "") == ["b"]
    assert matched(exchange, "K") == []


def test_a_direct_exchange_matches_each_of_several_keys(
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
) -> None:
    exchange, a, b = declare("direct"), declare(name="a"), declare(name="b")
    bind(exchange, b, "1")
    bind(exchange, a, "1")
    bind(exchange, a, "2")
    assert matched(exchange, "2", "none", "1") == ["a", "b", "a"]


def test_ten_thousand_bindings_of_one_key_are_matched_in_order(
    declare: Callable[..., Exchange], matched: Callable[..., list[str]]
) -> None:
    exchange = declare("direct")
    destinations = [declare(name=str(number)) for number in range(10_000)]
    for destination in destinations:
        exchange.bind(Binding(exchange, destination, "k", {}))
    exchange._check()
    assert matched(exchange, "k") == [destination.name for destination in destinations]


@pytest.mark.semantics(26)
def test_nothing_binds_to_the_default_exchange_or_unbinds(
    default: DefaultExchange, declare: Callable[..., Exchange]
) -> None:
    a = declare(name="a")
    binding = Binding(default, a, "a", {})
    refused = "^operation not permitted on the default exchange$"
    with pytest.raises(AccessRefused, match=refused):
        default.bind(binding)
    with pytest.raises(AccessRefused, match=refused):
        default.unbind(a, "a", {})
    assert default.unbind_all(a) == 0
    assert not default.is_bound
    default._check()


def queue(named: Exchange) -> BaseQueue:
    """Anything with a name: the default exchange asks no more of a queue."""
    return cast("BaseQueue", named)


@pytest.mark.semantics(41, 47)
def test_the_default_exchange_takes_the_key_for_the_name_of_a_queue(
    default: DefaultExchange,
    declare: Callable[..., Exchange],
    matched: Callable[..., list[str]],
) -> None:
    default.memo = {name: (queue(declare(name=name)),) for name in ("a", "b")}
    assert (default.name, default.type, default.durable) == ("", "direct", True)
    assert matched(default, "a") == ["a"]
    assert matched(default, "b", "c", "a") == ["b", "a"]
    assert matched(default, "c") == []
    assert [(b.source, b.destination.name, b.routing_key) for b in default.bindings] == (
        [(default, "a", "a"), (default, "b", "b")]
    )
    assert not default.is_bound
    default._check()


@pytest.mark.semantics(117)
def test_the_default_exchange_asks_its_fallback_for_a_key_that_is_no_queue(
    default: DefaultExchange,
    declare: Callable[..., Exchange],
    matched: Callable[..., list[str]],
) -> None:
    a, reply = declare(name="a"), declare(name="reply")
    default.memo = {"a": (queue(a),)}
    asked: list[str] = []

    def fallback(key: str) -> BaseQueue | None:
        asked.append(key)
        return queue(reply) if key == "reply" else None

    default.fallback = fallback
    assert matched(default, "a", "reply", "other") == ["a", "reply"]
    assert asked == ["reply", "other"]
