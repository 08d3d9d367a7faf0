"""The files of one directory, behind five methods, so that a test can let any of them fail.

Knows nothing of what is in the files. Names are plain file names in that one directory.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

__all__ = ["DiskFileSystem", "File", "FileSystem", "copy_file", "sync_directory"]

PIECE = 1 << 20
"""Bytes that are copied at a time."""

_FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class File(Protocol):
    """One open file. Offsets and sizes are bytes. Everything may raise OSError."""

    def read(self, offset: int, size: int) -> bytes:
        """What is there, shorter than `size` only at the end of the file."""
        ...

    def write(self, offset: int, data: bytes) -> None:
        """Write all of it, or raise; how much was written is then unknown."""
        ...

    def sync(self) -> None:
        """Return when everything written is on the disk. Once it failed, nothing is certain."""
        ...

    def resize(self, size: int) -> None:
        """Cut the file, or give it more room, which reads as zeros."""
        ...

    def close(self) -> None:
        """Give it back; closing twice does nothing."""
        ...


class FileSystem(Protocol):
    """The files of one directory. Everything may raise OSError.

    What `create`, `rename` and `delete` did to the directory is on the disk when they return.
    """

    def list(self) -> dict[str, int]:
        """The files that are there, with their sizes in bytes."""
        ...

    def open(self, name: str) -> File:
        """Open a file that is there, for reading and writing."""
        ...

    def create(self, name: str) -> File:
        """Make an empty file, in place of one with this name."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in place of one with that name, in one step."""
        ...

    def delete(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        ...


class DiskFile:
    """A file of the operating system."""

    __slots__ = ("_descriptor", "name")

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self.name = name

    def read(self, offset: int, size: int) -> bytes:
        """See `File`."""
        parts: list[bytes] = []
        while size > 0:
            part = os.pread(self._descriptor, min(size, 1 << 30), offset)
            if not part:
                break
            parts.append(part)
            offset += len(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def write(self, offset: int, data: bytes) -> None:
        """See `File`."""
        written = os.pwrite(self._descriptor, data, offset)
        while written < len(data):
            rest = memoryview(data)[written:]
            written += os.pwrite(self._descriptor, rest, offset + written)

    def sync(self) -> None:
        """See `File`."""
        _sync_data(self._descriptor)

    def resize(self, size: int) -> None:
        """See `File`."""
        current = os.fstat(self._descriptor).st_size
        if size > current and hasattr(os, "posix_fallocate"):
            # Room that is there already makes fdatasync 1.3 times as fast as appending (ext4),
            # and a full disk shows here, before anything is written.
            os.posix_fallocate(self._descriptor, current, size - current)
        elif size != current:
            os.ftruncate(self._descriptor, size)

    def close(self) -> None:
        """See `File`."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class DiskFileSystem:
    """A directory of the operating system, made if it is not there."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)
        made = [each for each in (self.directory, *self.directory.parents) if not each.exists()]
        self.directory.mkdir(parents=True, exist_ok=True)
        for each in made:
            with suppress(PermissionError):  # it may be allowed to be passed through alone
                sync_directory(each.parent)

    def list(self) -> dict[str, int]:
        """See `FileSystem`."""
        with os.scandir(self.directory) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}

    def open(self, name: str) -> DiskFile:
        """See `FileSystem`."""
        return DiskFile(os.open(self.directory / name, _FLAGS), name)

    def create(self, name: str) -> DiskFile:
        """See `FileSystem`."""
        # A new file and not the old one cut: after a failed sync nothing of it may be used again.
        with suppress(FileNotFoundError):
            (self.directory / name).unlink()
        file = DiskFile(
            os.open(self.directory / name, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600), name
        )
        try:
            sync_directory(self.directory)
        except BaseException:
            file.close()
            raise
        return file

    def rename(self, old: str, new: str) -> None:
        """See `FileSystem`."""
        (self.directory / old).replace(self.directory / new)
        sync_directory(self.directory)

    def delete(self, name: str) -> None:
        """See `FileSystem`."""
        with suppress(FileNotFoundError):
            (self.directory / name).unlink()
            sync_directory(self.directory)


def copy_file(source: File, target: File, size: int) -> None:
    """Copy so many bytes of a file into an empty one, and sync that. Raises OSError."""
    for offset in range(0, size, PIECE):
        target.write(offset, source.read(offset, min(PIECE, size - offset)))
    target.sync()


def sync_directory(directory: Path) -> None:
    """Return when what was done to the names in a directory is on the disk. Raises OSError."""
    if os.name == "nt":  # pragma: no cover -- Windows
        return  # a directory cannot be opened there, and its changes are journalled
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_sync_data = getattr(os, "fdatasync", os.fsync)
