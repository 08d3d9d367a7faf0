"""A state that lacks something is made to fit together again."""

from __future__ import annotations

from minibroker.inspection.mending import mend
from minibroker.journal.state import PlaceState, QueueState, State


def with_queue(state: State, number: int, vhost: str = "/", name: str = "jobs") -> None:
    """Declare a queue."""
    state.queues[number] = QueueState(number, vhost, name, False, False, "classic", False, b"")
    state.add_place(number, PlaceState())


def test_a_state_that_fits_together_stays_as_it_is() -> None:
    state = State()
    with_queue(state, 1)
    state.bind(("/", "amq.topic", True, "jobs", "a", b""))
    assert mend(state) == []
    assert len(state.bindings) == 1


def test_a_vhost_that_something_is_in_is_there_again() -> None:
    state = State()
    with_queue(state, 1, "lost")
    assert mend(state) == ["vhost 'lost' is not known, though something is in it"]
    assert list(state.vhosts) == ["/", "lost"]


def test_of_two_queues_with_one_name_the_later_stays_with_its_bindings() -> None:
    state = State()
    with_queue(state, 1)
    with_queue(state, 2)
    state.bind(("/", "amq.topic", True, "jobs", "a", b""))
    (what,) = mend(state)
    assert what.startswith("queue 'jobs' in vhost '/' was declared twice")
    assert (list(state.queues), list(state.places), len(state.bindings)) == ([2], [2], 1)


def test_a_binding_with_an_end_that_is_not_there_is_left_out() -> None:
    state = State()
    with_queue(state, 1)
    for key in (
        ("/", "amq.topic", True, "gone", "a", b""),
        ("/", "gone", True, "jobs", "a", b""),
        ("/", "amq.topic", False, "gone", "a", b""),
    ):
        state.bind(key)
    assert [what.rpartition("refers to ")[2] for what in mend(state)] == [
        "queue 'gone', which is not known",
        "exchange 'gone', which is not known",
        "exchange 'gone', which is not known",
    ]
    assert state.bindings == {}


def test_permissions_of_a_user_who_is_not_known_make_no_user() -> None:
    state = State()
    state.permissions["me", "/"] = ["me", "/", ["", "", ""], []]
    assert mend(state) == ["user 'me', who has permissions in vhost '/', is not known"]
    assert (state.permissions, state.users) == ({}, {})
