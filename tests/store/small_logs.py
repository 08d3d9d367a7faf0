"""Small logs for the tests: made, opened again, and read from the first record to the last."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from faulty import FaultyFiles
from minibroker.store import FRAME_HEADER, Log, Recovery, record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minibroker.store import FileSystem

__all__ = [
    "IDENTITY",
    "SEGMENT",
    "Opened",
    "body",
    "create",
    "fill",
    "open_log",
    "read_all",
    "records_of",
]

IDENTITY = bytes(range(16))
SEGMENT = 1024
"""Bytes of a segment, small so that a few frames fill it."""


@dataclass(slots=True)
class Opened:
    """A log that was opened, and what was found in it."""

    log: Log
    torn: tuple[str, int] | None
    superfluous: list[str]
    found: list[tuple[int, int, bytes]] = field(default_factory=list)
    """Position, kind and payload of the records from `since` on."""

    @property
    def payloads(self) -> list[bytes]:
        """What is in the records."""
        return [payload for _, _, payload in self.found]


def records_of(position: int, records: bytes) -> list[tuple[int, int, bytes]]:
    """Position, kind and payload of the records of a frame."""
    return [(position + offset, kind, payload) for offset, kind, payload in record.scan(records)]


def open_log(files: FileSystem, since: int = 0, segment_size: int = SEGMENT) -> Opened:
    """Open a log the way a broker does."""
    recovery = Recovery(files, since)
    found: list[tuple[int, int, bytes]] = []
    for position, records in recovery.frames():
        found += records_of(position, records)
    recovery.verify()
    log = recovery.finish(IDENTITY, segment_size)
    log._check()
    return Opened(log, recovery.torn, recovery.superfluous, found)


def create(segment_size: int = SEGMENT) -> tuple[FaultyFiles, Log]:
    """A log that is empty."""
    files = FaultyFiles()
    return files, open_log(files, segment_size=segment_size).log


def body(number: int, size: int = 100) -> bytes:
    """Bytes that begin with a number, so that order and gaps can be seen."""
    return number.to_bytes(4, "big") + Random(number).randbytes(size)


def read_all(log: Log, positions: Sequence[int]) -> list[bytes]:
    """The payloads of the records at some positions."""
    return [payload for _, payload in log.read(positions)]


def fill(log: Log, *sizes: int) -> list[int]:
    """Append a frame of one record for each size; their positions."""
    positions: list[int] = []
    for number, size in enumerate(sizes):
        positions.append(log.end + FRAME_HEADER)
        log.append([record.encode(1, body(number, size))])
    return positions
