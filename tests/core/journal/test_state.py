"""What records amount to: levels, places, and what goes with what."""

from __future__ import annotations

from array import array

import pytest

from minibroker.journal import state as module
from minibroker.journal.state import Level, PlaceState, State
from minibroker.queues.paged import Page


def filled(seqs: list[int]) -> Level:
    """A level with these single entries."""
    level = Level()
    for seq in seqs:
        level.seqs.append(seq)
        level.positions.append(10 * seq)
        level.shares.append(seq + 1)
    return level


def test_a_level_forgets_single_entries_with_what_belongs_to_them() -> None:
    level = filled([1, 2, 3, 4])
    level.forget({2, 4, 9})
    assert list(level.seqs) == [1, 3]
    assert list(level.positions) == [10, 30]
    assert list(level.shares) == [2, 4]


def test_entries_are_kept_apart_by_priority_only_where_that_matters() -> None:
    plain, by_priority = PlaceState(), PlaceState(by_priority=True)
    assert plain.level(3) is plain.level(-1)
    assert by_priority.level(3) is by_priority.level(3)
    assert by_priority.level(3) is not by_priority.level(-1)


def test_many_settled_entries_are_forgotten_and_their_numbers_with_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MANY", 3)
    place = PlaceState()
    place.levels[0] = filled([1, 2, 3, 4, 5])
    place.delivered = {2, 5}
    place.settle(array("Q", [1, 2, 3]))
    assert place.settled == {1, 2, 3}
    place.settle(array("Q", [4]))
    assert (list(place.levels[0].seqs), place.settled, place.delivered) == ([5], set(), {5})


def test_numbers_of_settled_entries_are_kept_while_a_page_may_have_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MANY", 1)
    place = PlaceState()
    place.levels[0] = filled([4, 5])
    place.levels[0].pages.append(Page(range(1, 4), array("Q", [1, 2, 3]), 3))
    place.settle(array("Q", [2, 4]))
    assert (list(place.levels[0].seqs), place.settled) == ([5], {2, 4})


def test_what_came_back_and_is_settled_or_came_back_again_is_not_there_twice() -> None:
    place = PlaceState()
    place.come_back([1, 5, 100, 10, 1, 1, None, False])
    place.come_back([5, 6, 100, 10, 2, 2, None, False])
    place.come_back([2, 7, 200, 10, 1, 1, None, False])
    assert list(place.rows) == [6, 7]
    place.settle(array("Q", [6]))
    assert list(place.rows) == [7]
    assert place.settled == {1, 2, 5, 6}


def test_bindings_between_predeclared_exchanges_go_with_their_virtual_host() -> None:
    state = State()
    state.vhosts["v"] = None
    state.bind(("v", "amq.direct", False, "amq.fanout", "", b""))
    state.bind(("/", "amq.direct", False, "amq.fanout", "", b""))
    state.remove_vhost("v")
    assert [key[0] for key in state.bindings] == ["/"]


def test_bindings_go_with_either_end_and_only_with_that() -> None:
    state = State()
    keys = [
        ("/", "a", True, "q", "", b""),
        ("/", "a", False, "b", "", b""),
        ("/", "b", True, "q", "", b""),
        ("/", "q", True, "b", "", b""),  # other things of the same names
        ("v", "a", True, "q", "", b""),
    ]
    for key in keys:
        state.bind(key)
    state.remove_end("/", True, "q")
    assert list(state.bindings) == [keys[1], keys[3], keys[4]]
    state.remove_end("/", False, "b")
    assert list(state.bindings) == [keys[3], keys[4]]
    state.remove_end("/", False, "b")
    state.unbind(keys[0])
    assert list(state.bindings) == [keys[3], keys[4]]


def test_an_exchange_that_is_bound_to_itself_can_go() -> None:
    state = State()
    state.bind(("/", "x", False, "x", "", b""))
    state.remove_exchange("/", "x")
    assert not state.bindings


def test_numbers_of_places_are_never_used_again() -> None:
    state = State()
    state.add_place(5, PlaceState())
    state.add_place(2, PlaceState())
    state.remove_queue(5)
    assert state.next_place == 6
