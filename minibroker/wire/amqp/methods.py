"""Methods as bytes: class id, method id and the fields. Knows nothing of frames or of a broker."""

from __future__ import annotations

import struct

from ...errors import CommandInvalid
from .spec import BY_ID, LAYOUTS, MethodRecord

__all__ = ["decode_method", "encode_method"]

_pack_ids = struct.Struct(">HH").pack
_read_ids = struct.Struct(">HH").unpack_from


def encode_method(method: MethodRecord) -> bytes:
    """The payload of a method frame.

    Raises ValueError, TypeError or struct.error for a field that cannot be carried.
    """
    class_id, method_id, layout = LAYOUTS[type(method)]
    return _pack_ids(class_id, method_id) + layout.encode(method)


def decode_method(payload: bytes) -> MethodRecord:
    """The method of a payload of at least four bytes.

    Raises CommandInvalid for a method that there is not, FrameInvalid or SyntaxInvalid
    for fields that cannot be read.
    """
    ids = _read_ids(payload)
    record = BY_ID.get(ids)
    if record is None:
        raise CommandInvalid(f"unknown method {ids[0]}.{ids[1]}")
    return record(*LAYOUTS[record][2].decode(payload, 4))
