"""Field tables as bytes: each type's letter, what is refused, and any bytes at all."""

from __future__ import annotations

import math
import struct
from collections import ChainMap
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.errors import SyntaxInvalid
from minibroker.fields import MAX_DEPTH, FarTimestamp, check_table, type_class
from minibroker.wire.amqp import decode_table, encode_table

from .strategies import SIMPLE, TABLES, carried, damaged

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOON_SECONDS = struct.pack(">Q", 1795435200)
LAST_SECOND = 253402300799


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    HIGH = 9


class Price(Decimal):
    pass


class Claimed(bytes):
    """Says that it is larger than AMQP allows, for a test has no 4 GiB to spend."""

    def __len__(self) -> int:
        return 1 << 32


def table(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def field(value: bytes, name: bytes = b"k") -> bytes:
    """A table with one field."""
    return table(bytes((len(name),)) + name + value)


def read(value: bytes) -> Any:
    """The value whose letter and octets are given, read from a table and from an array."""
    alone = decode_table(field(value))[0]["k"]
    array = decode_table(field(b"A" + table(value)))[0]["k"]
    assert repr(array) == repr([alone])
    return alone


# Value, letter and octets: written so, and read back.
WRITTEN = [
    (True, b"t\x01"),
    (False, b"t\x00"),
    (0, b"I\x00\x00\x00\x00"),
    (-1, b"I\xff\xff\xff\xff"),
    (2**31 - 1, b"I\x7f\xff\xff\xff"),
    (-(2**31), b"I\x80\x00\x00\x00"),
    (2**31, b"l\x00\x00\x00\x00\x80\x00\x00\x00"),
    (-(2**31) - 1, b"l\xff\xff\xff\xff\x7f\xff\xff\xff"),
    (2**63 - 1, b"l\x7f" + b"\xff" * 7),
    (-(2**63), b"l\x80" + b"\x00" * 7),
    (1.5, b"d\x3f\xf8" + b"\x00" * 6),
    (math.inf, b"d\x7f\xf0" + b"\x00" * 6),
    ("", b"S\x00\x00\x00\x00"),
    ("né", b"S\x00\x00\x00\x03n\xc3\xa9"),
    (b"\xff\x00", b"x\x00\x00\x00\x02\xff\x00"),
    (Decimal("12.34"), b"D\x02\x00\x00\x04\xd2"),
    (Decimal("-0.5"), b"D\x01\xff\xff\xff\xfb"),
    (Decimal("1E-255"), b"D\xff\x00\x00\x00\x01"),
    (NOON, b"T" + NOON_SECONDS),
    (datetime(1970, 1, 1, tzinfo=UTC), b"T" + b"\x00" * 8),
    ([], b"A\x00\x00\x00\x00"),
    ([1, "a"], b"A\x00\x00\x00\x0bI\x00\x00\x00\x01S\x00\x00\x00\x01a"),
    ({}, b"F\x00\x00\x00\x00"),
    ({"a": None}, b"F\x00\x00\x00\x03\x01aV"),
    (None, b"V"),
]

# Written as something simpler than they are.
SIMPLIFIED = [
    (bytearray(b"a"), b"x\x00\x00\x00\x01a"),
    ((None, True), b"A\x00\x00\x00\x03Vt\x01"),
    (Decimal("2E3"), b"D\x00\x00\x00\x07\xd0"),
    (Decimal("-0"), b"D\x00\x00\x00\x00\x00"),
    (NOON + timedelta(microseconds=999_999), b"T" + NOON_SECONDS),
    (NOON.astimezone(timezone(timedelta(hours=-7))), b"T" + NOON_SECONDS),
    (Colour.RED, b"S\x00\x00\x00\x03red"),
    (Level.HIGH, b"I\x00\x00\x00\x09"),
    (Price("0.5"), b"D\x01\x00\x00\x00\x05"),
    (MappingProxyType({"a": None}), b"F\x00\x00\x00\x03\x01aV"),
    (ChainMap({"a": None}), b"F\x00\x00\x00\x03\x01aV"),
]

# Read, but never written.
ONLY_READ = [
    (b"t\x02", True),
    (b"b\xff", -1),
    (b"B\xff", 255),
    (b"s\xff\xff", -1),
    (b"u\xff\xff", 65535),
    (b"i\xff\xff\xff\xff", 2**32 - 1),
    (b"L" + b"\xff" * 8, -1),
    (b"f\x3f\xc0\x00\x00", 1.5),
    (b"S\x00\x00\x00\x02\xff\xfe", b"\xff\xfe"),
    (b"D\x01\x80\x00\x00\x00", Decimal("-214748364.8")),
    (b"D\xff\x00\x00\x00\x00", Decimal(0)),
    (b"T" + struct.pack(">Q", LAST_SECOND), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
]


def test_a_table_is_its_length_then_name_letter_and_value_of_each_field() -> None:
    encoded = b"\x00\x00\x00\x0f\x01aI\x00\x00\x00\x07\x01bS\x00\x00\x00\x01x"
    assert encode_table({"a": 7, "b": "x"}) == encoded
    assert decode_table(encoded) == ({"a": 7, "b": "x"}, len(encoded))
    assert encode_table({}) == b"\x00\x00\x00\x00"
    assert decode_table(b"\x00\x00\x00\x00") == ({}, 4)


@pytest.mark.parametrize(("value", "octets"), WRITTEN)
def test_a_value_is_written_with_its_letter_and_read_back(value: Any, octets: bytes) -> None:
    assert encode_table({"k": value}) == field(octets)
    assert encode_table({"k": [value]}) == field(b"A" + table(octets))
    assert read(octets) == value
    assert type_class(read(octets)) == type_class(value)
    assert encode_table({"k": read(octets)}) == field(octets)


@pytest.mark.parametrize(("value", "octets"), SIMPLIFIED)
def test_a_derived_or_finer_value_is_written_as_what_amqp_has(value: Any, octets: bytes) -> None:
    assert encode_table({"k": value}) == field(octets)
    assert encode_table({"k": [value]}) == field(b"A" + table(octets))


@pytest.mark.parametrize(("octets", "value"), ONLY_READ)
def test_the_other_letters_are_read_as_rabbitmq_reads_them(octets: bytes, value: Any) -> None:
    assert read(octets) == value
    assert isinstance(read(octets), type(value))
    # As `L` is the same as `l`, that is what it is written as.
    assert encode_table({"k": read(octets)}) == field(
        octets.replace(b"L", b"l").replace(b"t\x02", b"t\x01")
    )


def test_a_number_that_is_none_is_carried_too() -> None:
    assert math.isnan(read(encode_table({"k": math.nan})[6:]))


def test_the_last_microsecond_of_the_last_year_is_in_its_second() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    assert encode_table({"k": last}) == field(b"T" + struct.pack(">Q", LAST_SECOND))


def test_decimals_do_not_depend_on_the_context_of_the_caller() -> None:
    with localcontext() as context:
        context.prec = 2
        encoded = encode_table({"k": Decimal("1234.567")})
        assert encoded == field(b"D\x03\x00\x12\xd6\x87")
        assert decode_table(encoded)[0]["k"] == Decimal("1234.567")


def test_a_table_is_read_from_the_middle_and_what_follows_is_left_alone() -> None:
    encoded = encode_table({"a": [1, {"b": None}]})
    data = b"before" + encoded + b"after"
    assert decode_table(data, 6) == ({"a": [1, {"b": None}]}, 6 + len(encoded))


def test_of_two_fields_with_one_name_the_latter_counts() -> None:
    assert decode_table(table(b"\x01at\x00\x01at\x01"))[0] == {"a": True}


def test_a_name_has_up_to_255_bytes_of_utf8() -> None:
    names = {"": 1, "k" * 255: 2, "é" * 127: 3}
    assert decode_table(encode_table(names))[0] == names


@given(TABLES)
def test_what_was_written_is_read_with_its_type_class(values: dict[str, Any]) -> None:
    encoded = encode_table(values)
    decoded, end = decode_table(encoded)
    assert decoded == carried(values)
    assert end == len(encoded)
    assert list(map(type_class, decoded.values())) == list(map(type_class, values.values()))


def nested(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"end": 1}
    for level in range(depth):
        inner = {"in": [inner]} if level % 2 else {"in": inner}
    return inner


def boxes(depth: int) -> bytes:
    """Arrays within arrays, encoded."""
    body = b""
    for _ in range(depth):
        body = b"A" + table(body)
    return field(body)


def test_tables_and_arrays_are_carried_up_to_the_depth_that_is_checked() -> None:
    deep: dict[str, Any] = {}
    for _ in range(MAX_DEPTH):
        deep = {"in": deep}
    check_table(deep)
    assert decode_table(encode_table(deep))[0] == deep
    with pytest.raises(ValueError, match="nested too deep"):
        encode_table({"in": deep})
    assert decode_table(boxes(MAX_DEPTH))[1] == len(boxes(MAX_DEPTH))
    with pytest.raises(SyntaxInvalid, match="array at byte 506 is nested over 100 deep"):
        decode_table(boxes(MAX_DEPTH + 1))
    with pytest.raises(SyntaxInvalid, match="nested over 100 deep"):
        decode_table(boxes(5000))


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"tags": {1, 2}}, TypeError, ["'tags'", "{1, 2}", "set"]),
        ({"a": {"b": [0, object()]}}, TypeError, ["'a.b[1]'", "object"]),
        ({1: "a"}, TypeError, ["field name 1", "not a string"]),
        ({"a": {b"raw": 1}}, TypeError, ["field name b'raw' in a", "not a string"]),
        ({"n": 2**63}, ValueError, ["'n'", str(2**63), "64 bits"]),
        ({"n": [-(2**63) - 1]}, ValueError, ["'n[0]'", "64 bits"]),
        ({"k" * 256: 1}, ValueError, ["kkk", "longer than 255 bytes"]),
        ({"é" * 128: 1}, ValueError, ["longer than 255 bytes"]),
        ({"when": datetime(2026, 1, 1)}, ValueError, ["'when'", "no time zone"]),  # noqa: DTZ001 -- a naive one is the point
        ({"d": Decimal("NaN")}, ValueError, ["'d'", "NaN", "decimal"]),
        ({"d": Decimal("-Infinity")}, ValueError, ["'d'", "Infinity", "decimal"]),
        ({"d": Decimal("1E-256")}, ValueError, ["'d'", "decimal"]),
        ({"d": Decimal(2**31)}, ValueError, ["'d'", str(2**31), "decimal"]),
        ({"d": Decimal("1E999999")}, ValueError, ["'d'", "decimal"]),
        ({"d": Decimal("0E11")}, ValueError, ["'d'", "decimal"]),
        ({"text": "\ud800"}, ValueError, ["'text'", "not Unicode"]),
        ({"\ud800": 1}, ValueError, ["field name", "not Unicode"]),
        (nested(102), ValueError, ["in.in", "nested too deep"]),
        (
            {"ok": 1, "then": [datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)]},
            ValueError,
            ["'then'", "1969", "no timestamp is before 1970"],
        ),
        ({"ok": 1, "huge": Claimed(b"abc")}, ValueError, ["'huge'", "b'abc'", "4294967295"]),
        ([1], TypeError, ["[1] is not a field table"]),
        (None, TypeError, ["None is not a field table"]),
    ],
)
def test_what_amqp_cannot_carry_is_refused_by_name_and_value(
    values: Any, error: type[Exception], words: list[str]
) -> None:
    with pytest.raises(error) as caught:
        encode_table(values)
    assert type(caught.value) is error
    for word in words:
        assert word in str(caught.value)


def test_a_table_that_contains_itself_is_refused() -> None:
    values: dict[str, Any] = {}
    values["self"] = [values]
    with pytest.raises(ValueError, match="nested too deep"):
        encode_table(values)


LEAST = Decimal(-(2**31)).as_tuple().digits
DOUBTFUL = st.one_of(
    SIMPLE,
    st.decimals(),
    st.decimals(-(10**11), 10**11, allow_nan=False),
    st.integers(-(2**64), 2**64),
    st.integers(1, 3).map(lambda number: {number}),
    st.datetimes(datetime(1970, 1, 2)),  # noqa: DTZ001 -- naive ones are to be refused
    st.just("\udc00"),
)


@given(st.dictionaries(st.text(max_size=3) | st.just("k" * 256) | st.just(5), DOUBTFUL, max_size=3))
def test_exactly_what_passes_the_check_of_a_table_is_written(values: Any) -> None:
    try:
        check_table(values)
    except (TypeError, ValueError) as error:
        # The one decimal that the 32 bits hold and the check refuses: it can be read.
        if any(isinstance(v, Decimal) and v.as_tuple().digits == LEAST for v in values.values()):
            return
        with pytest.raises(type(error)) as caught:
            encode_table(values)
        assert str(caught.value) == str(error)
    else:
        assert decode_table(encode_table(values))[0] == values


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "table at byte 0 has no length"),
        (b"\x00\x00\x00", "table at byte 0 has no length"),
        (b"\x00\x00\x00\x01", "table at byte 0 runs past the end"),
        (table(b"\x05ab"), "field 'ab' at byte 4 runs past its table"),
        (table(b"\x05\xc3"), "field '\ufffd' at byte 4 runs past its table"),
        (table(b"\x01k"), "field 'k' at byte 4 runs past its table"),
        (table(b"\x01at\x01\x01bI\x00\x00\x00"), "field 'b' at byte 8 runs past its table"),
        (field(b"S\x00\x00\x00\x02a"), "field 'k' at byte 4 runs past its table"),
        (field(b"S\x00\x00\x00"), "field 'k' at byte 4 runs past its table"),
        (field(b"x\xff\xff\xff\xffab"), "field 'k' at byte 4 runs past its table"),
        (field(b"F\x00\x00\x00\x05\x01aV"), "field 'k' at byte 4 runs past its table"),
        (field(b"D\x00\x00"), "field 'k' at byte 4 runs past its table"),
        (field(b"T\x00\x00"), "field 'k' at byte 4 runs past its table"),
        (field(b"F" + table(b"\x01at")) + b"\x01", "field 'a' at byte 11 runs past its table"),
        (field(b"F" + table(b"\x01a")) + b"?", "field 'a' at byte 11 runs past its table"),
        (field(b"A" + table(b"VI\x00")), "array element at byte 12 runs past its array"),
        (
            field(b"A" + table(b"S\x00\x00\x00\x01")) + b"a",
            "element at byte 11 runs past its array",
        ),
        (table(b"\x01\xffV"), r"field name b'\xff' at byte 4 is not UTF-8"),
        (field(b"Z"), "unknown field type 'Z' at byte 6"),
        (field(b"\x00"), r"unknown field type '\x00' at byte 6"),
        (field(b"A" + table(b"\xff")), "unknown field type '\xff' at byte 11"),
    ],
)
def test_what_is_no_table_is_a_syntax_error_that_says_what_and_where(
    data: bytes, text: str
) -> None:
    with pytest.raises(SyntaxInvalid) as caught:
        decode_table(data)
    assert text in str(caught.value)
    assert caught.value.reply_code == 502


@given(TABLES, st.data())
def test_a_table_that_was_cut_short_is_refused(values: dict[str, Any], data: st.DataObject) -> None:
    encoded = encode_table(values)
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    with pytest.raises(SyntaxInvalid):
        decode_table(cut)
    with pytest.raises(SyntaxInvalid):
        decode_table(table(encoded[4:-1] if len(encoded) > 4 else b"\x00"))


def survives(data: bytes) -> None:
    """Reads, or refuses; and what was read can be written."""
    try:
        values, end = decode_table(data)
    except SyntaxInvalid:
        return
    assert end <= len(data)
    assert decode_table(encode_table(values))[0].keys() == values.keys()


LETTERS = st.sampled_from([bytes((letter,)) for letter in b"tbBsuIilLdfDSATFVx"])
FIELDS = st.builds(
    lambda name, letter, rest: bytes((len(name),)) + name + letter + rest,
    st.binary(max_size=2),
    LETTERS,
    st.binary(max_size=9) | LETTERS.map(lambda letter: table(letter + b"\x00")),
)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    survives(data)
    survives(table(data))


@given(st.lists(FIELDS, max_size=4).map(b"".join))
def test_any_octets_behind_a_letter_are_read_or_refused(body: bytes) -> None:
    survives(table(body))
    survives(field(b"F" + table(body)))


@given(damaged(TABLES.map(encode_table)))
def test_a_damaged_table_is_read_or_refused(data: bytes) -> None:
    survives(data)
    survives(table(data[4:]))


@pytest.mark.parametrize("seconds", [LAST_SECOND + 1, 1_767_225_600_000, (1 << 64) - 1])
def test_a_timestamp_after_the_year_9999_is_carried_as_seconds(seconds: int) -> None:
    data = field(b"T" + struct.pack(">Q", seconds))
    decoded, _ = decode_table(data)
    (value,) = decoded.values()
    assert type(value) is FarTimestamp
    assert value == seconds
    assert type_class(value) == "timestamp"
    assert encode_table(decoded) == data
