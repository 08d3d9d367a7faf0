"""Values as msgpack. What msgpack lacks is an extension: the field as AMQP encodes it.

So a timestamp, a decimal, or a number of 16 bits goes from an AMQP client to a native one and back
without becoming something else.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgpack

from ...errors import SyntaxInvalid
from ...fields import FarTimestamp
from ...lettered import LETTERED, Float, OddText
from ..amqp.table import decode_table, encode_table, short

__all__ = ["pack", "unpack"]

FIELD = 1
"""The extension type: one field in AMQP's encoding (0-9-1 section 4.2.5.5), its letter first."""
NAME = b"\x01v"
"""A field's name, as it stands in a table."""
_FIELDS = (datetime, Decimal, FarTimestamp, OddText, Float, *LETTERED.values())
_pack_size = struct.Struct(">I").pack


def _extended(value: object) -> object:
    """What msgpack can pack instead of a value of a type that it does not have."""
    if isinstance(value, _FIELDS):
        return msgpack.ExtType(FIELD, encode_table({"v": value})[len(NAME) + 4 :])
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bool | int):
        return int(value)  # a subclass, as are these
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return bytes(value)
    raise TypeError(f"{short.repr(value)} of type {type(value).__name__} is no AMQP field value")


def _restored(code: int, data: bytes) -> object:
    if code != FIELD:
        raise SyntaxInvalid(f"extension type {code} is not known")
    table, _ = decode_table(_pack_size(len(NAME) + len(data)) + NAME + data)
    if len(table) != 1:
        raise SyntaxInvalid(f"extension {data!r} is not one field")
    return table["v"]


def pack(value: object) -> bytes:
    """A value as bytes. Raises TypeError or ValueError for what cannot be carried."""
    packer = msgpack.Packer(default=_extended, strict_types=True)
    try:
        data: bytes = packer.pack(value)
    except OverflowError:
        raise ValueError(f"{short.repr(value)} has a number that does not fit 64 bits") from None
    return data


def unpack(data: bytes | memoryview) -> Any:
    """The value of bytes that are all of it. Raises SyntaxInvalid for what is none.

    Nothing larger is made than the bytes say: what claims to be longer than they are is refused.
    """
    try:
        return msgpack.unpackb(data, ext_hook=_restored)
    except UnicodeDecodeError as error:
        raise SyntaxInvalid(f"text is not UTF-8: {error.object[:20]!r}") from None
    except (ValueError, msgpack.UnpackException) as error:
        text = str(error) or type(error).__name__
        raise SyntaxInvalid(f"not msgpack: {text[:100]}") from None
