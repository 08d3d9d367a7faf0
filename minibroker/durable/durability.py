"""A broker's log, from opening to closing. What `Broker(data=...)` has besides its model."""

from __future__ import annotations

import atexit
import os
import secrets
import weakref
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LogError
from ..journal import Journal, open_storage, restore
from ..store import SEGMENT_SIZE, DirectoryLock, DiskFileSystem, Reserve
from .committer import Committer
from .policy import SyncPolicy
from .snapshot import write_snapshot
from .upkeep import Upkeep
from .worker import Worker

if TYPE_CHECKING:
    import threading

    from ..host import Host
    from ..store import FileSystem
    from ..users import Users

__all__ = ["Durability", "DurabilityOptions"]

LEAST_RESERVE, MOST_RESERVE = 64 << 10, 8 << 20
"""Bytes that are kept free for when the disk is full: an eighth of a segment, within these."""
COMPRESS_OVER = 1024
"""Bytes of a body from which on compressing is worth it."""


@dataclass(frozen=True, slots=True)
class DurabilityOptions:
    """How a broker keeps what has to outlive it. Raises ValueError that names what is invalid."""

    fsync: str = "always"
    compress: str | None = None
    segment_size: int = SEGMENT_SIZE

    def __post_init__(self) -> None:
        SyncPolicy.parse(self.fsync)
        if self.compress not in {None, "lz4"}:
            raise ValueError(f"compress must be 'lz4' or None, not {self.compress!r}")
        if not 4096 <= self.segment_size <= 1 << 31:
            raise ValueError(f"segment_size must be 4096 to 2^31 bytes, not {self.segment_size}")


class Durability:
    """The log of one broker, opened and in use."""

    def __init__(
        self,
        data: str | os.PathLike[str] | FileSystem,
        options: DurabilityOptions,
        host: Host,
        users: Users,
        lock: threading.RLock,
    ) -> None:
        """Open the directory and fill the model of `host` with what is there.

        Raises LogLocked, LogDamaged, LogVersionUnknown and OSError; the directory is free then.
        """
        self._directory: DirectoryLock | None = None
        self._worker: Worker | None = None
        files: FileSystem
        if isinstance(data, str | os.PathLike):
            files = DiskFileSystem(data)
            self._directory = DirectoryLock(Path(data))
        else:
            files = data
        try:
            storage = open_storage(files, secrets.token_bytes(16), options.segment_size)
            over = COMPRESS_OVER if options.compress else None
            self.journal = Journal(storage.log, storage.state.next_place, host.alarm, over)
            restore(storage.state, host, users, self.journal)
        except BaseException:
            self._release()
            raise
        storage.state.places.clear()
        size = min(max(options.segment_size // 8, LEAST_RESERVE), MOST_RESERVE)
        reserve = Reserve(files, size)
        policy = SyncPolicy.parse(options.fsync)
        self.committer = Committer(self.journal, host.gate, lock, policy, reserve)
        self.committer.hold_reserve()
        self.committer.tell_low()
        self.upkeep = Upkeep(self.committer, host, users, storage)
        self.committer.upkeep = self.upkeep.commit
        self.journal.waiter = self.committer.wait
        host.assist = self.committer.assist
        host.hasten = self.hasten
        _open.add(self)

    def start(self) -> None:
        """Commit in a thread from now on; without it whoever waits for a commit does it."""
        self._worker = Worker(self.committer, self.upkeep)

    def hasten(self) -> None:
        """Have what there is committed soon, without waiting for it where there is a worker.

        For whoever cannot wait in a thread, such as an event loop.
        """
        committer = self.committer
        if committer.hurry is None:
            committer.commit()
            return
        with committer.lock:
            if committer.hurry is not None:
                committer.hurry()

    def snapshot(self, path: str | os.PathLike[str]) -> None:
        """Copy everything as it is now into a directory that is empty, or made here."""
        write_snapshot(self.committer, self.upkeep, path)

    def close(self) -> None:
        """Write what there is, and a checkpoint, and let go of the directory.

        Raises LogError if not everything could be written; the directory is free all the same.
        """
        _open.discard(self)
        if self._worker is not None:
            self._worker.stop()
        try:
            with self.committer.exclusively() as mine:
                if mine:
                    self._finish()
                elif self.committer.failed:  # the worker gave up, and said why
                    raise LogError(f"nothing more could be written: {self.committer.error}")
        finally:
            self._release()

    def _finish(self) -> None:
        self.committer.write(sync=True)
        if not self.committer.failed and self.committer.log.end > self.upkeep.checkpoint:
            self.upkeep.make_checkpoint()
        error = self.committer.error
        if error is None:
            self.upkeep.finish()
        self.upkeep.close()
        with suppress(OSError):
            self.committer.reserve.release()
        self.committer.log.close()
        if error is not None:
            raise LogError(
                f"the last of what happened could not be written: {error}; what was confirmed is "
                "there"
            ) from error

    def _release(self) -> None:
        if self._directory is not None:
            self._directory.release()


_open: weakref.WeakSet[Durability] = weakref.WeakSet()
"""The logs that are in use."""


@atexit.register
def _close_all() -> None:
    """A program that ends without closing its brokers loses nothing by that."""
    for each in list(_open):
        with suppress(LogError, OSError):
            each.close()
