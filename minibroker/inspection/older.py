"""What a damaged checkpoint does not tell any more, from the log before it.

There messages stand that were settled since, in segments that had to be kept for others, while
what settled them may be gone: they come back. That is better than losing the others.
"""

from __future__ import annotations

from array import array
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..journal import kinds
from ..journal.facts import NUMBER, unpack
from ..journal.replay import apply
from ..journal.state import State
from .entries import name_of_place
from .reading import NONSENSE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..journal.state import Level, PlaceState
    from .reading import Hole, Record

__all__ = ["Older", "number_of"]


@dataclass(slots=True)
class Older:
    """What the log before a checkpoint amounts to, and what is damaged in the checkpoint."""

    state: State = field(default_factory=State)
    """To be filled by replaying the log up to the checkpoint."""
    unplaced: dict[int, list[Record]] = field(default_factory=dict)
    """Records of the checkpoint about places whose declaration is missing, by their number."""
    holes: list[Hole] = field(default_factory=list)
    """What is damaged in the checkpoint."""

    def complete(self, state: State, is_open: bool) -> list[str]:
        """Put into the state of the checkpoint what it lacks, and say what that was.

        `is_open`: nobody knows how much is missing, because the checkpoint does not end.
        """
        found: list[str] = []
        if is_open:
            self._declarations(state)
        for number, records in self.unplaced.items():
            if not self._declare(state, number):
                continue
            found.append(f"{name_of_place(state, number)}: found again in the log before")
            for item in records:
                with suppress(*NONSENSE):  # what it lacks then is looked for below
                    apply(state, item.kind, item.payload)
        for number in sorted(self._affected(state, is_open)):
            older = self.state.places.get(number)
            if older is None:
                continue
            count = _add_missing(state.places[number], older)
            if count:
                found.append(
                    f"{name_of_place(state, number)}: {count} messages that the checkpoint did "
                    "not tell of found again in the log before; some of them may have been acked"
                )
        return found

    def _declare(self, state: State, number: int) -> bool:
        queue = self.state.queues.get(number)
        if queue is not None:
            state.queues[number] = queue
            state.add_place(number, _empty(self.state.places[number]))
            return True
        for key, values in self.state.exchanges.items():
            if values[-1] == number:
                state.exchanges[key] = values
                state.add_place(number, _empty(self.state.places[number]))
                return True
        return False

    def _declarations(self, state: State) -> None:
        """All that was declared before, where the checkpoint does not say otherwise."""
        older = self.state
        state.vhosts = {**older.vhosts, **state.vhosts}
        state.limits = {**older.limits, **state.limits}
        state.users = {**older.users, **state.users}
        state.passwords = {**older.passwords, **state.passwords}
        state.permissions = {**older.permissions, **state.permissions}
        state.policies = {**older.policies, **state.policies}
        names = {(queue.vhost, queue.name) for queue in state.queues.values()}
        for number, queue in older.queues.items():
            if (queue.vhost, queue.name) not in names:
                self._declare(state, number)
        for key, values in older.exchanges.items():
            if key not in state.exchanges and not (values[-1] and self._declare(state, values[-1])):
                state.exchanges[key] = values
        for binding in older.bindings:
            if binding not in state.bindings:
                state.bind(binding)

    def _affected(self, state: State, is_open: bool) -> set[int]:
        """The places of which entries may be missing."""
        if is_open:
            return set(state.places)
        found: set[int] = set()
        for hole in self.holes:
            number = number_of(kinds.LOOSE, hole.payload)
            if hole.kind in {kinds.LOOSE, kinds.PAGES} and number in state.places:
                found.add(number)
            elif not kinds.VHOST_ADDED <= hole.kind <= kinds.LIMITS_SET:
                return set(state.places)
        return found


def number_of(kind: int, payload: bytes) -> int:
    """The number of the place that a record of a checkpoint is about."""
    if kind == kinds.PLACE:
        return int(unpack(payload)[0])
    return int.from_bytes(payload[: NUMBER.size], "little")


def _empty(place: PlaceState) -> PlaceState:
    return type(place)(place.by_priority, place.is_stream)


def _add_missing(place: PlaceState, older: PlaceState) -> int:
    """Add the entries that an older state of a place has besides; how many."""
    known = set(place.rows)
    for level in place.levels.values():
        known.update(seq for page in level.pages for seq in page.seqs)
        known.update(level.seqs)
    count = 0
    for priority, level in older.levels.items():
        gone = known | older.settled | place.settled
        fresh = [row for row in _rows(level) if row[0] not in gone and row[0] >= older.first]
        if fresh:
            count += len(fresh)
            _add(place.level(priority), fresh)
    for seq, row in older.rows.items():
        if seq not in known:
            count += 1
            place.rows[seq] = row
    place.last_seq = max(place.last_seq, older.last_seq)
    place.expiring |= older.expiring
    return count


def _rows(level: Level) -> Iterator[tuple[int, int, int]]:
    return zip(level.seqs, level.positions, level.shares, strict=True)


def _add(level: Level, fresh: list[tuple[int, int, int]]) -> None:
    seqs, positions, shares = zip(*sorted([*_rows(level), *fresh]), strict=True)
    level.seqs, level.positions = array("Q", seqs), array("Q", positions)
    level.shares = array("Q", shares)
