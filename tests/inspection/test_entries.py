"""What is left in a place, and whether the log has it."""

from __future__ import annotations

from array import array

from faulty import FaultyFiles
from minibroker.inspection.entries import (
    contents,
    name_of_place,
    places_of,
    positions_by_entry,
)
from minibroker.inspection.salvage import Salvage, salvage
from minibroker.journal import kinds

from .logs import checkpoint_of, damaged, sparse_of

Contents = dict[str, bytes]


def salvaged(files: Contents) -> Salvage:
    """The state of a log."""
    return salvage(FaultyFiles(files), checkpoint_of(files))


def number_of(found: Salvage, name: str) -> int:
    """The place of a queue."""
    return next(number for number, queue in found.state.queues.items() if queue.name == name)


def test_every_entry_of_a_whole_log_is_found_in_its_place(whole: Contents) -> None:
    found = salvaged(whole)
    log = found.survey.log()
    for number, place in found.state.places.items():
        entries = list(contents(number, place, log))
        assert [entry.problem for entry in entries] == [None] * len(entries)
        assert not any(entry.seq in place.settled for entry in entries)
        assert all(entry.share > entry.size > 0 for entry in entries)
    log.close()


def test_an_entry_whose_record_is_damaged_is_named_and_the_others_are_not(whole: Contents) -> None:
    before = salvaged(whole)
    number = number_of(before, "jobs")
    found = salvaged(damaged(whole, sparse_of(whole), len(whole[sparse_of(whole)]) // 2))
    log = found.survey.log()
    problems = [each.problem for each in contents(number, found.state.places[number], log)]
    log.close()
    (problem,) = (each for each in problems if each is not None)
    assert (problem.file, problem.what) == (sparse_of(whole), "the record is damaged")
    assert len(problems) > 20


def test_an_entry_of_another_place_or_number_is_a_problem(whole: Contents) -> None:
    found = salvaged(whole)
    number = number_of(found, "jobs")
    place = found.state.places[number]
    log = found.survey.log()
    assert all(each.problem for each in contents(99, place, log))
    for level in place.levels.values():
        level.pages.clear()
        level.seqs = array("Q", [seq + 1000 for seq in level.seqs])
    whats = {each.problem.what for each in contents(number, place, log) if each.problem}
    log.close()
    assert any(what.startswith("the message is number ") for what in whats)


def test_places_are_named_by_their_queues_and_exchanges(whole: Contents) -> None:
    state = salvaged(whole).state
    names = {name_of_place(state, number) for number in (*state.places, 77)}
    assert names == {
        "queue 'jobs' in vhost '/'",
        "queue 'urgent' in vhost '/'",
        "queue 'votes' in vhost '/'",
        "stream 'events' in vhost '/'",
        "exchange 'later' in vhost '/'",
        "place 77, whose queue is not known",
    }


def test_where_entries_have_their_messages_is_known_by_place_and_number(whole: Contents) -> None:
    found = salvaged(whole)
    log = found.survey.log()
    positions = positions_by_entry(found.state, 0, log.end)
    assert positions
    for (number, seq), position in positions.items():
        ((kind, payload),) = log.read([position])
        assert kind == kinds.MESSAGE
        rows = found.state.places[number].rows
        assert seq in rows or (number, seq) in [each[1:3] for each in places_of(payload)]
    log.close()
    assert positions_by_entry(found.state, 0, 1) == {}
