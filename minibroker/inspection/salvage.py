"""A state from everything that is whole in a directory, with a list of what is not.

As `open_storage`, which stops at the first thing that is off; this one goes on. Changes no file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import LogDamaged
from ..journal import checkpoint, kinds
from ..journal.replay import apply, replay
from ..journal.state import State
from ..store import record
from ..store.segment import HEADER_SIZE
from .entries import places_of
from .older import Older, number_of
from .reading import NONSENSE, Hole, Problem, Record, records_of
from .survey import Survey, newest_identity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..store import FileSystem
    from .reading import Item

__all__ = ["Salvage", "checkpoint_items", "position_of", "salvage"]


UNFINISHED = "the checkpoint does not end where it should"


@dataclass(slots=True)
class Salvage:
    """What was read, and what could not be."""

    survey: Survey
    checkpoint: str | None
    """The file that it began with."""
    state: State = field(default_factory=State)
    problems: list[Problem] = field(default_factory=list)
    checkpoint_problems: int = 0
    """How many of them are in the checkpoint."""
    records: int = 0
    """Records that were read, all of them."""
    silent: bool = False
    """Whether something is damaged that only the log tells, and no checkpoint."""
    suspects: list[tuple[int, int]] = field(default_factory=list)
    """Place and number of messages whose records are damaged, as far as that can be told."""
    unknown: dict[int, int] = field(default_factory=dict)
    """Messages of places that there are not, by the number of the place."""
    found_again: list[str] = field(default_factory=list)
    """What a damaged checkpoint did not tell, in words."""
    older: Older | None = None
    """What the log before a damaged checkpoint tells."""


def salvage(files: FileSystem, name: str | None) -> Salvage:
    """Read a directory, beginning with that checkpoint; None: from the beginning of the log.

    Raises LogVersionUnknown and OSError.
    """
    since = 0 if name is None else position_of(name)
    survey = Survey(files, since, newest_identity(files))
    found = Salvage(survey, name)
    if name is not None:
        _read_checkpoint(found, files, name)
    items = survey.items()
    for item in items:
        if found.older is not None and isinstance(item, Record) and item.position >= since:
            _complete(found)
        _take(found, item, since)
    if found.older is not None:
        _complete(found)
    found.problems += survey.problems
    return found


def _read_checkpoint(found: Salvage, files: FileSystem, name: str) -> None:
    older = Older()
    for item in checkpoint_items(files, name):
        if isinstance(item, Hole):
            older.holes.append(item)
            found.problems.append(item.problem)
            continue
        found.records += 1
        try:
            apply(found.state, item.kind, item.payload)
        except KeyError:
            older.unplaced.setdefault(number_of(item.kind, item.payload), []).append(item)
        except NONSENSE as error:
            found.problems.append(_nonsense(item, error))
    for number, items in older.unplaced.items():
        what = f"the declaration of place {number} is missing"
        found.problems.append(Problem(name, items[0].offset, what))
    found.checkpoint_problems = len(found.problems)
    if found.problems:
        found.older = older


def _complete(found: Salvage) -> None:
    older, found.older = found.older, None
    assert older is not None
    is_open = any(hole.what == UNFINISHED for hole in older.holes)
    found.found_again = older.complete(found.state, is_open)


def _nonsense(item: Record, error: Exception) -> Problem:
    return Problem(item.file, item.offset, f"the record makes no sense: {error}")


def position_of(name: str) -> int:
    """The position that the name of a checkpoint or segment tells."""
    return int(name.partition(".")[0])


def checkpoint_items(files: FileSystem, name: str) -> Iterator[Item]:
    """What is in a checkpoint. Raises LogVersionUnknown and OSError."""
    start = checkpoint.HEADER_SIZE
    try:
        checkpoint.read(files, name)
    except LogDamaged as error:
        yield Hole(name, 0, start, error.what)
    file = files.open(name)
    try:
        data = file.read(start, files.list()[name])
    finally:
        file.close()
    count, ended = 0, False
    for item in records_of(data, name, start, 0, search=True):
        if isinstance(item, Hole):
            yield item
        elif item.kind != kinds.END:
            count, ended = count + 1, False
            yield item
        else:
            ended = int.from_bytes(item.payload, "little") == count
    if not ended:
        end = start + len(data)
        yield Hole(name, end, end, UNFINISHED)


def _take(found: Salvage, item: Item, since: int) -> None:
    if isinstance(item, Hole):
        found.problems.append(item.problem)
        if position_of(item.file) + item.start - HEADER_SIZE >= since:
            found.silent = True
            if item.kind == kinds.MESSAGE:
                found.suspects += _suspects(item.payload)
        return
    found.records += 1
    state = found.state
    if item.position < since:
        if found.older is None:
            return  # the checkpoint knows what became of it
        state = found.older.state
    try:
        if state is found.state:
            _look_for_unknown(found, item)
        replay(state, item.position, record.encode(item.kind, item.payload))
    except NONSENSE as error:
        found.problems.append(_nonsense(item, error))


def _look_for_unknown(found: Salvage, item: Record) -> None:
    if item.kind != kinds.MESSAGE:
        return
    for _, number, _, _ in places_of(item.payload):
        if number not in found.state.places:
            found.unknown[number] = found.unknown.get(number, 0) + 1


def _suspects(payload: bytes) -> list[tuple[int, int]]:
    try:
        return [(number, seq) for _, number, seq, _ in places_of(payload)]
    except NONSENSE:
        return []
