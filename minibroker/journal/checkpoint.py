"""A checkpoint: one file with everything that the log up to a position amounts to.

A header, records, and a last one that counts them; nothing of it is used unless all of it is
whole. Knows nothing of what the records mean.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

from ..errors import LogDamaged, LogVersionUnknown
from ..store import TEMPORARY, record
from .kinds import END

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..store import FileSystem
    from .facts import Fact

__all__ = ["Checkpoint", "checkpoint_name", "find", "is_checkpoint", "read", "write"]

MAGIC = b"\x89MBCKP\r\n"
VERSION = 2
_FIELDS = struct.Struct("<8sHQ16s")
_CRC = struct.Struct("<I")
_COUNT = struct.Struct("<Q")
HEADER_SIZE = _FIELDS.size + _CRC.size
SUFFIX = ".checkpoint"
PIECE = 1 << 20
"""Bytes that are written at a time."""


def checkpoint_name(position: int) -> str:
    """The file name of the checkpoint at a position: in order when sorted."""
    return f"{position:020d}{SUFFIX}"


def is_checkpoint(name: str) -> bool:
    """Whether a file name is that of a checkpoint."""
    stem = name.removesuffix(SUFFIX)
    return stem != name and stem.isascii() and stem.isdigit()


def find(files: FileSystem) -> list[str]:
    """The checkpoints that are there, newest first. Raises OSError."""
    return sorted(filter(is_checkpoint, files.list()), reverse=True)


@dataclass(slots=True)
class Checkpoint:
    """A checkpoint as it was read."""

    name: str
    position: int
    """The log from here on tells what happened since."""
    identity: bytes
    size: int
    """Bytes of its file."""
    data: bytes

    def records(self) -> Iterator[tuple[int, int, bytes]]:
        """Offset, kind and payload of its records. Raises LogDamaged when one is damaged."""
        offset, count = HEADER_SIZE, 0
        while True:
            found = record.parse(self.data, offset)
            if found is None:
                raise LogDamaged("the record is damaged", self.name, offset)
            kind, payload = found
            if kind == END:
                break
            yield offset, kind, payload
            offset += record.HEADER_SIZE + len(payload)
            count += 1
        end = offset + record.HEADER_SIZE + _COUNT.size
        if payload != _COUNT.pack(count) or end != len(self.data):
            raise LogDamaged("the checkpoint does not end where it should", self.name, offset)


def read(files: FileSystem, name: str) -> Checkpoint:
    """Read a checkpoint. Raises LogDamaged, LogVersionUnknown and OSError."""
    file = files.open(name)
    try:
        size = files.list()[name]
        data = file.read(0, size)
    finally:
        file.close()
    if len(data) >= HEADER_SIZE:
        fields = data[: _FIELDS.size]
        magic, version, position, identity = _FIELDS.unpack(fields)
        whole = _CRC.unpack_from(data, _FIELDS.size)[0] == crc32(fields)
        if magic == MAGIC and whole and version > VERSION:
            raise LogVersionUnknown(f"{name} has format {version}, known is up to {VERSION}")
        if magic == MAGIC and whole and checkpoint_name(position) == name:
            return Checkpoint(name, position, identity, size, data)
    raise LogDamaged("the header of the checkpoint is damaged", name, 0)


def write(files: FileSystem, position: int, identity: bytes, facts: Iterable[Fact]) -> int:
    """Write a checkpoint, in one step as far as anybody can see. Its size. Raises OSError."""
    name = checkpoint_name(position)
    try:
        file = files.create(name + TEMPORARY)
        try:
            size = 0
            for piece in _pieces(position, identity, facts):
                file.write(size, piece)
                size += len(piece)
            file.sync()
        finally:
            file.close()
        files.rename(name + TEMPORARY, name)
    except OSError:
        with suppress(OSError):
            files.delete(name + TEMPORARY)  # on a full disk it would take the last room
        raise
    return size


def _pieces(position: int, identity: bytes, facts: Iterable[Fact]) -> Iterator[bytes]:
    fields = _FIELDS.pack(MAGIC, VERSION, position, identity)
    parts = [fields, _CRC.pack(crc32(fields))]
    size = count = 0
    for kind, payload in facts:
        parts.append(record.encode(kind, payload))
        size += len(payload)
        count += 1
        if size >= PIECE:
            yield b"".join(parts)
            parts, size = [], 0
    parts.append(record.encode(END, _COUNT.pack(count)))
    yield b"".join(parts)
