"""What a damaged checkpoint does not tell is looked for in the log before it."""

from __future__ import annotations

from array import array

from minibroker.inspection.older import Older, number_of
from minibroker.inspection.reading import Hole, Record
from minibroker.journal import facts, kinds
from minibroker.journal.state import Level, PlaceState, QueueState, State


def queue(number: int, name: str) -> QueueState:
    """A declaration."""
    return QueueState(number, "/", name, False, False, "classic", False, b"\0\0\0\0")


def state(*names: str, seqs: tuple[int, ...] = ()) -> State:
    """Queues with these names and numbers from 1 on, each with the same entries."""
    found = State()
    for number, name in enumerate(names, start=1):
        found.queues[number] = queue(number, name)
        columns = array("Q", seqs), array("Q", [seq * 100 for seq in seqs]), array("Q", seqs)
        found.add_place(number, PlaceState(levels={0: Level([], *columns)}))
        found.places[number].last_seq = max(seqs, default=0)
    return found


def hole(kind: int, payload: bytes = b"") -> Hole:
    """A damaged record of a checkpoint."""
    return Hole("1.checkpoint", 50, 60, "the record is damaged", kind, payload)


def test_entries_that_the_checkpoint_lacks_are_added_in_order_and_said() -> None:
    now, older = state("jobs", seqs=(2, 4)), Older(state("jobs", seqs=(1, 2, 3, 4, 5)))
    older.state.places[1].settled = {1}
    older.holes = [hole(kinds.LOOSE, facts.loose(1, 0, [(3, 300, 3)])[1])]
    assert older.complete(now, is_open=False) == [
        "queue 'jobs' in vhost '/': 2 messages that the checkpoint did not tell of found again in "
        "the log before; some of them may have been acked"
    ]
    assert now.places[1].levels[0].seqs.tolist() == [2, 3, 4, 5]
    assert now.places[1].levels[0].positions.tolist() == [200, 300, 400, 500]
    assert now.places[1].last_seq == 5


def test_places_that_are_whole_get_nothing_back() -> None:
    now, older = state("one", "two", seqs=(2,)), Older(state("one", "two", seqs=(1, 2)))
    older.holes = [hole(kinds.LOOSE, facts.loose(2, 0, [(2, 200, 2)])[1])]
    older.complete(now, is_open=False)
    assert now.places[1].levels[0].seqs.tolist() == [2]
    assert now.places[2].levels[0].seqs.tolist() == [1, 2]


def test_a_damaged_declaration_gives_no_messages_back() -> None:
    now, older = state("jobs", seqs=(2,)), Older(state("jobs", seqs=(1, 2)))
    older.holes = [hole(kinds.USER_ADDED)]
    assert older.complete(now, is_open=False) == []


def test_a_declaration_that_is_missing_is_taken_from_the_log() -> None:
    now, older = State(), Older(state("jobs", seqs=(1, 2)))
    told = facts.loose(1, 0, [(2, 200, 2)])
    older.unplaced = {1: [Record("1.checkpoint", 9, 0, *told)]}
    older.holes = [hole(kinds.QUEUE_ADDED)]
    assert older.complete(now, is_open=False) == [
        "queue 'jobs' in vhost '/': found again in the log before"
    ]
    assert now.places[1].levels[0].seqs.tolist() == [2]


def test_a_checkpoint_that_does_not_end_is_completed_with_all_that_is_known() -> None:
    now, older = state("jobs"), Older(state("jobs", "more", seqs=(1,)))
    older.state.users["me"] = ["me", [], None]
    older.state.vhosts["other"] = None
    older.state.bind(("/", "amq.fanout", True, "more", "", b""))
    older.complete(now, is_open=True)
    assert [each.name for each in now.queues.values()] == ["jobs", "more"]
    assert now.places[2].levels[0].seqs.tolist() == [1]
    assert (list(now.users), list(now.vhosts), len(now.bindings)) == (["me"], ["/", "other"], 1)


def test_the_place_is_the_first_number_of_a_record() -> None:
    assert number_of(*facts.place(7, 3)) == 7
    assert number_of(*facts.loose(8, 0, [(1, 2, 3)])) == 8
