"""Field tables and properties with the type letter of every value, as JSON and as bytes.

The broker's own codec turns a field into the Python value that means it; here a byte stays apart
from a long, and the order of the fields is kept. Knows nothing of frames, methods or of what a
header is for.

A value is `[letter, value]`, a table a list of `[name, value]`: `[["x-max-length", ["I", 3]]]`.
Text that is not UTF-8 has surrogates in its place, binary data is hexadecimal, a decimal is
`[scale, number]`. Properties are a dict by name in which `headers` is a table and `timestamp` the
seconds since 1970.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, TypeAlias

from ..properties import FIELDS

__all__ = ["Json", "decode_properties", "decode_table", "encode_properties", "encode_table"]

Json: TypeAlias = Any
"""Anything that JSON can say."""

_NUMBERS = {
    letter: struct.Struct(layout)
    for letter, layout in {
        "t": ">?", "b": ">b", "B": ">B", "s": ">h", "u": ">H", "I": ">i", "i": ">I",
        "l": ">q", "L": ">q", "f": ">f", "d": ">d", "T": ">Q",
    }.items()
}  # fmt: skip
_SIZE = struct.Struct(">I")
_DECIMAL = struct.Struct(">Bi")


def encode_table(table: Json) -> bytes:
    """A table with its length in front. Raises ValueError or struct.error for what is none."""
    body = b"".join(_short(name) + _encode_value(value) for name, value in table)
    return _SIZE.pack(len(body)) + body


def _encode_value(typed: Json) -> bytes:
    letter, value = typed
    if letter in _NUMBERS:
        body = _NUMBERS[letter].pack(value)
    elif letter == "S":
        body = _sized(_raw(value))
    elif letter == "x":
        body = _sized(bytes.fromhex(value))
    elif letter == "A":
        body = _sized(b"".join(_encode_value(each) for each in value))
    elif letter == "F":
        body = encode_table(value)
    elif letter == "D":
        body = _DECIMAL.pack(*value)
    elif letter == "V":
        body = b""
    else:
        raise ValueError(f"no field type {letter!r}")
    return bytes(letter, "ascii") + body


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _sized(raw: bytes) -> bytes:
    return _SIZE.pack(len(raw)) + raw


def _short(text: str) -> bytes:
    raw = _raw(text)
    return bytes((len(raw),)) + raw


def decode_table(data: bytes, at: int = 0) -> tuple[list[Json], int]:
    """The table at `at`, and where it ends. Raises ValueError for what cannot be read."""
    end = at + 4 + _SIZE.unpack_from(data, at)[0]
    at += 4
    fields: list[Json] = []
    while at < end:
        name, at = _decode_short(data, at)
        value, at = _decode_value(data, at)
        fields.append([name, value])
    return fields, at


def _decode_short(data: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + data[at]
    return _text(data[at + 1 : end]), end


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _decode_value(data: bytes, at: int) -> tuple[Json, int]:
    letter = chr(data[at])
    at += 1
    if letter in _NUMBERS:
        form = _NUMBERS[letter]
        return [letter, form.unpack_from(data, at)[0]], at + form.size
    if letter == "V":
        return [letter, None], at
    if letter == "D":
        return [letter, list(_DECIMAL.unpack_from(data, at))], at + _DECIMAL.size
    if letter == "F":
        fields, at = decode_table(data, at)
        return [letter, fields], at
    if letter not in {"S", "x", "A"}:
        raise ValueError(f"no field type {letter!r}")
    start = at + 4
    end = start + _SIZE.unpack_from(data, at)[0]
    if letter == "A":
        elements = []
        while start < end:
            element, start = _decode_value(data, start)
            elements.append(element)
        return [letter, elements], end
    raw = data[start:end]
    return [letter, _text(raw) if letter == "S" else raw.hex()], end


def _octet(value: int) -> bytes:
    return bytes((value,))


def _decode_octet(data: bytes, at: int) -> tuple[int, int]:
    return data[at], at + 1


def _decode_seconds(data: bytes, at: int) -> tuple[int, int]:
    return _NUMBERS["T"].unpack_from(data, at)[0], at + 8


_Coding: TypeAlias = tuple[Callable[[Any], bytes], Callable[[bytes, int], tuple[Any, int]]]
_CODINGS: dict[str, _Coding] = {
    "headers": (encode_table, decode_table),
    "delivery_mode": (_octet, _decode_octet),
    "priority": (_octet, _decode_octet),
    "timestamp": (_NUMBERS["T"].pack, _decode_seconds),
}
_TEXT: _Coding = (_short, _decode_short)


def encode_properties(properties: dict[str, Json]) -> bytes:
    """The property flags and the property list. Raises ValueError or struct.error."""
    flags = 0
    parts = []
    for index, name in enumerate(FIELDS):
        if name in properties:
            flags |= 0x8000 >> index
            parts.append(_CODINGS.get(name, _TEXT)[0](properties[name]))
    return flags.to_bytes(2, "big") + b"".join(parts)


def decode_properties(data: bytes) -> dict[str, Json]:
    """The properties that are there, in AMQP's order. Raises ValueError for an unknown flag."""
    flags = int.from_bytes(data[:2], "big")
    at = 2
    found: dict[str, Json] = {}
    for index, name in enumerate(FIELDS):
        if flags & 0x8000 >> index:
            found[name], at = _CODINGS.get(name, _TEXT)[1](data, at)
    if at != len(data):
        raise ValueError(f"{len(data) - at} bytes after the properties {found!r}")
    return found
