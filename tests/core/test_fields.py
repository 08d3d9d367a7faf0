"""Field values: their classes, their equality, and what AMQP can carry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.fields import check_table, copy_table, same_value, type_class, type_name

if TYPE_CHECKING:
    from minibroker.fields import Table

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

KINDS = [
    (None, "void", "void"),
    (True, "bool", "bool"),
    (0, "int", "signedint"),
    (-(2**31), "int", "signedint"),
    (2**31 - 1, "int", "signedint"),
    (2**31, "int", "long"),
    (-(2**31) - 1, "int", "long"),
    (Decimal("1.5"), "int", "decimal"),
    (1.0, "float", "double"),
    ("a", "longstr", "longstr"),
    (b"a", "binary", "binary"),
    (bytearray(b"a"), "binary", "binary"),
    (NOON, "timestamp", "timestamp"),
    ([1], "array", "array"),
    ((1,), "array", "array"),
    ({"a": 1}, "table", "table"),
]


@pytest.mark.semantics(31)
@pytest.mark.parametrize(("value", "kind", "name"), KINDS)
def test_a_value_has_the_class_and_the_name_that_rabbitmq_gives_it(
    value: object, kind: str, name: str
) -> None:
    assert type_class(value) == kind
    assert type_name(value) == name


@pytest.mark.parametrize("value", [{1}, object(), range(3), 1j, memoryview(b"a")])
def test_a_value_that_no_field_can_hold_has_no_class(value: object) -> None:
    with pytest.raises(TypeError, match=f"of type {type(value).__name__} is no AMQP field value"):
        type_class(value)


@pytest.mark.semantics(31, 49)
@pytest.mark.parametrize(
    ("a", "b"),
    [
        (5, 5),
        (2**40, 2**40),
        (1.5, 1.5),
        (Decimal("1.50"), Decimal("1.5")),
        ("x", "x"),
        (b"x", bytearray(b"x")),
        (None, None),
        (True, True),
        ([1, "a"], (1, "a")),
        ({"a": [1], "b": None}, {"b": None, "a": [1]}),
        (NOON, NOON + timedelta(milliseconds=900)),
        (NOON, NOON.astimezone(timezone(timedelta(hours=2)))),
    ],
)
def test_values_of_one_class_that_are_equal_are_the_same(a: object, b: object) -> None:
    assert same_value(a, b)
    assert same_value(b, a)


@pytest.mark.semantics(31, 49)
@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, "1"),
        (1, True),
        (0, False),
        (1, 1.0),
        (1, Decimal(1)),
        (Decimal("1.5"), 1.5),
        ("x", b"x"),
        (None, False),
        (None, ""),
        ([1], [True]),
        ([1], [1, 1]),
        ({"a": 1}, {"a": 1.0}),
        ({"a": 1}, {"b": 1}),
        (NOON, NOON + timedelta(seconds=1)),
        (float("nan"), float("nan")),
        ([], {}),
    ],
)
def test_values_that_only_python_takes_for_equal_are_not_the_same(a: object, b: object) -> None:
    assert not same_value(a, b)
    assert not same_value(b, a)


def nested(depth: int) -> dict[str, object]:
    table: dict[str, object] = {"end": 1}
    for _ in range(depth):
        table = {"in": table}
    return table


@pytest.mark.parametrize("table", [
    {},
    {"": ""},
    {"k" * 255: 1, "é" * 127: "é"},
    {"low": -(2**63), "high": 2**63 - 1},
    {"when": NOON, "bytes": b"\xff", "more": bytearray(b"\xff")},
    {"price": Decimal("-12.34"), "tiny": Decimal("1E-255"), "big": Decimal("2E9")},
    {"array": [1, "a", None, [True, {"deep": (1.5,)}]], "none": None},
    nested(99),
])  # fmt: skip
def test_a_table_that_amqp_can_carry_is_accepted(table: Table) -> None:
    check_table(table)


@pytest.mark.parametrize(
    ("table", "error", "words"),
    [
        ({"tags": {1, 2}}, TypeError, ["'tags'", "{1, 2}", "set"]),
        ({"a": {"b": [0, object()]}}, TypeError, ["'a.b[1]'", "object"]),
        ({1: "a"}, TypeError, ["field name 1", "not a string"]),
        ({"a": {None: "a"}}, TypeError, ["field name None in a"]),
        ({"n": 2**63}, ValueError, ["'n'", str(2**63), "64 bits"]),
        ({"n": -(2**63) - 1}, ValueError, ["'n'", "64 bits"]),
        ({"k" * 256: 1}, ValueError, ["kkk", "longer than 255 bytes"]),
        ({"é" * 128: 1}, ValueError, ["longer than 255 bytes"]),
        ({"when": datetime(2026, 1, 1)}, ValueError, ["'when'", "no time zone"]),  # noqa: DTZ001 -- a naive one is the point
        ({"d": Decimal("NaN")}, ValueError, ["'d'", "NaN", "decimal"]),
        ({"d": Decimal("1E-256")}, ValueError, ["'d'", "decimal"]),
        ({"d": Decimal(2**31)}, ValueError, ["'d'", str(2**31), "decimal"]),
        ({"d": Decimal("1E99")}, ValueError, ["'d'", "decimal"]),
        ({"d": Decimal("12345678901")}, ValueError, ["'d'", "decimal"]),
        ({"text": "\ud800"}, ValueError, ["'text'", "not Unicode"]),
        ({"\ud800": 1}, ValueError, ["field name", "not Unicode"]),
        (nested(102), ValueError, ["in.in", "nested too deep"]),
    ],
)
def test_a_table_that_amqp_cannot_carry_is_refused_by_name_and_value(
    table: Table, error: type[Exception], words: list[str]
) -> None:
    with pytest.raises(error) as caught:
        check_table(table)
    for word in words:
        assert word in str(caught.value)


def test_a_table_that_contains_itself_is_refused_instead_of_recursing_for_ever() -> None:
    table: dict[str, object] = {}
    table["self"] = [table]
    with pytest.raises(ValueError, match="nested too deep"):
        check_table(table)


def test_a_copy_shares_no_table_and_no_array_with_the_original() -> None:
    original: Table = {"a": {"b": [1, {"c": (2,)}]}, "raw": bytearray(b"x"), "plain": "text"}
    copy = copy_table(original)
    assert copy == {"a": {"b": [1, {"c": [2]}]}, "raw": b"x", "plain": "text"}
    inner = copy["a"]
    assert isinstance(inner, dict)
    inner["b"] = "changed"
    assert original["a"] == {"b": [1, {"c": (2,)}]}


def test_a_copy_shares_the_values_that_cannot_change() -> None:
    class Label(str):
        __slots__ = ()

    label, when = Label("mine"), NOON
    copy = copy_table({"label": label, "when": when, "many": [label]})
    assert copy["label"] is label
    assert copy["when"] is when
    assert copy["many"] == [label]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
    | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner,
                                                                max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=4))
def test_a_copy_is_the_same_as_its_original(table: Table) -> None:
    check_table(table)
    copy = copy_table(table)
    assert copy is not table
    assert same_value(copy, table)
