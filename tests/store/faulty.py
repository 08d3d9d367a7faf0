"""Files in memory that behave like those of a disk, and fail when a test wants them to.

What was written and not synced is lost in a power cut, or some of it is: see `after_power_cut`. A
kernel that outlives the process loses nothing: see `after_kill`. Operations that change something
are counted, and any of them can be the last one (`stop_at`) or fail (`fail`).

    files = FaultyFiles()
    files.fail(at=3, kinds={"sync"}, code=errno.EIO, drops=True)
    ...
    for seed in range(10):
        recover(files.after_power_cut(seed))
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["CHANGING", "Fault", "FaultyFile", "FaultyFiles", "PowerCut"]

CHANGING = frozenset({"create", "delete", "rename", "resize", "sync", "write"})
"""The operations that are counted. `list`, `open` and `read` fail when they are asked to only."""


class PowerCut(BaseException):
    """The machine is off: no operation does anything any more."""


@dataclass(slots=True)
class Fault:
    """Operations that fail."""

    kinds: frozenset[str]
    after: int
    """How many operations of these kinds still succeed."""
    times: int | None
    """How many fail then; None: all."""
    code: int
    part: int
    """How many bytes a write that fails has written."""
    drops: bool
    """Whether a sync that fails drops what was not synced: later syncs succeed without it."""
    done: bool
    """Whether the operation takes place, and only fails to get to the disk."""
    hit: bool = False
    """Whether anything failed so far."""

    def hits(self, kind: str) -> bool:
        """Whether it is the turn of an operation of that kind to fail."""
        if kind not in self.kinds or self.times == 0:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        self.hit = True
        return True

    @property
    def error(self) -> OSError:
        """What it raises."""
        return OSError(self.code, os.strerror(self.code))


@dataclass(slots=True)
class Change:
    """A write, or a resize (`data` is None, `offset` the size)."""

    offset: int
    data: bytes | None

    def apply(self, content: bytearray) -> None:
        """Do it."""
        missing = self.offset - len(content)
        if missing > 0:
            content += bytes(missing)
        if self.data is None:
            del content[self.offset :]
        else:
            content[self.offset : self.offset + len(self.data)] = self.data


@dataclass(slots=True, eq=False)
class Inode:
    """What a file contains for whoever reads it, and what of it is on the disk."""

    content: bytearray = field(default_factory=bytearray)
    synced: bytearray = field(default_factory=bytearray)
    unsynced: list[Change] = field(default_factory=list)
    """What has to happen to `synced`. Less than what makes it `content` after a failed sync."""

    def change(self, change: Change) -> None:
        """Write or resize."""
        change.apply(self.content)
        self.unsynced.append(change)

    def sync(self) -> None:
        """Bring it to the disk."""
        for change in self.unsynced:
            change.apply(self.synced)
        self.unsynced.clear()

    def copy(self) -> Inode:
        """Another one that is the same."""
        return Inode(bytearray(self.content), bytearray(self.synced), list(self.unsynced))

    def after_power_cut(self, random: Random, how: str) -> Inode:
        """What may be on the disk."""
        left = bytearray(self.synced)
        if how == "prefix":
            self._apply_some(left, random)
        elif how != "nothing":
            whole = bytearray(self.synced)
            for change in self.unsynced:
                change.apply(whole)
            if how == "all":
                left = whole
            else:
                _mix(left, whole, 512 if how == "sectors" else 4096, random)
        return Inode(left, bytearray(left))

    def _apply_some(self, left: bytearray, random: Random) -> None:
        """The first changes, and the first bytes of the next one."""
        count = random.randrange(len(self.unsynced) + 1)
        rooms = random.random() < 0.5
        for change in self.unsynced[:count]:
            if change.data is not None or rooms or change.offset < len(left):
                change.apply(left)
        if count < len(self.unsynced):
            offset, data = self.unsynced[count].offset, self.unsynced[count].data
            if data is not None:
                Change(offset, data[: random.randrange(len(data) + 1)]).apply(left)


HOW = ("nothing", "all", "prefix", "prefix", "sectors", "pages")
"""What may happen to the unsynced changes of a file: none is there, all, those up to some byte, or
any sectors or pages of them; where one is missing is what was there before, or zeros."""


def _mix(left: bytearray, whole: bytearray, piece: int, random: Random) -> None:
    """Some pieces as they are in `whole`; the size is that of `whole`, or up to the last piece."""
    size = len(whole) if random.random() < 0.5 else min(len(left), len(whole))
    share = random.choice((0.1, 0.5, 0.9))
    for start in range(0, len(whole), piece):
        new = whole[start : start + piece]
        if random.random() < share and left[start : start + piece] != new:
            Change(start, bytes(new)).apply(left)
            size = max(size, start + len(new))
    Change(size, None).apply(left)


class FaultyFile:
    """See `File` of minibroker.store. Reads and changes its file also when that was deleted."""

    def __init__(self, files: FaultyFiles, name: str, inode: Inode) -> None:
        self.name = name
        self._files = files
        self._inode = inode
        self._closed = False

    def read(self, offset: int, size: int) -> bytes:
        """See `File`."""
        self._check_open()
        self._files._operate("read")
        assert offset >= 0, f"{self.name}: read at {offset}"
        assert size >= 0, f"{self.name}: read of {size} bytes"
        return bytes(self._inode.content[offset : offset + size])

    def write(self, offset: int, data: bytes) -> None:
        """See `File`."""
        assert offset >= 0, f"{self.name}: write at {offset}"
        self._change("write", Change(offset, bytes(data)))

    def resize(self, size: int) -> None:
        """See `File`."""
        assert size >= 0, f"{self.name}: size {size}"
        self._change("resize", Change(size, None))

    def sync(self) -> None:
        """See `File`."""
        self._check_open()
        fault = self._files._operate("sync", name=self.name)
        if fault is None:
            self._inode.sync()
            return
        if fault.drops:
            self._inode.unsynced.clear()
        raise fault.error

    def close(self) -> None:
        """See `File`."""
        if not self._closed:
            self._closed = True
            self._files.opened.remove(self)

    def _change(self, kind: str, change: Change) -> None:
        self._check_open()
        fault = self._files._operate(kind, lambda: self._inode.change(change), self.name)
        if fault is None:
            self._inode.change(change)
            return
        if change.data is not None and fault.part:
            self._inode.change(Change(change.offset, change.data[: fault.part]))
        elif fault.done:
            self._inode.change(change)
        raise fault.error

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"{self.name} is closed")


class FaultyFiles:
    """See `FileSystem` of minibroker.store."""

    def __init__(self, contents: Mapping[str, bytes] | None = None) -> None:
        """`contents` by name is on the disk already."""
        self.count = 0
        """How many operations changed something, or tried to."""
        self.history: list[str] = []
        """Their kinds and files, in order."""
        self.opened: list[FaultyFile] = []
        """The files that were not closed yet."""
        self._names: dict[str, Inode] = {}
        self._durable: dict[str, Inode] = {}
        """The names that are in the directory after a power cut."""
        self._faults: list[Fault] = []
        self._stop: int | None = None
        self._off = False
        for name, content in (contents or {}).items():
            self._names[name] = Inode(bytearray(content), bytearray(content))
        self._durable = dict(self._names)

    # -- what the log uses

    def list(self) -> dict[str, int]:
        """See `FileSystem`."""
        self._operate("list")
        return {name: len(inode.content) for name, inode in self._names.items()}

    def open(self, name: str) -> FaultyFile:
        """See `FileSystem`."""
        self._operate("open")
        return self._file(name)

    def create(self, name: str) -> FaultyFile:
        """See `FileSystem`."""
        self._enter("create", name, lambda: self._names.update({name: Inode()}))
        return self._file(name)

    def rename(self, old: str, new: str) -> None:
        """See `FileSystem`."""

        def move() -> None:
            if old not in self._names:
                raise _not_found(old)
            self._names[new] = self._names.pop(old)

        self._enter("rename", new, move)

    def delete(self, name: str) -> None:
        """See `FileSystem`."""
        self._enter("delete", name, lambda: self._names.pop(name, None))

    # -- what the test uses

    def stop_at(self, number: int) -> None:
        """The power goes off during the operation of that number, counted from 0 like `count`.

        A change that is interrupted may have been made, a sync has not ended.
        """
        self._stop = number

    def fail(
        self,
        at: int = 0,
        kinds: Iterable[str] = CHANGING,
        times: int | None = 1,
        code: int = errno.ENOSPC,
        *,
        part: int = 0,
        drops: bool = False,
        done: bool = False,
    ) -> None:
        """Let an operation fail: of those of these `kinds`, the one `at` operations from now.

        And the next ones, `times` altogether (None: for ever). See `Fault` for the rest.
        """
        self._faults.append(Fault(frozenset(kinds), at, times, code, part, drops, done))

    def heal(self) -> None:
        """Nothing fails any more."""
        self._faults.clear()
        self._stop = None

    def contents(self) -> dict[str, bytes]:
        """What is in the files, for whoever reads them."""
        return {name: bytes(inode.content) for name, inode in self._names.items()}

    def after_kill(self) -> FaultyFiles:
        """The files after the process was killed, and not the machine: nothing is lost."""
        copies = {id(inode): inode.copy() for inode in self._inodes()}
        files = FaultyFiles()
        files._names = {name: copies[id(inode)] for name, inode in self._names.items()}
        files._durable = {name: copies[id(inode)] for name, inode in self._durable.items()}
        return files

    def after_power_cut(self, seed: int = 0, how: str | None = None) -> FaultyFiles:
        """The files after a power cut: what was synced, and of the rest what `seed` chooses.

        `how` is one of `HOW`, for all files; None: each one has another fate.
        """
        random = Random(seed)
        files = FaultyFiles()
        names = self._names if how == "all" or random.random() < 0.5 else self._durable
        for name, inode in names.items():
            files._names[name] = inode.after_power_cut(random, how or random.choice(HOW))
        files._durable = dict(files._names)
        return files

    # -- within

    def _inodes(self) -> Iterable[Inode]:
        return (*self._names.values(), *self._durable.values())

    def _file(self, name: str) -> FaultyFile:
        if name not in self._names:
            raise _not_found(name)
        file = FaultyFile(self, name, self._names[name])
        self.opened.append(file)
        return file

    def _enter(self, kind: str, name: str, change: Callable[[], object]) -> None:
        """Change the directory."""
        fault = self._operate(kind, change, name)
        if fault is not None:
            if fault.done:
                change()
            raise fault.error
        change()
        self._durable = dict(self._names)

    def _operate(
        self, kind: str, change: Callable[[], object] = lambda: None, name: str = ""
    ) -> Fault | None:
        """Count an operation; the fault that it has. `change` is what a power cut interrupts."""
        if self._off:
            raise PowerCut
        if kind in CHANGING:
            if self.count == self._stop:
                change()
                self._off = True
                raise PowerCut
            self.count += 1
            self.history.append(f"{kind} {name}".rstrip())
        for fault in self._faults:
            if fault.hits(kind):
                if kind in CHANGING:
                    return fault
                raise fault.error
        return None


def _not_found(name: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
