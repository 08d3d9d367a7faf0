"""Persistent queues that others have written for one process, all on SQLite, as they come.

Only what they do for a message: one loop that puts, and one that puts, takes out and settles. Their
settings are their own defaults. `diskcache` and `litequeue` do not sync on a put (`synchronous` is
NORMAL), `persist-queue` does (FULL): see docs/benchmarks.md.
"""

from __future__ import annotations

import os
import shutil
from abc import ABC, abstractmethod
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar

import diskcache
import litequeue
import persistqueue

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BODY", "BareFile", "DiskCache", "LiteQueue", "Peer", "PersistQueue"]

BODY = bytes(range(100))
TEXT = "x" * len(BODY)


class Peer(ABC):
    """A queue in a directory of its own below another one."""

    name: ClassVar[str]
    takes: ClassVar[str]
    """What taking a message out is called there."""

    def __init__(self, below: Path) -> None:
        self._below = below
        self._numbers = count(1)
        self._directory: Path | None = None
        self._queue: Any = None

    def renew(self) -> None:
        """Start over with an empty queue: what was settled stays with most of them, and slows."""
        self.close()
        self._directory = self._below / f"{type(self).__name__}-{next(self._numbers)}"
        self._directory.mkdir()
        self._queue = self._open(str(self._directory))

    def close(self) -> None:
        """Close the queue, and delete its files."""
        if self._directory is not None:
            self._close()
            shutil.rmtree(self._directory)
            self._directory = None

    def _close(self) -> None:
        self._queue.close()

    @abstractmethod
    def _open(self, directory: str) -> Any: ...

    @abstractmethod
    def put(self, number: int) -> None:
        """Put so many messages."""

    @abstractmethod
    def put_take_settle(self, number: int) -> None:
        """Put a message, take it out and say that it is done, so many times."""


class DiskCache(Peer):
    """`diskcache.Deque`. It has no acks: what is taken out is gone."""

    name = "diskcache"
    takes = "append, popleft"

    def _open(self, directory: str) -> Any:
        return diskcache.Deque(directory=directory)

    def _close(self) -> None:
        self._queue.cache.close()

    def put(self, number: int) -> None:
        """Put so many messages."""
        append = self._queue.append
        for _ in range(number):
            append(BODY)

    def put_take_settle(self, number: int) -> None:
        """Put a message and take it out, so many times."""
        append, take = self._queue.append, self._queue.popleft
        for _ in range(number):
            append(BODY)
            take()


class PersistQueue(Peer):
    """`persistqueue.SQLiteAckQueue`."""

    name = "persist-queue"
    takes = "put, get, ack"

    def _open(self, directory: str) -> Any:
        return persistqueue.SQLiteAckQueue(directory)

    def put(self, number: int) -> None:
        """Put so many messages."""
        put = self._queue.put
        for _ in range(number):
            put(BODY)

    def put_take_settle(self, number: int) -> None:
        """Put a message, take it out and say that it is done, so many times."""
        put, take, ack = self._queue.put, self._queue.get, self._queue.ack
        for _ in range(number):
            put(BODY)
            ack(take())


class LiteQueue(Peer):
    """`litequeue.LiteQueue`, which takes text."""

    name = "litequeue"
    takes = "put, pop, done"

    def _open(self, directory: str) -> Any:
        return litequeue.LiteQueue(f"{directory}/queue.db")

    def put(self, number: int) -> None:
        """Put so many messages."""
        put = self._queue.put
        for _ in range(number):
            put(TEXT)

    def put_take_settle(self, number: int) -> None:
        """Put a message, take it out and say that it is done, so many times."""
        put, take, done = self._queue.put, self._queue.pop, self._queue.done
        for _ in range(number):
            put(TEXT)
            done(take().message_id)


class BareFile:
    """The least that a durable write can be: `write` and `fdatasync` on a file that grows."""

    name = "write, fdatasync"

    def __init__(self, below: Path, size: int) -> None:
        """`size` is how many bytes one write has."""
        self._path = below / "bare"
        self._data = b"y" * size
        self._file = -1

    def renew(self) -> None:
        """Start over with an empty file."""
        self.close()
        self._file = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def put(self, number: int) -> None:
        """Write so many times, each of them synced."""
        write, sync, file, data = os.write, os.fdatasync, self._file, self._data
        for _ in range(number):
            write(file, data)
            sync(file)
