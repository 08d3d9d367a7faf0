"""Json with types: what Kombu writes is read, and the other way round."""

from __future__ import annotations

import json
import uuid
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minibroker_client.serialization import typed_json
from minibroker_client.serialization.typed_json import decode, encode, register_type

if TYPE_CHECKING:
    from collections.abc import Iterator

kombu: Any = pytest.importorskip("kombu.utils.json")

zones = st.none() | st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m)))
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=zones)
    | st.dates()
    | st.times()
    | st.decimals(allow_nan=False)
    | st.uuids()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@pytest.fixture
def _unchanged_types() -> Iterator[None]:
    """Put back what a test registers."""
    types, markers = typed_json._types.copy(), typed_json._markers.copy()
    yield
    for table, kept in ((typed_json._types, types), (typed_json._markers, markers)):
        table.clear()
        table.update(kept)  # type: ignore[arg-type]  # the two have different values


@pytest.mark.semantics(129, 130)
@settings(deadline=None)
@given(values)
def test_the_text_is_what_kombu_writes_and_reads(value: Any) -> None:
    text = encode(value)
    assert text == kombu.dumps(value)
    assert decode(text.encode()) == value
    assert kombu.loads(text) == value


def test_subclasses_tuples_and_hooks_are_encoded_as_kombu_does() -> None:
    class Moment(datetime):
        pass

    class Celsius:
        def __json__(self) -> str:
            return "20 C"

    class Point(NamedTuple):
        x: int
        y: int

    value = [Moment(2026, 11, 23, 1, 2, 3), (1, 2), Point(3, 4), Celsius()]
    assert encode(value) == kombu.dumps(value)
    moment = datetime.fromisoformat("2026-11-23T01:02:03")
    assert decode(encode(value)) == [moment, [1, 2], [3, 4], "20 C"]


def test_the_tags_are_those_of_kombu() -> None:
    value = {
        "d": date(2026, 11, 23),
        "t": time(1, 2),
        "n": Decimal("1.10"),
        "u": uuid.UUID(int=7),
        "b": b"text",
        "x": b"\xff",
    }
    assert json.loads(encode(value)) == {
        "d": {"__type__": "date", "__value__": "2026-11-23"},
        "t": {"__type__": "time", "__value__": "01:02:00"},
        "n": {"__type__": "decimal", "__value__": "1.10"},
        "u": {"__type__": "uuid", "__value__": {"hex": "0" * 31 + "7"}},
        "b": {"__type__": "bytes", "__value__": "text"},
        "x": {"__type__": "base64", "__value__": "/w=="},
    }
    assert decode(encode(value)) == value


def test_text_and_every_kind_of_buffer_is_read() -> None:
    for body in ('{"é": 1}', '{"é": 1}'.encode(), bytearray(b'{"\\u00e9": 1}')):
        assert decode(body) == {"é": 1}
    assert decode(memoryview(b"[1]")) == [1]


def test_a_dict_with_more_than_a_tag_is_left_alone() -> None:
    value = {"__type__": "date", "__value__": "2026-11-23", "more": 1}
    assert decode(encode(value)) == value


def test_a_tag_that_nobody_registered_is_named() -> None:
    with pytest.raises(ValueError, match="unknown __type__ 'unheard'"):
        decode('{"__type__": "unheard", "__value__": 1}')


def test_a_value_without_a_rule_is_named() -> None:
    with pytest.raises(TypeError, match="json has no rule for set"):
        encode({1})


@pytest.mark.usefixtures("_unchanged_types")
def test_a_registered_type_travels_under_its_marker() -> None:
    register_type(complex, "complex", str, complex)
    assert json.loads(encode([1j])) == [{"__type__": "complex", "__value__": "1j"}]
    assert decode(encode([1j])) == [1j]


@pytest.mark.usefixtures("_unchanged_types")
def test_a_type_without_a_marker_is_only_transformed() -> None:
    register_type(set, None, sorted)
    assert encode({2, 1}) == "[1, 2]"


@pytest.mark.usefixtures("_unchanged_types")
def test_a_type_may_come_back_as_its_encoded_form() -> None:
    register_type(frozenset, "frozenset", sorted)
    assert decode(encode(frozenset({2, 1}))) == [1, 2]
