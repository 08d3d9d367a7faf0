"""A state from what is whole: the same that a broker is filled from, where all of it is."""

from __future__ import annotations

from faulty import FaultyFiles
from minibroker.inspection.reading import Hole
from minibroker.inspection.salvage import checkpoint_items, position_of, salvage
from minibroker.journal import open_storage

from .logs import checkpoint_of, damaged, segments_of

Contents = dict[str, bytes]


def test_a_whole_log_gives_the_state_that_a_broker_gets(running: Contents) -> None:
    found = salvage(FaultyFiles(running), checkpoint_of(running))
    opened = open_storage(FaultyFiles(running), bytes(16))
    opened.log.close()
    assert found.problems == []
    assert found.state.queues == opened.state.queues
    assert found.state.bindings == opened.state.bindings
    assert found.state.users == opened.state.users
    for number, place in opened.state.places.items():
        other = found.state.places[number]
        assert (other.last_seq, other.settled) == (place.last_seq, place.settled)
        assert {key: level.seqs for key, level in other.levels.items()} == {
            key: level.seqs for key, level in place.levels.items()
        }


def test_each_damaged_byte_of_a_checkpoint_is_one_problem_or_more(whole: Contents) -> None:
    name = checkpoint_of(whole)
    for offset in range(0, len(whole[name]), 7):
        files = FaultyFiles(damaged(whole, name, offset))
        assert any(isinstance(item, Hole) for item in checkpoint_items(files, name)), offset


def test_a_checkpoint_that_was_cut_at_any_place_does_not_end(whole: Contents) -> None:
    name = checkpoint_of(whole)
    for size in range(0, len(whole[name]), 31):
        files = FaultyFiles({name: whole[name][:size]})
        *_, last = checkpoint_items(files, name)
        assert isinstance(last, Hole)
        assert last.what == "the checkpoint does not end where it should"


def test_a_damaged_message_is_suspected_of_having_been_in_its_queue(running: Contents) -> None:
    name = segments_of(running)[-1]
    place = running[name].index(b"000039")
    found = salvage(FaultyFiles(damaged(running, name, place + 10)), checkpoint_of(running))
    (new,) = (number for number, queue in found.state.queues.items() if queue.name == "new")
    assert found.suspects == [(new, 40)]
    assert found.silent


def test_messages_of_queues_that_are_not_known_are_counted(whole: Contents) -> None:
    found = salvage(FaultyFiles(whole), None)
    assert sum(found.unknown.values()) > 0
    assert found.state.queues == {}


def test_a_position_is_in_the_name_of_a_file() -> None:
    assert position_of("00000000000000000042.checkpoint") == 42
