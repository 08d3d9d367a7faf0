"""Field tables as bytes. Knows nothing of what a table is for.

Source: AMQP 0-9-1 section 4.2.5.5. Where RabbitMQ gives a type letter another meaning than the
section, RabbitMQ's is the one that clients send (`rabbit_binary_parser:parse_table`): `s` is a
16-bit integer and not a short string, `l` and `L` are both signed.

| letter | value | written for |
| --- | --- | --- |
| `t` | bool: any octet but 0 is true | bool |
| `b` `B` `s` `u` `i` | int of 8, 8, 16, 16, 32 bits, as Byte, UnsignedByte and so on | the same |
| `I` | int of 32 bits, signed | int, if they hold it |
| `l` `L` | int of 64 bits, signed, as Long | Long: `l`, and int otherwise |
| `f` `d` | float of 32 bits, as Float, and of 64 bits | Float: `f`, float: `d` |
| `D` | Decimal: an octet of scale, then a signed 32-bit integer | Decimal |
| `S` | str, or OddText, which are bytes, where it is not UTF-8 | str, OddText |
| `x` | bytes | bytes, bytearray |
| `T` | aware datetime in UTC, or FarTimestamp: unsigned 64-bit seconds | both, fractions cut off |
| `A` `F` | list, dict | list and tuple, Mapping |
| `V` | None | None |
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from reprlib import Repr
from typing import Any, cast

from ...errors import SyntaxInvalid
from ...fields import (
    MAX_DEPTH,
    MAX_DIGITS,
    FarTimestamp,
    FieldValue,
    Table,
    check_table,
    type_class,
)
from ...lettered import LETTERED, OddText

__all__ = ["decode_table", "decode_timestamp", "encode_table", "encode_timestamp"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MAX_SECONDS = (datetime.max.replace(tzinfo=UTC) - EPOCH) // SECOND
"""The last timestamp that a datetime can say: the end of the year 9999."""

# What the optimistic encoders run into where a value is not what they take it for.
FAILURES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error)

OCTETS = tuple(bytes((octet,)) for octet in range(256))
"""The length in front of a short string; an IndexError for a string that is too long."""

_INT32 = 1 << 31
_LAYOUTS = {"b": "b", "B": "B", "s": "h", "u": "H", "i": "I", "l": "q", "f": "f"}
"""Of the letters that have types of their own."""
_PACKERS = {letter: struct.Struct(f">c{layout}").pack for letter, layout in _LAYOUTS.items()}
_TRUE, _FALSE = b"t\x01", b"t\x00"
_pack_u32 = struct.Struct(">I").pack
_pack_u64 = struct.Struct(">Q").pack
_pack_int = struct.Struct(">ci").pack
_pack_long = struct.Struct(">cq").pack
_pack_double = struct.Struct(">cd").pack
_pack_decimal = struct.Struct(">cBi").pack
_pack_size = struct.Struct(">cI").pack
_read_u32 = struct.Struct(">I").unpack_from
_read_u64 = struct.Struct(">Q").unpack_from
_read_decimal = struct.Struct(">Bi").unpack_from

short = Repr()  # values in the texts of errors
short.maxstring = short.maxlong = 60
short.maxother = 80  # a datetime has 75


def encode_table(table: Table) -> bytes:
    """A table with its 32-bit length in front.

    Raises what `fields.check_table` raises, TypeError or ValueError that names the field and its
    value. What that check lets pass and the wire cannot carry, a timestamp before 1970 or 4 GiB of
    text, is a ValueError that names the outermost field.
    """
    try:
        body = _encode_fields(table, 0)
        return _pack_u32(len(body)) + body
    except FAILURES as error:
        raise _refusal(table, error) from error


def encode_timestamp(when: datetime | FarTimestamp) -> bytes:
    """Unsigned 64-bit seconds since 1970, fractions cut off.

    Raises TypeError for a datetime without a time zone, ValueError before 1970.
    """
    if isinstance(when, FarTimestamp):
        return _pack_u64(when)
    # In integers: a float of seconds rounds the end of a second up in the far future.
    seconds = (when - EPOCH) // SECOND
    if seconds < 0:
        raise ValueError("no timestamp is before 1970")
    return _pack_u64(seconds)


def _refusal(table: Table, error: Exception) -> Exception:
    """What is wrong with a table that could not be encoded, or raises it where a check finds it."""
    if not isinstance(table, Mapping):
        return TypeError(f"{short.repr(table)} is not a field table")
    check_table(table)
    for name, value in table.items():
        try:
            _encode_value(value, 0)
        except FAILURES as reason:
            return ValueError(f"field {short.repr(name)}: {short.repr(value)}: {reason}")
    return ValueError(f"{short.repr(table)}: {error}")  # pragma: no cover -- takes over 4 GiB


def _encode_fields(table: Mapping[str, object], depth: int) -> bytes:
    parts: list[bytes] = []
    for name, value in table.items():
        raw = name.encode()
        encode = _SCALARS.get(type(value))
        parts += (
            OCTETS[len(raw)],
            raw,
            encode(value) if encode is not None else _encode_value(value, depth),
        )
    return b"".join(parts)


def _encode_value(value: object, depth: int) -> bytes:
    """Any value, also of a type that is only derived from one of a field's."""
    encode = _SCALARS.get(type(value))
    if encode is not None:
        return encode(value)
    kind = type_class(value)
    if kind not in {"table", "array"}:
        return _BY_CLASS[kind](value)
    if depth >= MAX_DEPTH:
        raise ValueError("nested too deep")
    if isinstance(value, Mapping):
        body = _encode_fields(value, depth + 1)
        return _pack_size(b"F", len(body)) + body
    elements = cast("Sequence[object]", value)
    body = b"".join([_encode_value(element, depth + 1) for element in elements])
    return _pack_size(b"A", len(body)) + body


def _encode_bool(value: bool) -> bytes:
    return _TRUE if value else _FALSE


def _encode_number(value: int | Decimal) -> bytes:
    return _encode_decimal(value) if isinstance(value, Decimal) else _encode_integer(value)


def _encode_integer(value: int) -> bytes:
    return _pack_int(b"I", value) if -_INT32 <= value < _INT32 else _pack_long(b"l", value)


def _encode_double(value: float) -> bytes:
    return _pack_double(b"d", value)


def _encode_decimal(value: Decimal) -> bytes:
    # From the digits: `scaleb` would round to the precision of the caller's decimal context.
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or exponent > MAX_DIGITS:
        raise ValueError("not an AMQP decimal")
    number = int("".join(map(str, digits)) + "0" * exponent)
    return _pack_decimal(b"D", max(-exponent, 0), -number if sign else number)


def _encode_text(value: str) -> bytes:
    raw = value.encode()
    return _pack_size(b"S", len(raw)) + raw


def _encode_odd_text(value: OddText) -> bytes:
    return _pack_size(b"S", len(value)) + value


def _encode_lettered(letter: str, value: float) -> bytes:
    return _PACKERS[letter](letter.encode(), value)


def _encode_bytes(value: bytes | bytearray) -> bytes:
    return _pack_size(b"x", len(value)) + value


def _encode_datetime(value: datetime | FarTimestamp) -> bytes:
    return b"T" + encode_timestamp(value)


def _encode_void(_: None) -> bytes:
    return b"V"


_SCALARS: dict[type, Callable[[Any], bytes]] = {
    bool: _encode_bool,
    int: _encode_integer,
    float: _encode_double,
    Decimal: _encode_decimal,
    str: _encode_text,
    bytes: _encode_bytes,
    bytearray: _encode_bytes,
    datetime: _encode_datetime,
    type(None): _encode_void,
    **{cls: partial(_encode_lettered, letter) for letter, cls in LETTERED.items() if letter != "S"},
    OddText: _encode_odd_text,
}

_BY_CLASS: dict[str, Callable[[Any], bytes]] = {
    "int": _encode_number,
    "float": _encode_double,
    "longstr": _encode_text,
    "binary": _encode_bytes,
    "timestamp": _encode_datetime,
}
"""For derived types, by `fields.type_class`; bool and None have none."""


def decode_table(data: bytes, offset: int = 0) -> tuple[dict[str, FieldValue], int]:
    """The table at `offset`, which begins with its length, and the offset behind it.

    Of two fields with one name the latter counts. Raises SyntaxInvalid, which names the field and
    its byte, for anything that is not a table: cut short, an unknown type, a name that is not
    UTF-8, tables nested deeper than `fields.MAX_DEPTH`.
    """
    start = offset + 4
    if start > len(data):
        raise SyntaxInvalid(f"table at byte {offset} has no length")
    end = start + _read_u32(data, offset)[0]
    if end > len(data):
        raise SyntaxInvalid(f"table at byte {offset} runs past the end")
    return _decode_fields(data, start, end, 0), end


def decode_timestamp(data: bytes, at: int) -> tuple[datetime | FarTimestamp, int]:
    """The timestamp at `at`, in UTC, and the offset behind it.

    Raises struct.error where the data ends.
    """
    seconds = _read_u64(data, at)[0]
    if seconds > MAX_SECONDS:
        return FarTimestamp(seconds), at + 8
    return datetime.fromtimestamp(seconds, UTC), at + 8


def _decode_fields(data: bytes, at: int, end: int, depth: int) -> dict[str, FieldValue]:
    """The fields from `at` to `end`.

    A value may be read past `end`, and a slice of it come out too short: the table is refused
    afterwards, for then `at` is not `end`.
    """
    fields: dict[str, FieldValue] = {}
    start = at
    try:
        while at < end:
            start = at
            at += 1 + data[at]
            name = data[start + 1 : at].decode()
            fields[name], at = _decode_value(data, at, end, depth)
    except (IndexError, struct.error):
        at = end + 1
    except UnicodeDecodeError:
        if at <= end:
            raw = data[start + 1 : at]
            raise SyntaxInvalid(f"field name {raw!r} at byte {start} is not UTF-8") from None
    if at != end:
        raise SyntaxInvalid(f"field {_name_at(data, start)!r} at byte {start} runs past its table")
    return fields


def _name_at(data: bytes, start: int) -> str:
    return data[start + 1 : start + 1 + data[start]].decode(errors="replace")


def _decode_array(data: bytes, at: int, end: int, depth: int) -> list[FieldValue]:
    elements: list[FieldValue] = []
    start = at
    try:
        while at < end:
            start = at
            value, at = _decode_value(data, at, end, depth)
            elements.append(value)
    except (IndexError, struct.error):
        at = end + 1
    if at != end:
        raise SyntaxInvalid(f"array element at byte {start} runs past its array")
    return elements


def _decode_value(data: bytes, at: int, end: int, depth: int) -> tuple[FieldValue, int]:
    """The value whose type letter is at `at`, and the offset behind it.

    Where the data ends too soon, IndexError, struct.error or an offset past `end`.
    """
    kind = data[at]
    at += 1
    if kind == _TEXT:
        stop = at + 4 + _read_u32(data, at)[0]
        raw = data[at + 4 : stop]
        try:
            return raw.decode(), stop
        except UnicodeDecodeError:
            return OddText(raw), stop
    fixed = _FIXED.get(kind)
    if fixed is not None:
        unpack, size, cls = fixed
        value = unpack(data, at)[0]
        return (value if cls is None else cls(value)), at + size
    read = _OTHERS.get(kind)
    if read is not None:
        return read(data, at)
    if at > end:
        return None, at
    if kind not in _CONTAINERS:
        raise SyntaxInvalid(f"unknown field type {chr(kind)!r} at byte {at - 1}")
    if depth >= MAX_DEPTH:
        raise SyntaxInvalid(f"table or array at byte {at - 1} is nested over {MAX_DEPTH} deep")
    stop = at + 4 + _read_u32(data, at)[0]
    if stop > end:
        return None, stop
    return _CONTAINERS[kind](data, at + 4, stop, depth + 1), stop


def _decode_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    end = at + 4 + _read_u32(data, at)[0]
    return data[at + 4 : end], end


def _decode_decimal(data: bytes, at: int) -> tuple[Decimal, int]:
    scale, number = _read_decimal(data, at)
    return Decimal(f"{number}E-{scale}"), at + 5


def _decode_void(_: bytes, at: int) -> tuple[None, int]:
    return None, at


_TEXT = ord("S")

_FIXED: dict[int, tuple[Callable[[bytes, int], tuple[Any, ...]], int, Callable[[Any], Any] | None]]
_FIXED = {
    ord(letter): (
        struct.Struct(f">{layout}").unpack_from,
        struct.calcsize(f">{layout}"),
        LETTERED.get("l" if letter == "L" else letter),
    )
    for letter, layout in (*_LAYOUTS.items(), ("t", "?"), ("I", "i"), ("L", "q"), ("d", "d"))
}

_OTHERS: dict[int, Callable[[bytes, int], tuple[FieldValue, int]]] = {
    ord("x"): _decode_bytes,
    ord("D"): _decode_decimal,
    ord("T"): decode_timestamp,
    ord("V"): _decode_void,
}

_CONTAINERS: dict[int, Callable[[bytes, int, int, int], FieldValue]] = {
    ord("A"): _decode_array,
    ord("F"): _decode_fields,
}
