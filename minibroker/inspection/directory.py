"""A directory on a disk, for whoever looks at a log that no broker has open."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LogError
from ..journal.checkpoint import is_checkpoint
from ..store import DirectoryLock, DiskFileSystem, copy_file
from ..store.lock import LOCK_FILE
from ..store.segment import is_segment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ..store import FileSystem

__all__ = ["DiskArchive", "NotALog", "open_directory"]

REPORT = "report.txt"


class NotALog(LogError):
    """There is no directory, or no log in it."""


@contextmanager
def open_directory(path: str) -> Iterator[DiskFileSystem]:
    """The files of a directory that has a log, with its lock.

    Nothing is made but the lock's file, and that only beside a log. Raises NotALog, LogLocked that
    names the process that has it open, and OSError.
    """
    directory = Path(path)
    if not directory.is_dir():
        raise NotALog(f"{path} is {'no directory' if directory.exists() else 'not there'}")
    names = [entry.name for entry in directory.iterdir() if entry.is_file()]
    if not any(name == LOCK_FILE or is_segment(name) or is_checkpoint(name) for name in names):
        raise NotALog(f"{path} is not the directory of a log: no segment and no checkpoint in it")
    with DirectoryLock(directory):
        yield DiskFileSystem(directory)


class DiskArchive:
    """A directory for what a repair removes, made beside the log when the first file comes.

    Files become links where the disk can do that, which takes no room and no time, else copies.
    """

    def __init__(self, directory: str, now: datetime) -> None:
        self._above = Path(directory)
        self._stem = f"removed-{now:%Y%m%dT%H%M%SZ}"
        self._path: Path | None = None

    @property
    def name(self) -> str:
        """Where it is, or will be."""
        return str(self._path or self._above / self._stem)

    def _made(self) -> Path:
        number = 1
        while self._path is None:
            path = self._above / (self._stem if number == 1 else f"{self._stem}-{number}")
            with suppress(FileExistsError):
                path.mkdir(mode=0o700)
                self._path = path
            number += 1
        return self._path

    def keep(self, names: list[str]) -> None:
        """Have these files as they are. Raises OSError."""
        path = self._made()
        copies: FileSystem = DiskFileSystem(path)
        for name in names:
            try:
                (path / name).hardlink_to(self._above / name)
            except OSError:
                _copy(DiskFileSystem(self._above), copies, name)

    def report(self, text: str) -> None:
        """Write down what was done. Everything kept is on the disk then. Raises OSError."""
        file = DiskFileSystem(self._made()).create(REPORT)
        try:
            file.write(0, text.encode())
            file.sync()
        finally:
            file.close()


def _copy(source: FileSystem, target: FileSystem, name: str) -> None:
    size = source.list()[name]
    old, new = source.open(name), target.create(name)
    try:
        copy_file(old, new, size)
    finally:
        old.close()
        new.close()
