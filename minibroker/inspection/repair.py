"""Repairing a log: everything that is whole becomes a new log, which takes the place of the old.

The order, so that a power cut at any point leaves the old log complete, or the new one:

1. every file of the old log is kept in an archive, with a report, and on the disk;
2. the new log is written under temporary names, and synced; it begins behind the old one and has
   an identity of its own;
3. its segments get their names, then its checkpoint: from that moment on it is the log;
4. the old files are deleted, which are in the archive.

Before the checkpoint has its name the new segments belong, by their identity, to another log: the
next repair leaves them out. Behind it the same goes for the old ones. So whatever is left by a cut
in step 3 or 4 is repaired by repairing again, with the same result.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ..errors import LogError
from ..journal import checkpoint
from ..store import TEMPORARY
from ..store.segment import is_segment
from .check import check
from .entries import name_of_place
from .mending import mend
from .reading import Hole
from .rebuild import Left, left_of, rebuild
from .reindex import reindex
from .salvage import Salvage, checkpoint_items, position_of, salvage

if TYPE_CHECKING:
    from ..store import FileSystem, Log
    from .reading import Problem

__all__ = ["Archive", "Repair", "repair"]

STEP = 4096
"""The new log begins at a multiple of it."""


class Archive(Protocol):
    """Where what is removed goes."""

    def keep(self, names: list[str]) -> None:
        """Have these files as they are. Raises OSError."""
        ...

    def report(self, text: str) -> None:
        """Write down what was done. Everything kept is on the disk then. Raises OSError."""
        ...


@dataclass(slots=True)
class Repair:
    """What was repaired, or would be."""

    problems: list[Problem]
    """What was damaged; nothing: there was nothing to do."""
    lost: list[str] = field(default_factory=list)
    """What is gone, in words."""
    kept: list[str] = field(default_factory=list)
    """What is still there, in words."""

    def lines(self) -> list[str]:
        """All of it."""
        return [
            *(f"damaged: {problem}" for problem in self.problems),
            *(f"lost: {what}" for what in self.lost),
            *(f"kept: {what}" for what in self.kept),
        ]


def repair(
    files: FileSystem, archive: Archive, identity: bytes, *, dry_run: bool = False
) -> Repair:
    """Make a log whole that `check` finds something to say about; another one stays as it is.

    `identity` is for the new log: 16 bytes that no other log has. With `dry_run` nothing is
    changed. Raises LogVersionUnknown, LogError when the new log is not whole, and OSError.
    """
    problems = check(files).problems
    done = Repair(problems)
    if not problems:
        return done
    found = salvage(files, _choose(files))
    done.lost += _what_is_lost(found)
    done.lost += mend(found.state)
    old = found.survey.log()
    try:
        for segment in found.survey.unindexed:
            reindex(files, segment, found.state)
        left = left_of(found.state, old)
        _add_suspects(found, left)
        _tell(found, left, done)
        if dry_run:
            return done
        names = sorted(filter(_is_ours, files.list()))
        archive.keep(names)
        archive.report("\n".join(done.lines()) + "\n")
        new = _rebuild(found, left, old, identity)
    finally:
        old.close()
    for name in new:
        files.rename(name + TEMPORARY, name)
    for name in files.list():
        if name.endswith(TEMPORARY) or name in names:
            files.delete(name)
    rest = check(files).problems
    if rest:
        raise LogError(f"the repaired log is not whole: {rest[0]}")
    return done


def _rebuild(found: Salvage, left: dict[int, Left], old: Log, identity: bytes) -> list[str]:
    files = old.files
    try:
        return rebuild(found.state, left, old, _start(files), identity)
    except BaseException:
        with suppress(OSError):
            for name in files.list():
                if name.endswith(TEMPORARY):
                    files.delete(name)
        raise


def _is_ours(name: str) -> bool:
    return is_segment(name) or checkpoint.is_checkpoint(name)


def _start(files: FileSystem) -> int:
    """A position behind everything that there is."""
    ends = [position_of(name) + size for name, size in files.list().items() if _is_ours(name)]
    return (max(ends, default=0) // STEP + 1) * STEP


# -- what to begin with


def _choose(files: FileSystem) -> str | None:
    """The checkpoint to begin with: the newest whole one from which on the log has no gap.

    Without such a one the newest of which anything is left.
    """
    names = checkpoint.find(files)
    for name in names:
        if _is_whole(files, name) and not (
            name != names[0] and salvage(files, name).survey.has_gap
        ):
            return name
    for name in names:
        if not all(isinstance(item, Hole) for item in checkpoint_items(files, name)):
            return name
    return None


def _is_whole(files: FileSystem, name: str) -> bool:
    return not any(isinstance(item, Hole) for item in checkpoint_items(files, name))


# -- what to say


def _what_is_lost(found: Salvage) -> list[str]:
    lost: list[str] = []
    if found.checkpoint is None and found.unknown:
        lost.append(
            "there is no checkpoint: queues that were declared before the log as it is begins "
            "cannot be restored"
        )
    if found.unknown and found.problems:
        count = sum(found.unknown.values())
        lost.append(
            f"{count} messages of {len(found.unknown)} places that are not known: their queues "
            "were deleted, or their declarations are lost"
        )
    if found.checkpoint_problems:
        lost.append("what damaged records of the checkpoint said, but for what was found again")
    lost += found.found_again
    if found.silent or found.survey.has_gap:
        lost.append(
            "whatever else damaged records said, such as acks: messages may be delivered again"
        )
    return lost


def _add_suspects(found: Salvage, left: dict[int, Left]) -> None:
    """Count the messages of which only a damaged record tells."""
    for number, seq in set(found.suspects):
        place = found.state.places.get(number)
        if place is None or seq in place.settled or seq > place.last_seq + (1 << 20):
            continue
        left[number].lost += 1


def _tell(found: Salvage, left: dict[int, Left], done: Repair) -> None:
    for number, each in left.items():
        name = name_of_place(found.state, number)
        if each.lost:
            done.lost.append(f"{name}: {_messages(each.lost)} lost")
        if each.moved:
            done.lost.append(f"{name}: the {each.moved} oldest offsets move up to close the gap")
    done.kept = [
        f"{name_of_place(found.state, number)}: {_messages(_count(each))}"
        for number, each in left.items()
    ]


def _messages(count: int) -> str:
    return f"{count} message{'s' if count != 1 else ''}"


def _count(left: Left) -> int:
    return len(left.rows) + sum(map(len, left.entries.values()))
