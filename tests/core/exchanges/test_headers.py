"""The headers exchange."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from minibroker.errors import PreconditionFailed
from minibroker.exchanges import Binding

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.exchanges import Exchange
    from minibroker.fields import FieldValue, Table


@pytest.mark.semantics(49)
@pytest.mark.parametrize(
    ("arguments", "headers", "does"),
    [
        # all, which is the default
        ({"a": 1, "b": "2"}, {"a": 1, "b": "2", "c": 3}, True),
        ({"a": 1, "b": "2"}, {"a": 1}, False),
        ({"a": 1, "b": "2"}, {"a": 1, "b": "3"}, False),
        ({"x-match": "all", "a": 1}, {"a": 1}, True),
        ({"x-match": "all", "a": 1}, None, False),
        ({"x-match": "all"}, None, True),
        ({}, {"a": 1}, True),
        # any
        ({"x-match": "any", "a": 1, "b": 2}, {"b": 2}, True),
        ({"x-match": "any", "a": 1, "b": 2}, {"b": 1, "a": 2}, False),
        ({"x-match": "any"}, {"a": 1}, False),
        ({"x-match": "any", "a": 1}, None, False),
        # names that start with x-
        ({"x-match": "all", "x-a": 1, "b": 2}, {"b": 2}, True),
        ({"x-match": "any", "x-a": 1, "b": 2}, {"x-a": 1}, False),
        ({"x-match": "all-with-x", "x-a": 1, "b": 2}, {"b": 2}, False),
        ({"x-match": "all-with-x", "x-a": 1, "b": 2}, {"b": 2, "x-a": 1}, True),
        ({"x-match": "any-with-x", "x-a": 1, "b": 2}, {"x-a": 1}, True),
        ({"x-match": "any-with-x", "x-a": 1}, {"x-a": 2}, False),
        ({"x-match": "all-with-x"}, None, True),
        ({"x-match": "any-with-x"}, {"x-match": "any-with-x"}, False),
        # void asks for the name alone
        ({"a": None}, {"a": 5}, True),
        ({"a": None}, {"a": None}, True),
        ({"a": None}, {"b": 5}, False),
        ({"a": 5}, {"a": None}, False),
        ({"x-match": "any", "a": None, "b": 1}, {"a": "x"}, True),
    ],
)
def test_a_binding_asks_for_all_or_any_of_its_arguments(
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
    arguments: Table,
    headers: Table | None,
    *,
    does: bool,
) -> None:
    exchange = declare("headers")
    bind(exchange, declare(name="a"), "the key does not count", arguments)
    assert matched(exchange, "k", headers=headers) == (["a"] if does else [])


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.semantics(49)
@pytest.mark.parametrize(
    ("wanted", "there", "does"),
    [
        ("1", 1, False),
        (1, 1, True),
        (1, True, False),
        (1, 1.0, True),
        (True, 1.0, False),
        (1, Decimal(1), False),
        ("a", b"a", False),
        (NOON, NOON, True),
        ([1, "a"], [1, "a"], True),
        ([1, "a"], ["a", 1], False),
        ({"b": {"c": 1}}, {"b": {"c": 1}}, True),
        ({"b": {"c": 1}}, {"b": {"c": "1"}}, False),
    ],
)
def test_header_values_are_equal_by_type_and_value(
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
    wanted: FieldValue,
    there: FieldValue,
    *,
    does: bool,
) -> None:
    exchange = declare("headers")
    bind(exchange, declare(name="a"), "", {"h": wanted})
    assert matched(exchange, "", headers={"h": there}) == (["a"] if does else [])


@pytest.mark.semantics(49)
@pytest.mark.parametrize(
    ("mode", "text"),
    [
        ("foo", 'value <<"foo">>; expected all, any, all-with-x, or any-with-x'),
        ("", 'value <<"">>; expected all, any, all-with-x, or any-with-x'),
        (23, "type signedint (value 23); expected longstr"),
        (True, "type bool (value true); expected longstr"),
        (None, "type void (value undefined); expected longstr"),
    ],
)
def test_another_x_match_is_refused_and_nothing_is_bound(
    declare: Callable[..., Exchange], mode: FieldValue, text: str
) -> None:
    exchange = declare("headers")
    with pytest.raises(PreconditionFailed) as caught:
        exchange.bind(Binding(exchange, exchange, "", {"x-match": mode, "a": 1}))
    assert str(caught.value) == f"Invalid x-match field {text}"
    assert not exchange.is_bound
    exchange._check()


def test_destinations_come_once_per_binding_and_not_per_key(
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
) -> None:
    exchange, a, b = declare("headers"), declare(name="a"), declare(name="b")
    bind(exchange, b, "", {"n": 1})
    bind(exchange, a, "", {"n": 1})
    bind(exchange, b, "k", {"n": 1})
    assert matched(exchange, "k", "l", headers={"n": 1}) == ["b", "a", "b"]
