"""The basic properties as msgpack: a map of those that are there; nothing at all for none."""

from __future__ import annotations

from typing import Any

from ...errors import SyntaxInvalid
from ...fields import FarTimestamp, check_table
from ...properties import FIELDS, PLAIN, Properties
from ..amqp.properties import refuse
from ..amqp.table import short
from .values import pack, unpack

__all__ = ["pack_properties", "unpack_properties"]

MAX_TEXT = 255
MAX_OCTET = 255
_OCTETS = frozenset({"delivery_mode", "priority"})


def pack_properties(properties: Properties) -> bytes:
    """The properties as the native protocol carries them, made once for all who get them.

    Raises as `wire.amqp.encode_properties`.
    """
    data = properties.packed
    if data is None:
        refuse(properties)
        values = properties.as_dict()
        data = properties.packed = pack(values) if values else b""
    return data


def unpack_properties(data: bytes) -> Properties:
    """The properties of bytes, which they keep. Raises SyntaxInvalid that names the property."""
    if not data:
        return PLAIN
    values = unpack(data)
    if type(values) is not dict:
        raise SyntaxInvalid(f"properties are not a map: {short.repr(values)}")
    for name, value in values.items():
        _check(name, value)
    properties = Properties(**values)
    properties.packed = data
    return properties


def _check(name: object, value: Any) -> None:
    if name not in FIELDS:
        raise SyntaxInvalid(f"property {short.repr(name)} is not known")
    if name == "headers":
        _check_headers(value)
    elif name in _OCTETS:
        if type(value) is not int or not 0 <= value <= MAX_OCTET:
            raise SyntaxInvalid(f"property {name!r}: {short.repr(value)} is no octet")
    elif name == "timestamp":
        if not (hasattr(value, "utcoffset") or type(value) is FarTimestamp):
            raise SyntaxInvalid(f"property {name!r}: {short.repr(value)} is no timestamp")
    elif type(value) is not str or len(value.encode()) > MAX_TEXT:
        raise SyntaxInvalid(f"property {name!r}: {short.repr(value)} is no short text")


def _check_headers(value: Any) -> None:
    if type(value) is not dict:
        raise SyntaxInvalid(f"property 'headers': {short.repr(value)} is no map")
    try:
        check_table(value)
    except (TypeError, ValueError) as error:
        raise SyntaxInvalid(f"property 'headers': {error}") from None
