"""What all exchange types share: bindings, their identity and their order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from minibroker.exchanges import Binding, ExchangeDeclaration
from minibroker.exchanges.exchange import canonical

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.exchanges import Exchange
    from minibroker.fields import FieldValue


ALL_TYPES = ("direct", "fanout", "topic", "headers", "x-consistent-hash", "x-delayed-message")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(params=ALL_TYPES)
def exchange(request: pytest.FixtureRequest, declare: Callable[..., Exchange]) -> Exchange:
    """One exchange of each type."""
    return declare(request.param, {"x-delayed-type": "topic"})


@pytest.mark.semantics(40)
def test_the_same_binding_twice_is_one_binding(
    exchange: Exchange, declare: Callable[..., Exchange], bind: Callable[..., bool]
) -> None:
    a = declare(name="a")
    assert bind(exchange, a, "1", {"n": 1})
    assert not bind(exchange, a, "1", {"n": 1})
    assert len(exchange.bindings) == 1


@pytest.mark.semantics(40)
def test_another_key_or_another_argument_is_another_binding(
    exchange: Exchange, declare: Callable[..., Exchange], bind: Callable[..., bool]
) -> None:
    a, b = declare(name="a"), declare(name="a")
    assert bind(exchange, a, "1")
    assert bind(exchange, a, "2")
    assert bind(exchange, a, "1", {"n": 1})
    assert bind(exchange, a, "1", {"n": "1"})
    assert bind(exchange, b, "1")
    assert len(exchange.bindings) == 5


def test_bindings_are_listed_in_the_order_they_were_made(
    exchange: Exchange, declare: Callable[..., Exchange], bind: Callable[..., bool]
) -> None:
    destinations = [declare(name=name) for name in "cab"]
    for destination in destinations:
        bind(exchange, destination, "1")
    assert [binding.destination for binding in exchange.bindings] == destinations
    assert "3 bindings" in repr(exchange)


def test_unbinding_removes_that_binding_only(
    exchange: Exchange,
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
) -> None:
    a, b = declare(name="a"), declare(name="b")
    bind(exchange, a, "1")
    bind(exchange, a, "1", {"n": 1})
    bind(exchange, b, "1", {"n": 1})
    assert exchange.unbind(a, "1", {"n": 1})
    exchange._check()
    assert exchange.unbind(b, "1", {"n": 1})
    exchange._check()
    assert [binding.destination for binding in exchange.bindings] == [a]
    assert matched(exchange, "1") == ["a"]


@pytest.mark.semantics(37)
def test_unbinding_what_is_not_bound_is_no_error(
    exchange: Exchange, declare: Callable[..., Exchange], bind: Callable[..., bool]
) -> None:
    a = declare(name="a")
    assert not exchange.unbind(a, "1", {})
    bind(exchange, a, "1")
    assert not exchange.unbind(a, "2", {})
    assert not exchange.unbind(a, "1", {"n": 1})
    assert exchange.is_bound


def test_a_destination_that_goes_away_takes_all_its_bindings_along(
    exchange: Exchange,
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
) -> None:
    a, b = declare(name="a"), declare(name="b")
    for key in ("1", "2", "3"):
        bind(exchange, a, key)
    bind(exchange, b, "1")
    assert exchange.unbind_all(a) == 3
    exchange._check()
    assert matched(exchange, "1") == ["b"]
    assert exchange.unbind_all(a) == 0
    assert exchange.unbind_all(b) == 1
    exchange._check()
    assert not exchange.is_bound
    assert matched(exchange, "1") == []


def test_an_exchange_knows_each_binding_and_where_it_leads(
    exchange: Exchange, declare: Callable[..., Exchange], bind: Callable[..., bool]
) -> None:
    a, b = declare(name="a"), declare(name="a")
    bind(exchange, a, "1", {"n": 1})
    bind(exchange, a, "2")
    assert exchange.find(a, "1", {"n": 1})
    assert exchange.find(a, "2", {})
    assert not exchange.find(a, "1", {})
    assert not exchange.find(a, "1", {"n": "1"})
    assert not exchange.find(b, "2", {})
    assert exchange.leads_to(a)
    assert not exchange.leads_to(b)
    exchange.unbind(a, "2", {})
    assert not exchange.find(a, "2", {})
    assert exchange.leads_to(a)
    exchange.unbind_all(a)
    assert not exchange.find(a, "1", {"n": 1})
    assert not exchange.leads_to(a)


def test_a_binding_that_came_back_is_the_last_in_order(
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
) -> None:
    for kind in ("direct", "fanout", "topic", "headers"):
        exchange, a, b = declare(kind), declare(name="a"), declare(name="b")
        bind(exchange, a, "k")
        bind(exchange, b, "k")
        exchange.unbind(a, "k", {})
        bind(exchange, a, "k")
        assert matched(exchange, "k") == ["b", "a"]


def test_an_exchange_holds_nothing_unless_its_type_does(
    exchange: Exchange, matched: Callable[..., list[str]]
) -> None:
    exchange.delete()
    assert matched(exchange, "1") == []


def test_the_alternate_exchange_is_the_argument_until_a_policy_says_otherwise(
    declare: Callable[..., Exchange],
) -> None:
    assert declare("direct").alternate is None
    assert declare("direct", {"alternate-exchange": "other"}).alternate == "other"
    assert declare("direct", {"alternate-exchange": 5}).alternate is None


def test_a_declaration_is_of_a_plain_direct_exchange_by_default() -> None:
    plain = ExchangeDeclaration("x")
    assert (plain.type, plain.durable, plain.auto_delete, plain.internal) == (
        ("direct", False, False, False)
    )
    assert plain.arguments == {}


def test_arguments_that_no_table_can_hold_are_refused_before_anything_changes(
    declare: Callable[..., Exchange],
) -> None:
    exchange = declare("headers")
    with pytest.raises(TypeError, match="object"):
        Binding(exchange, exchange, "", {"n": object()})  # type: ignore[dict-item]  # refused
    assert not exchange.is_bound


EQUAL: list[tuple[FieldValue, FieldValue]] = [
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ([1, "a", {"b": [None]}], (1, "a", {"b": (None,)})),
    (b"a", bytearray(b"a")),
    (NOON, NOON + timedelta(milliseconds=3)),
    (float("nan"), float("nan")),
]
DIFFERENT: list[tuple[FieldValue, FieldValue]] = [
    (1, "1"),
    (1, True),
    (1, 1.0),
    (1, Decimal(1)),
    ("a", b"a"),
    ([1, 2], [2, 1]),
    ({"a": 1}, {"a": True}),
    ({"a": 1}, {"b": 1}),
    ({}, []),
    (None, False),
    (NOON, NOON + timedelta(seconds=1)),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal_field_values_have_one_canonical_form(one: FieldValue, other: FieldValue) -> None:
    assert canonical(one) == canonical(other)
    assert hash(canonical(one)) == hash(canonical(other))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_values_of_different_amqp_types_are_different(one: FieldValue, other: FieldValue) -> None:
    assert canonical(one) != canonical(other)


def test_ten_thousand_bindings_to_one_destination_go_one_by_one_or_at_once(
    exchange: Exchange, declare: Callable[..., Exchange]
) -> None:
    a = declare(name="a")
    for number in range(1, 10_001):
        exchange.bind(Binding(exchange, a, str(number), {}))
    exchange._check()
    for number in range(1, 5_001):
        assert exchange.unbind(a, str(number), {})
    assert exchange.unbind_all(a) == 5_000
    exchange._check()
