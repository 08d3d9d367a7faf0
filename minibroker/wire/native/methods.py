"""The methods of AMQP 0-9-1 as frames: their ids, and their fields in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import CommandInvalid, SyntaxInvalid
from ...fields import check_table
from ..amqp.spec import BY_ID, LAYOUTS, MethodRecord
from ..amqp.table import short
from .constants import METHOD
from .frames import frame

__all__ = ["method_frame", "method_of"]

MAX_SHORT = 255
"""Bytes of a short string."""
_RANGES = {"octet": 1 << 8, "short": 1 << 16, "long": 1 << 32, "longlong": 1 << 64}


def method_frame(channel: int, method: MethodRecord) -> bytes:
    """The frame of a method. Raises TypeError or ValueError that names a field's value."""
    class_id, method_id, layout = LAYOUTS[type(method)]
    fields = list(method)
    for domain, value in zip(layout.domains, fields, strict=True):
        if domain == "shortstr" and len(str(value).encode()) > MAX_SHORT:
            raise ValueError(f"{short.repr(value)} is longer than {MAX_SHORT} bytes")
        if domain == "table" and isinstance(value, Mapping):
            check_table(value)
    return frame([METHOD, channel, class_id << 16 | method_id, *fields])


def method_of(number: object, fields: Sequence[Any]) -> MethodRecord:
    """The method of a frame's number and fields.

    Raises CommandInvalid for one that there is not, SyntaxInvalid that names a wrong field.
    """
    if type(number) is not int or not 0 <= number < 1 << 32:
        raise SyntaxInvalid(f"{short.repr(number)} is no number of a method")
    record = BY_ID.get((number >> 16, number & 0xFFFF))
    if record is None:
        raise CommandInvalid(f"unknown method {number >> 16}.{number & 0xFFFF}")
    domains = LAYOUTS[record][2].domains
    if len(fields) != len(domains):
        name = record.__name__
        raise SyntaxInvalid(f"{name} has {len(domains)} fields, not {len(fields)}")
    for index, domain in enumerate(domains):
        _check(record.__name__, index, domain, fields[index])
    return record(*fields)


def _check(name: str, index: int, domain: str, value: object) -> None:
    if domain == "bit":
        fits = type(value) is bool
    elif domain == "shortstr":
        fits = type(value) is str and len(value.encode()) <= MAX_SHORT
    elif domain == "longstr":
        fits = type(value) is bytes
    elif domain == "table":
        fits = type(value) is dict
        if type(value) is dict:
            _check_table(name, value)
    else:
        fits = type(value) is int and 0 <= value < _RANGES[domain]
    if not fits:
        raise SyntaxInvalid(f"field {index} of {name}: {short.repr(value)} is no {domain}")


def _check_table(name: str, table: dict[str, Any]) -> None:
    try:
        check_table(table)
    except (TypeError, ValueError) as error:
        raise SyntaxInvalid(f"table of {name}: {error}") from None
