"""An index made again is the one that was there, as far as entries need it."""

from __future__ import annotations

from faulty import FaultyFiles
from minibroker.inspection.entries import positions_by_entry
from minibroker.inspection.reindex import reindex
from minibroker.inspection.salvage import salvage
from minibroker.inspection.survey import Survey

from .logs import checkpoint_of, damaged, sparse_of


def test_every_message_is_found_again(whole: dict[str, bytes]) -> None:
    name = sparse_of(whole)
    (before,) = (each for each in Survey(FaultyFiles(whole)).segments if each.name == name)
    files = FaultyFiles(damaged(whole, name, len(whole[name]) - 20))
    found = salvage(files, checkpoint_of(whole))
    (segment,) = found.survey.unindexed
    wanted = set(positions_by_entry(found.state, segment.base, segment.end).values())
    assert reindex(files, segment, found.state) == len(wanted) > 0
    for position in wanted:
        assert segment.offset(position) == before.offset(position)
    assert files.opened == []
