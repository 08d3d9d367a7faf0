"""The index of a sparse segment made again, when it is damaged: from the records themselves.

A record does not know its position, but place and number of its entries, and those know it.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from ..journal import kinds
from ..store.segment import HEADER_SIZE, Index
from .entries import places_of, positions_by_entry
from .reading import NONSENSE, Record, records_of

if TYPE_CHECKING:
    from ..journal.state import State
    from ..store import FileSystem, Segment

__all__ = ["reindex"]


def reindex(files: FileSystem, segment: Segment, state: State) -> int:
    """Find what entries need of a segment without an index; how many records. Raises OSError."""
    file = files.open(segment.name)
    try:
        data = file.read(HEADER_SIZE, segment.size)
    finally:
        file.close()
    wanted = positions_by_entry(state, segment.base, segment.end)
    found: dict[int, int] = {}
    for item in records_of(data, segment.name, HEADER_SIZE, 0, search=False):
        if isinstance(item, Record) and item.kind == kinds.MESSAGE:
            for entry in _entries(item.payload):
                if entry in wanted:
                    found[wanted[entry]] = item.offset
    positions = sorted(found)
    offsets = [found[position] for position in positions]
    segment.index = Index(array("Q", positions), array("I", offsets))
    return len(positions)


def _entries(payload: bytes) -> list[tuple[int, int]]:
    try:
        return [(number, seq) for _, number, seq, _ in places_of(payload)]
    except NONSENSE:
        return []
