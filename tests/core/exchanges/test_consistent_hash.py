"""The consistent hash exchange."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from minibroker.errors import PreconditionFailed
from minibroker.exchanges import Binding

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.exchanges import Exchange
    from minibroker.fields import FieldValue, Table

KEYS = [f"order-{number}" for number in range(4_000)]


def spread(exchange: Exchange, matched: Callable[..., list[str]]) -> dict[str, str]:
    """Which destination each of the keys goes to."""
    found = {}
    for key in KEYS:
        (found[key],) = matched(exchange, key)
    return found


@pytest.mark.semantics(54)
def test_every_message_has_one_destination_and_always_the_same(
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
) -> None:
    exchange = declare("x-consistent-hash")
    assert matched(exchange, "k") == []
    for name in "abcd":
        bind(exchange, declare(name=name), "1")
    owners = spread(exchange, matched)
    assert spread(exchange, matched) == owners
    assert all(800 < count < 1_200 for count in Counter(owners.values()).values())


def test_the_destination_of_a_key_is_the_same_in_every_process(
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
) -> None:
    exchange = declare("x-consistent-hash")
    for name in "abcdefgh":
        bind(exchange, declare(name=name), "1")
    assert "".join(matched(exchange, key)[0] for key in KEYS[:24]) == "bfbdaeaegfhfhcgghdahaaeh"


@pytest.mark.semantics(54)
def test_the_binding_key_is_a_weight(
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
) -> None:
    exchange = declare("x-consistent-hash")
    bind(exchange, declare(name="light"), "1")
    bind(exchange, declare(name="heavy"), "+3")
    counts = Counter(spread(exchange, matched).values())
    assert 2.6 < counts["heavy"] / counts["light"] < 3.4


def test_a_huge_weight_costs_no_more_than_a_small_one(
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
) -> None:
    exchange = declare("x-consistent-hash")
    bind(exchange, declare(name="light"), "1")
    bind(exchange, declare(name="heavy"), "9" * 15)
    assert matched(exchange, "k") == ["heavy"]


def test_a_new_destination_takes_its_share_and_moves_nothing_else(
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
) -> None:
    exchange = declare("x-consistent-hash")
    for name in "abcdefghi":
        bind(exchange, declare(name=name), "1")
    before = spread(exchange, matched)
    newcomer = declare(name="new")
    bind(exchange, newcomer, "1")
    after = spread(exchange, matched)
    moved = [key for key in KEYS if before[key] != after[key]]
    assert {after[key] for key in moved} == {"new"}
    assert 300 < len(moved) < 500
    exchange.unbind(newcomer, "1", {})
    assert spread(exchange, matched) == before
    exchange._check()


@pytest.mark.semantics(54)
@pytest.mark.parametrize(
    ("weight", "text"),
    [
        ("0", "The binding key must be greater than 0"),
        ("-1", "The binding key must be greater than 0"),
        ("", 'The binding key must be an integer: <<"">>'),
        ("a", 'The binding key must be an integer: <<"a">>'),
        ("1.5", 'The binding key must be an integer: <<"1.5">>'),
        (" 1", 'The binding key must be an integer: <<" 1">>'),
        ("1_0", 'The binding key must be an integer: <<"1_0">>'),
        ("\N{ARABIC-INDIC DIGIT FIVE}", None),
    ],
)
def test_a_weight_is_a_whole_number_from_1(
    declare: Callable[..., Exchange], weight: str, text: str | None
) -> None:
    exchange = declare("x-consistent-hash")
    with pytest.raises(PreconditionFailed) as caught:
        exchange.bind(Binding(exchange, exchange, weight, {}))
    assert text is None or str(caught.value) == text
    assert not exchange.is_bound


@pytest.fixture
def of_eight(
    declare: Callable[..., Exchange], bind: Callable[..., bool]
) -> Callable[[Table], Exchange]:
    """An exchange with eight destinations and these arguments."""

    def build(arguments: Table) -> Exchange:
        exchange = declare("x-consistent-hash", arguments)
        for name in "abcdefgh":
            bind(exchange, declare(name=name), "1")
        return exchange

    return build


@pytest.mark.semantics(54)
@pytest.mark.parametrize(
    "value", ["text", 5, True, 1.5, b"bytes", [1, "a"], {"b": 1, "a": 2}, None, "\ud800"]
)
def test_hash_header_hashes_the_value_of_that_header(
    of_eight: Callable[[Table], Exchange], matched: Callable[..., list[str]], value: FieldValue
) -> None:
    exchange = of_eight({"hash-header": "h"})
    (owner,) = matched(exchange, "k", headers={"h": value})
    assert matched(exchange, "another key", headers={"h": value, "i": 1}) == [owner]
    assert not exchange.routes_by_key


def test_different_header_values_go_to_different_destinations(
    of_eight: Callable[[Table], Exchange], matched: Callable[..., list[str]]
) -> None:
    exchange = of_eight({"hash-header": "h"})
    owners = {matched(exchange, "k", headers={"h": number})[0] for number in range(100)}
    assert owners == set("abcdefgh")
    missing = [matched(exchange, key) for key in KEYS[:100]]
    assert missing == missing[:1] * 100


@pytest.mark.semantics(54)
@pytest.mark.parametrize("name", ["message_id", "correlation_id", "timestamp"])
def test_hash_property_hashes_that_property(
    of_eight: Callable[[Table], Exchange], matched: Callable[..., list[str]], name: str
) -> None:
    exchange = of_eight({"hash-property": name})
    values = [
        datetime.fromtimestamp(number, UTC) if name == "timestamp" else str(number)
        for number in range(100)
    ]
    owners = [matched(exchange, "k", **{name: value})[0] for value in values]
    assert set(owners) == set("abcdefgh")
    assert owners == [matched(exchange, "l", **{name: value})[0] for value in values]


@pytest.mark.semantics(54)
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"hash-header": "h", "hash-property": "message_id"},
            "hash-header and hash-property are mutually exclusive",
        ),
        ({"hash-property": "app_id"}, "Unsupported property: app_id"),
        ({"hash-header": 5}, "invalid arg 'hash-header': expected longstr, got signedint"),
    ],
)
def test_hash_arguments_that_make_no_sense_are_refused(
    declare: Callable[..., Exchange], arguments: Table, text: str
) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        declare("x-consistent-hash", arguments)
    assert str(caught.value) == text


def test_only_the_first_of_several_keys_is_hashed(
    of_eight: Callable[[Table], Exchange], matched: Callable[..., list[str]]
) -> None:
    exchange = of_eight({})
    assert exchange.routes_by_key
    assert [matched(exchange, key, "copy") for key in KEYS[:50]] == [
        matched(exchange, key) for key in KEYS[:50]
    ]
