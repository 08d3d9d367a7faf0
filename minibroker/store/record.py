"""One record: its length, a checksum, its kind, and bytes. Knows nothing of what they mean.

    0        4        8     9
    | length | CRC-32 | kind | payload ...

`length` is that of the payload, the checksum is of kind and payload; numbers are little-endian.
There is no kind 0: bytes that are all zero would be a record of it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HEADER", "HEADER_SIZE", "checksum", "encode", "parse", "scan"]

HEADER = struct.Struct("<IIB")
HEADER_SIZE = HEADER.size


def checksum(kind: int, payload: bytes) -> int:
    """The checksum of a record. The kind is what the CRC starts with, which costs nothing."""
    return crc32(payload, kind)


def encode(kind: int, payload: bytes) -> bytes:
    """A record as bytes. `kind` is 1 to 255."""
    return HEADER.pack(len(payload), crc32(payload, kind), kind) + payload


def parse(data: bytes, offset: int = 0) -> tuple[int, bytes] | None:
    """Kind and payload of the record at an offset, None if it is damaged or not all there."""
    if len(data) - offset < HEADER_SIZE:
        return None
    length, crc, kind = HEADER.unpack_from(data, offset)
    payload = data[offset + HEADER_SIZE : offset + HEADER_SIZE + length]
    if not kind or len(payload) != length or crc32(payload, kind) != crc:
        return None
    return kind, payload


def scan(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Offset, kind and payload of the records from the beginning on, up to one that is damaged."""
    offset = 0
    while (found := parse(data, offset)) is not None:
        yield offset, *found
        offset += HEADER_SIZE + len(found[1])
