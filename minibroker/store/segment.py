"""One file of the log: its header, and where in it a position is.

A dense segment holds the frames of a range of positions, one behind the other. A sparse one holds
of such a range only the records that were still needed when it was written, and an index. Knows
nothing of other segments; numbers are little-endian.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from sys import byteorder
from zlib import crc32

from ..errors import LogDamaged, LogVersionUnknown

__all__ = [
    "HEADER_SIZE",
    "VERSION",
    "Index",
    "Segment",
    "encode_header",
    "is_segment",
    "parse_header",
    "segment_name",
    "was_written",
]

MAGIC = b"\x89MBLOG\r\n"
VERSION = 2
DENSE, SPARSE = 1, 2
_FIELDS = struct.Struct("<8sHHQQQ16s")
_CRC = struct.Struct("<I")
HEADER_SIZE = _FIELDS.size + _CRC.size
_FOOTER = struct.Struct("<QI4s")
_END = b"\xf1idx"
SUFFIX = ".segment"


def segment_name(base: int) -> str:
    """The file name of the segment that begins at a position: in order when sorted."""
    return f"{base:020d}{SUFFIX}"


def is_segment(name: str) -> bool:
    """Whether a file name is that of a segment."""
    stem = name.removesuffix(SUFFIX)
    return stem != name and stem.isascii() and stem.isdigit()


@dataclass(slots=True, eq=False)
class Index:
    """Where the records of a sparse segment are: positions in ascending order, file offsets."""

    positions: array[int]
    offsets: array[int]

    def encode(self) -> bytes:
        """As bytes, which stand at the end of the file."""
        data = _little(self.positions) + _little(self.offsets)
        return data + _FOOTER.pack(len(self.positions), crc32(data), _END)

    @classmethod
    def parse(cls, data: bytes, name: str, offset: int) -> Index:
        """From the bytes of a file that begin at `offset`. Raises LogDamaged."""
        damaged = LogDamaged("the index is damaged", name, offset)
        if len(data) < _FOOTER.size:
            raise damaged
        count, crc, end = _FOOTER.unpack_from(data, len(data) - _FOOTER.size)
        start = len(data) - _FOOTER.size - 12 * count
        content = data[max(start, 0) : len(data) - _FOOTER.size]
        if start < 0 or end != _END or crc32(content) != crc:
            raise damaged
        return cls(_array("Q", content[: 8 * count]), _array("I", content[8 * count :]))


@dataclass(slots=True, eq=False)
class Segment:
    """One file. `base` and `end` are the positions it covers, `end` not included."""

    base: int
    end: int
    size: int
    """Bytes that its content takes in the file."""
    index: Index | None = None
    """Where the records are, in a sparse segment."""
    entries: int = 0
    """How many places in queues need one of its records."""
    weight: int = 0
    """Bytes of its records that are needed; what several places share counts in shares."""
    basis: int = 0
    """What `weight` is compared with to see whether the segment is worth rewriting."""

    @property
    def name(self) -> str:
        """Its file name."""
        return segment_name(self.base)

    def offset(self, position: int) -> int | None:
        """Where in the file a record is; None if a sparse segment does not have it."""
        if self.index is None:
            return position - self.base + HEADER_SIZE
        place = bisect_left(self.index.positions, position)
        if place == len(self.index.positions) or self.index.positions[place] != position:
            return None
        return self.index.offsets[place]

    def _check(self) -> None:
        assert self.base <= self.end, f"{self!r} ends before it begins"
        assert (self.entries > 0) >= (self.weight > 0), f"{self!r} has weight without entries"
        assert self.entries >= 0, f"{self!r}: {self.entries} entries"
        assert self.weight >= 0, f"{self!r}: weight {self.weight}"


def encode_header(segment: Segment, identity: bytes) -> bytes:
    """The header of a segment's file. `identity` tells the logs of brokers apart: 16 bytes."""
    kind = DENSE if segment.index is None else SPARSE
    end = 0 if segment.index is None else segment.end
    fields = _FIELDS.pack(MAGIC, VERSION, kind, segment.base, end, segment.basis, identity)
    return fields + _CRC.pack(crc32(fields))


def parse_header(data: bytes, name: str, size: int) -> tuple[Segment, bytes]:
    """The segment that a file's first bytes tell of, and the identity.

    A sparse one comes with an empty index. Raises LogDamaged that names the file, and
    LogVersionUnknown for a newer format.
    """
    if len(data) >= HEADER_SIZE:
        fields = data[: _FIELDS.size]
        magic, version, kind, base, end, basis, identity = _FIELDS.unpack(fields)
        whole = _CRC.unpack_from(data, _FIELDS.size)[0] == crc32(fields)
        if magic == MAGIC and whole and version > VERSION:
            raise LogVersionUnknown(f"{name} has format {version}, known is up to {VERSION}")
        if magic == MAGIC and whole and segment_name(base) == name:
            index = Index(array("Q"), array("I")) if kind == SPARSE else None
            end = base + size - HEADER_SIZE if index is None else end
            return Segment(base, end, size, index, basis=basis), identity
    raise LogDamaged("the header of the segment is damaged", name, 0)


def was_written(data: bytes, name: str) -> bool:
    """Whether damaged first bytes of a file were a header once, and not only begun to be one."""
    if len(data) < HEADER_SIZE or not any(data[_FIELDS.size : HEADER_SIZE]):
        return False
    magic, _, _, base, *_ = _FIELDS.unpack_from(data)
    return magic == MAGIC or segment_name(base) == name


def _little(numbers: array[int]) -> bytes:
    if byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _array(code: str, data: bytes) -> array[int]:
    numbers = array(code, data)
    if byteorder == "big":
        numbers.byteswap()
    return numbers
