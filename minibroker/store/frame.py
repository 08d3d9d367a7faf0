"""A frame: all records of one commit, written at once. What is torn, and what is damaged.

    0       4          12         20       24       28         32
    | magic | position | synced   | length | CRC-32 | CRC of   | records ... | end mark
    |       |          |          |        | of the | these 28 |             | 4 bytes
    |       |          |          |        | records|          |             |

`position` is the position of the frame in the log, so a frame cannot be taken for another one.
`synced` is the position up to which the log was on the disk for certain when the frame was
written: what is broken below that was damaged later, above it a write may have been torn. Knows
nothing of files; numbers are little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from zlib import crc32

__all__ = [
    "END",
    "HEADER_SIZE",
    "MAGIC",
    "OVERHEAD",
    "Header",
    "encode",
    "is_torn",
    "parse",
    "resembles",
]

MAGIC = b"\xf1MBf"
END = b"\xf1end"
"""What a frame ends with: a write that was cut short leaves zeros, or nothing, here."""
_FIELDS = struct.Struct("<4sQQII")
_CRC = struct.Struct("<I")
HEADER_SIZE = _FIELDS.size + _CRC.size
OVERHEAD = HEADER_SIZE + len(END)
SECTOR = 512
"""Bytes that a disk writes as a whole, at the least."""


@dataclass(slots=True)
class Header:
    """The header of a frame."""

    position: int
    synced: int
    length: int
    crc: int

    @property
    def end(self) -> int:
        """The position behind the frame."""
        return self.position + OVERHEAD + self.length


def encode(position: int, synced: int, records: bytes) -> bytes:
    """A frame as bytes."""
    fields = _FIELDS.pack(MAGIC, position, synced, len(records), crc32(records))
    return b"".join((fields, _CRC.pack(crc32(fields)), records, END))


def parse(data: bytes, offset: int = 0) -> Header | None:
    """The header at an offset, None if there is none or it is damaged."""
    if len(data) - offset < HEADER_SIZE:
        return None
    fields = data[offset : offset + _FIELDS.size]
    if _CRC.unpack_from(data, offset + _FIELDS.size)[0] != crc32(fields):
        return None
    magic, position, synced, length, crc = _FIELDS.unpack(fields)
    return Header(position, synced, length, crc) if magic == MAGIC else None


def resembles(data: bytes, position: int, offset: int) -> bool:
    """Whether damaged bytes, at this offset of their file, were a header for this position once.

    Then they were changed, for a write that was cut short leaves zeros where the checksum is, or
    in one of two sectors.
    """
    if len(data) < HEADER_SIZE or not any(data[_FIELDS.size : HEADER_SIZE]):
        return False
    split = -offset % SECTOR
    if 0 < split < HEADER_SIZE and not (any(data[:split]) and any(data[split:])):
        return False
    magic, found, _, _, _ = _FIELDS.unpack_from(data)
    return bool(magic == MAGIC or found == position)


def is_torn(records: bytes, end: bytes, offset: int) -> bool:
    """Whether records with a wrong checksum, at this offset of their file, may be a torn write.

    Such a write leaves zeros at its end, or in whole sectors; anything else was written and
    changed afterwards.
    """
    if not any(end):
        return True
    data = records + end  # the last sector may end within the mark
    first = -offset % SECTOR
    return any(not any(data[start : start + SECTOR]) for start in range(first, len(data), SECTOR))
