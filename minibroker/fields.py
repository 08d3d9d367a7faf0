"""Values of an AMQP field table as Python values. Knows nothing of their encoding.

Headers, arguments of declarations, bindings and consumers are tables. Types are classed as
RabbitMQ classes them where it compares values (`rabbit_misc:type_class`): all integers and
decimals are one class, both floats another, everything else is its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from reprlib import Repr
from typing import TypeAlias, cast

from .lettered import LETTERED, Float, OddText

__all__ = [
    "FarTimestamp",
    "FieldValue",
    "Table",
    "check_table",
    "copy_table",
    "same_value",
    "type_class",
    "type_name",
]


class FarTimestamp(int):
    """A timestamp after the year 9999, which no datetime can say: seconds since 1970.

    Clients that send milliseconds where AMQP wants seconds come that far.
    """

    __slots__ = ()


FieldValue: TypeAlias = (
    bool
    | int
    | float
    | str
    | bytes
    | Decimal
    | datetime
    | Sequence["FieldValue"]
    | Mapping[str, "FieldValue"]
    | None
)
"""What a field can hold. Arrays are lists or tuples, tables are dicts, timestamps are aware."""

Table: TypeAlias = Mapping[str, FieldValue]
"""A field table, as something to read: a table that was handed over is never changed."""

MAX_DEPTH = 100
"""Tables within tables that are taken: deeper ones would exhaust Python's stack."""
MAX_KEY = 255
"""Bytes of UTF-8 in a field's name (AMQP 0-9-1 section 4.2.5.3: a short string)."""

MAX_SCALE = 255
"""Digits behind the point of a decimal."""
MAX_DIGITS = 10
"""More of them do not fit the 32 bits of a decimal."""

_INT32 = 1 << 31
_INT64 = 1 << 63
_UNCHECKED = frozenset({bool, float, type(None), bytes})
_SHARED = frozenset({str, int, bool, float, type(None), bytes, Decimal, datetime})

# By Python type, in the order in which `isinstance` must ask: a bool is an int.
_CLASSES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "bool"),
    (FarTimestamp, "timestamp"),
    ((int, Decimal), "int"),
    (float, "float"),
    ((str, OddText), "longstr"),
    ((bytes, bytearray), "binary"),
    (datetime, "timestamp"),
    ((list, tuple), "array"),
    (Mapping, "table"),
    (type(None), "void"),
)
_EXACT: dict[type, str] = {
    bool: "bool",
    int: "int",
    Decimal: "int",
    float: "float",
    str: "longstr",
    bytes: "binary",
    datetime: "timestamp",
    list: "array",
    dict: "table",
    type(None): "void",
    **{each: "int" for each in LETTERED.values() if issubclass(each, int)},
    Float: "float",
    OddText: "longstr",
}
"""The same for what nearly every value is, found in 90 ns instead of 240."""
_short = Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60


def type_class(value: object) -> str:
    """The class in which RabbitMQ compares a value (`rabbit_misc:type_class`).

    "int" (decimals too), "float", "bool", "longstr", "binary", "timestamp", "array", "table" or
    "void". Raises TypeError for what no field can hold.
    """
    name = _EXACT.get(type(value))
    if name is not None:
        return name
    for types, name in _CLASSES:
        if isinstance(value, types):
            return name
    raise TypeError(f"{_short.repr(value)} of type {type(value).__name__} is no AMQP field value")


def type_name(value: object) -> str:
    """The field type of a value in the words of RabbitMQ's error texts.

    An integer is a "signedint" where 32 bits hold it and a "long" otherwise, as clients send it.
    Raises TypeError for what no field can hold.
    """
    own: str | None = getattr(value, "type_name", None)
    if own is not None:
        return own
    name = type_class(value)
    if name == "int":
        if isinstance(value, int):
            return "signedint" if -_INT32 <= value < _INT32 else "long"
        return "decimal"
    return "double" if name == "float" else name


def same_value(a: object, b: object) -> bool:
    """Whether RabbitMQ takes two values for the same: of one type class, and equal.

    So 1 is neither "1" nor True nor 1.0, and a decimal equals no integer (their class is the
    same, their values are not). Timestamps count whole seconds, as on the wire.
    """
    kind = type_class(a)
    if kind != type_class(b):
        return False
    if kind == "int":
        return isinstance(a, Decimal) == isinstance(b, Decimal) and a == b
    if isinstance(a, datetime) and isinstance(b, datetime):
        return int(a.timestamp()) == int(b.timestamp())
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same_value(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same_value, a, b))
    return a == b


def check_table(table: Mapping[str, object]) -> None:
    """Refuse what AMQP cannot carry, naming the field and its value.

    Raises TypeError for a type that no field has (a set, an object of your own) and ValueError
    for a value out of its type's range: an integer beyond 64 bits, a decimal beyond 32, a naive
    datetime, text that is not Unicode, a name over 255 bytes, tables nested over 100 deep.
    """
    _check_table(table, "", 0)


def _check_table(table: Mapping[str, object], path: str, depth: int) -> None:
    for key, value in table.items():
        _check_key(key, path)
        if type(value) not in _UNCHECKED:
            _check_value(value, f"{path}.{key}" if path else key, depth)


def _check_key(key: object, path: str) -> None:
    if not isinstance(key, str):
        raise TypeError(f"field name {_short.repr(key)} in {path or 'a table'} is not a string")
    _check_text(key, "field name")
    if len(key.encode()) > MAX_KEY:
        raise ValueError(f"field name {_short.repr(key)} is longer than {MAX_KEY} bytes")


def _check_value(value: object, path: str, depth: int) -> None:
    try:
        kind = type_class(value)
    except TypeError as error:
        raise TypeError(f"field {path!r}: {error}") from None
    if kind == "longstr":
        if not isinstance(value, OddText):
            _check_text(str(value), f"field {path!r}")
    elif kind == "int":
        _check_number(value, path)
    elif isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ValueError(f"field {path!r}: {value!r} has no time zone")
    elif kind in {"table", "array"}:
        if depth >= MAX_DEPTH:
            raise ValueError(f"field {path[:60]!r}: {_short.repr(value)} is nested too deep")
        _check_container(value, path, depth + 1)


def _check_container(value: object, path: str, depth: int) -> None:
    if isinstance(value, Mapping):
        _check_table(value, path, depth)
        return
    for index, element in enumerate(cast("Sequence[object]", value)):
        if type(element) not in _UNCHECKED:
            _check_value(element, f"{path}[{index}]", depth)


def _check_text(text: str, what: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what}: {_short.repr(text)} is not Unicode text") from None


def _check_number(value: object, path: str) -> None:
    if isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            raise ValueError(f"field {path!r}: {_short.repr(value)} does not fit 64 bits")
    elif isinstance(value, Decimal) and not _fits_decimal(value):
        raise ValueError(f"field {path!r}: {_short.repr(value)} does not fit an AMQP decimal")


def _fits_decimal(value: Decimal) -> bool:
    # amqp 4.2.5.5: an octet of scale and a 32-bit integer. Ten digits are over 32 bits anyway.
    if not value.is_finite():
        return False
    exponent = int(value.as_tuple().exponent)
    if not -MAX_SCALE <= exponent <= MAX_DIGITS or len(value.as_tuple().digits) > MAX_DIGITS:
        return False
    return abs(value.scaleb(-min(exponent, 0))) < _INT32


def copy_table(table: Table) -> dict[str, FieldValue]:
    """A copy that shares no table or array with the original; all other values are shared.

    Arrays become lists, bytearrays bytes. The result is the caller's to change.
    """
    return {key: value if type(value) in _SHARED else _copy(value) for key, value in table.items()}


def _copy(value: FieldValue) -> FieldValue:
    if isinstance(value, Mapping):
        return copy_table(value)
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, list | tuple):
        return [element if type(element) in _SHARED else _copy(element) for element in value]
    return value
