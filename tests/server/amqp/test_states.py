"""The states of a connection: their order, and their words."""

from __future__ import annotations

from minibroker.server.amqp import states
from minibroker.server.amqp.states import State


def test_each_state_has_a_constant_of_its_name() -> None:
    for state in State:
        assert getattr(states, state.name) is state
        assert state.name in states.__all__


def test_the_words_are_those_of_errors() -> None:
    assert [state.value for state in State] == [
        "pre_init", "starting", "tuning", "opening", "running", "closing", "closed"
    ]  # fmt: skip
