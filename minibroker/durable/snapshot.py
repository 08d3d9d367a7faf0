"""A copy of a broker's directory while it runs, consistent at one moment.

Commits wait only until everything to be copied is open; copying itself holds nobody up. Files that
the log deletes or rewrites meanwhile stay readable through what was opened.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from ..errors import LogError
from ..journal import checkpoint as checkpoints
from ..store import DiskFileSystem, copy_file, sync_directory

if TYPE_CHECKING:
    import os

    from ..journal.facts import Fact
    from ..store import File
    from .committer import Committer
    from .upkeep import Upkeep

__all__ = ["write_snapshot"]


def write_snapshot(committer: Committer, upkeep: Upkeep, path: str | os.PathLike[str]) -> None:
    """Copy the log and a checkpoint of now into a directory that is empty, or made here.

    It appears in one step when it is whole. Raises FileExistsError when something is there,
    LogError when the log cannot be written, and OSError.
    """
    target = Path(path)
    if target.exists() and any(target.iterdir()):
        raise FileExistsError(f"{target} is not empty: a snapshot needs a directory of its own")
    target.parent.mkdir(parents=True, exist_ok=True)
    begun = Path(mkdtemp(prefix=f"{target.name}.", suffix=".tmp", dir=target.parent))
    try:
        with ExitStack() as stack:
            position, facts, opened = _opened(committer, upkeep, stack)
            files = DiskFileSystem(begun)
            for name, size, file in opened:
                _copy(file, files.create(name), size)
            checkpoints.write(files, position, committer.log.identity, facts)
        begun.replace(target)
        sync_directory(target.parent)
    except BaseException:
        rmtree(begun, ignore_errors=True)
        raise


def _opened(
    committer: Committer, upkeep: Upkeep, stack: ExitStack
) -> tuple[int, list[Fact], list[tuple[str, int, File]]]:
    """Everything to be copied, as it is at one moment: the checkpoint, and the open segments."""
    with committer.exclusively() as mine:
        taken = upkeep.write_and_capture() if mine else None
        if taken is None:
            raise LogError(f"no snapshot while the log cannot be written: {committer.error}")
        committer.log.roll()
        opened: list[tuple[str, int, File]] = []
        for segment in committer.log.segments:
            file = committer.log.files.open(segment.name)
            stack.callback(file.close)
            opened.append((segment.name, segment.size, file))
        return *taken, opened


def _copy(source: File, target: File, size: int) -> None:
    try:
        copy_file(source, target, size)
    finally:
        target.close()
