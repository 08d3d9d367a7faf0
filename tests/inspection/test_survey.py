"""Which files are the log, also where a broker would not read on."""

from __future__ import annotations

from faulty import FaultyFiles
from minibroker.inspection.reading import Record
from minibroker.inspection.survey import Survey, newest_identity

from .logs import checkpoint_of, damaged, segments_of, small_log, sparse_of

Contents = dict[str, bytes]


def test_all_segments_are_found_in_order(whole: Contents) -> None:
    survey = Survey(FaultyFiles(whole), int(checkpoint_of(whole)[:20]))
    assert [segment.name for segment in survey.segments] == segments_of(whole)
    assert survey.problems == []
    items = list(survey.items())
    assert all(isinstance(item, Record) for item in items)
    assert survey.end == int(checkpoint_of(whole)[:20])


def test_every_segment_with_a_damaged_header_is_read_all_the_same(whole: Contents) -> None:
    since = int(checkpoint_of(whole)[:20])
    before = list(Survey(FaultyFiles(whole), since).items())
    contents = whole
    for name in segments_of(whole):
        contents = damaged(contents, name, 10)
    survey = Survey(FaultyFiles(contents), since)
    assert [problem.what for problem in survey.problems] == [
        "the header of the segment is damaged"
    ] * len(segments_of(whole))
    assert list(survey.items()) == before


def test_a_segment_with_a_damaged_index_is_told_apart(whole: Contents) -> None:
    name = sparse_of(whole)
    survey = Survey(FaultyFiles(damaged(whole, name, len(whole[name]) - 1)))
    assert [segment.name for segment in survey.unindexed] == [name]


def test_a_segment_that_was_begun_and_never_synced_is_left_over() -> None:
    contents = small_log(vhosts=20)
    survey = Survey(FaultyFiles({**contents, "00000000000000090000.segment": bytes(512)}))
    assert survey.left_over == ["00000000000000090000.segment"]
    assert survey.problems == []


def test_the_identity_is_that_of_the_newest_checkpoint_that_has_one(whole: Contents) -> None:
    name = checkpoint_of(whole)
    identity = newest_identity(FaultyFiles(whole))
    assert identity is not None
    broken = {**whole, "99999999999999999999.checkpoint": b"x"}
    assert newest_identity(FaultyFiles(broken)) == identity
    assert newest_identity(FaultyFiles({name: b"x"})) is None


def test_records_can_be_read_by_their_positions(whole: Contents) -> None:
    survey = Survey(FaultyFiles(whole), int(checkpoint_of(whole)[:20]))
    items = [item for item in survey.items() if isinstance(item, Record)]
    log = survey.log()
    for item in items:
        assert log.read([item.position]) == [(item.kind, item.payload)]
    log.close()
