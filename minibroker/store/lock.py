"""One owner of a directory: a lock that the operating system lets go of when its process ends.

What is written in the file only says who it is; a copy of the directory is not locked.
"""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Self

from ..errors import LogLocked

try:
    import fcntl
except ImportError:  # pragma: no cover -- not a POSIX system
    fcntl = None  # type: ignore[assignment]  # asked for below

__all__ = ["LOCK_FILE", "DirectoryLock"]

_held: weakref.WeakSet[DirectoryLock] = weakref.WeakSet()
"""The locks of this process."""

LOCK_FILE = "lock"


class DirectoryLock:
    """The lock of a directory, taken when it is made.

    Raises LogLocked that names the process that has it, OSError when the file cannot be opened.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        path = Path(directory) / LOCK_FILE
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        self._descriptor: int | None = os.open(path, flags, 0o600)
        _held.add(self)
        try:
            self._take(self._descriptor, Path(directory))
        except BaseException:
            self.release()
            raise

    def _take(self, descriptor: int, directory: Path) -> None:
        try:
            _lock(descriptor)
        except BlockingIOError:
            owner = os.pread(descriptor, 32, 0).split(b"\n")[0].decode(errors="replace")
            who = f"process {owner}" if owner else "another process"
            if owner == str(os.getpid()):
                who = f"this process ({owner})"
            raise LogLocked(f"{directory} is open in {who}") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        """Let go of it; twice does nothing. In a forked child the parent keeps it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _lock(descriptor: int) -> None:
    if fcntl is None:  # pragma: no cover -- not a POSIX system
        raise LogLocked("a broker with a log needs a POSIX system")
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _let_go_in_child() -> None:
    """A forked child does not keep its parent's locks when the parent ends."""
    for lock in list(_held):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)
