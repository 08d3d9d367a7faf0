"""A directory with a broker's log and checkpoints: opening it, and what is in it.

Knows nothing of threads or locks: whoever calls owns the directory.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import LogDamaged
from ..store import SEGMENT_SIZE, Recovery
from . import checkpoint
from .replay import apply, replay
from .state import State

if TYPE_CHECKING:
    from ..store import FileSystem, Log

__all__ = ["VERIFIED", "Storage", "open_storage"]

VERIFIED = 64 << 20
"""Bytes up to which opening reads everything to see whether it is whole; a larger log is looked at
where it is read, and by `minibroker log check`."""
NONSENSE = (ValueError, LookupError, TypeError, ArithmeticError, struct.error)
"""What a record raises that has another content than its kind says."""


@dataclass(slots=True)
class Storage:
    """What was found in a directory."""

    log: Log
    state: State
    checkpoint: int
    """The position of the newest checkpoint; 0 without one."""
    checkpoint_size: int
    """Bytes of it."""
    records: int
    """How many records were replayed."""
    torn: tuple[str, int] | None
    """File and offset of a write that was never finished, and was cut off."""


def open_storage(
    files: FileSystem,
    identity: bytes,
    segment_size: int = SEGMENT_SIZE,
    verified: int = VERIFIED,
) -> Storage:
    """Read a directory and get it ready to be written to.

    `identity` is for a new log: 16 bytes that no other log has. Raises LogDamaged, naming file and
    offset, LogVersionUnknown and OSError; then nothing was changed.
    """
    state = State()
    since = size = 0
    known: bytes | None = None
    older: list[str] = []
    names = checkpoint.find(files)
    if names:
        found = checkpoint.read(files, names[0])
        for offset, kind, payload in found.records():
            _apply(state, kind, payload, found.name, offset)
        since, size, known = found.position, found.size, found.identity
        older = names[1:]
    recovery = Recovery(files, since, known)
    records = 0
    for position, data in recovery.frames():
        records += _replay(state, position, data)
    if sum(files.list().values()) <= verified:
        recovery.verify()
    recovery.superfluous += older
    log = recovery.finish(identity, segment_size)
    return Storage(log, state, since, size, records, recovery.torn)


def _apply(state: State, kind: int, payload: bytes, name: str, offset: int) -> None:
    try:
        apply(state, kind, payload)
    except NONSENSE as error:
        raise LogDamaged(f"the record makes no sense: {error}", name, offset) from error


def _replay(state: State, position: int, data: bytes) -> int:
    try:
        return replay(state, position, data)
    except NONSENSE as error:
        raise LogDamaged(f"the records make no sense: {error}", "log", position) from error
