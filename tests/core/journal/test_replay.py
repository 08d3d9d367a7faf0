"""Records of a frame into a state. Facts other than messages: `test_facts`."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import pytest

from minibroker.journal import facts, kinds
from minibroker.journal.messages import Encoder, Several
from minibroker.journal.replay import apply, replay
from minibroker.journal.state import PlaceState, State
from minibroker.message import MarkedMessage
from minibroker.queues.paged import Page
from minibroker.store import record

from .items import item

if TYPE_CHECKING:
    from minibroker.journal.messages import Item


@pytest.fixture
def state() -> State:
    """A plain place 1, a place 2 by priority, a stream in place 3."""
    state = State()
    state.add_place(1, PlaceState())
    state.add_place(2, PlaceState(by_priority=True))
    state.add_place(3, PlaceState(is_stream=True))
    return state


def written(*items: Item, position: int = 1000, threshold: int | None = None) -> bytes:
    return b"".join(Encoder(threshold).encode(list(items), position)[1])


def columns(state: State, place: int, level: int = 0) -> tuple[list[int], list[int], list[int]]:
    found = state.places[place].levels[level]
    return list(found.seqs), list(found.positions), list(found.shares)


def test_messages_get_into_their_places_with_their_positions(state: State) -> None:
    first, second = item(1, 5, b"a"), item(1, 6, b"bc", priority=7)
    records = written(first, second)
    assert replay(state, 1000, records) == 2
    positions = [first.message.position, second.message.position]
    shares = [first.message.share, second.message.share]
    assert columns(state, 1) == ([5, 6], positions, shares)
    assert positions == [1000, 1000 + shares[0]]
    assert state.places[1].last_seq == 6
    assert not state.places[1].expiring


def test_priorities_are_kept_apart_where_they_matter(state: State) -> None:
    replay(state, 0, written(item(2, 7, priority=0), item(2, 8, priority=200)))
    replay(state, 0, written(item(2, 9, b"")))
    assert sorted(state.places[2].levels) == [-1, 0, 200]


def test_a_message_in_several_places_is_in_each_of_them_that_is_still_there(state: State) -> None:
    message = item(1, 0, b"x").message
    entries = [item(place, 10 + place, message=message) for place in (1, 9, 2)]
    assert replay(state, 50, written(Several(message, entries), position=50)) == 1
    assert columns(state, 1) == ([11], [50], [message.share])
    assert columns(state, 2, -1) == ([12], [50], [message.share])
    assert 9 not in state.places


def test_an_expiry_is_noticed(state: State) -> None:
    replay(state, 0, written(item(1, 1, b"", expires=5)))
    assert state.places[1].expiring


@pytest.mark.parametrize("threshold", [None, 10])
def test_the_bytes_of_a_stream_are_counted_as_they_were_before_compressing(
    state: State, threshold: int | None
) -> None:
    bodies = [bytes(1000), b"short", bytes(2000)]
    items = [item(3, offset, body, expires=7) for offset, body in enumerate(bodies)]
    records = written(*items, threshold=threshold)
    assert (len(records) < 3000) == (threshold is not None)
    replay(state, 0, records)
    assert state.places[3].size == 3005
    assert state.places[3].last_seq == 2


def test_marks_are_passed_over(state: State) -> None:
    properties = item(1, 1, b"").message.properties
    marked = MarkedMessage("x", "k", properties, b"body", 5, ("cc",))
    replay(state, 0, written(item(1, 3, message=marked, expires=9), item(1, 4, b"")))
    assert columns(state, 1)[0] == [3, 4]


def test_other_facts_between_messages_are_applied_in_their_turn(state: State) -> None:
    settled = facts.settled(1, array("Q", [1]))
    records = written(item(1, 1, b""), settled, facts.queue_removed(2), item(2, 1, b""))
    assert replay(state, 0, records) == 4
    assert state.places[1].settled == {1}
    assert 2 not in state.places


def test_pages_are_taken_over_with_and_without_gaps(state: State) -> None:
    rows: list[Any] = [
        (1, 3, 30, None, facts.to_bytes(array("Q", [10, 20, 30]))),
        (5, 2, 20, facts.to_bytes(array("Q", [5, 9])), facts.to_bytes(array("Q", [40, 50]))),
    ]
    _, packed = facts.as_read(kinds.PAGES, rows)
    apply(state, kinds.PAGES, facts.NUMBER.pack(2) + facts.NUMBER.pack(4) + packed)
    first, second = state.places[2].levels[4].pages
    assert isinstance(first, Page)
    assert (list(first.seqs), list(first.positions), first.weight) == ([1, 2, 3], [10, 20, 30], 30)
    assert isinstance(first.seqs, range)
    assert (list(second.seqs), list(second.positions)) == ([5, 9], [40, 50])


def test_an_unknown_kind_is_refused(state: State) -> None:
    with pytest.raises(ValueError, match="unknown kind of record: 99"):
        apply(state, 99, b"")
    with pytest.raises(ValueError, match="unknown kind of record: 99"):
        replay(state, 0, record.encode(99, b""))


def test_nothing_is_no_records(state: State) -> None:
    assert replay(state, 0, b"") == 0
