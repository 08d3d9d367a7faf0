"""The messages between two brokers: none is forgotten, and the order stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minibroker.message import Message
from minibroker.properties import Properties
from minibroker_client.bridge.held import Held
from minibroker_client.bridge.transforms import CONFIRMED, FILTERED, Outgoing
from minibroker_client.transport.base import Returned


def held(sent: int, unsent: int) -> Held:
    made = Held()
    for tag in range(1, sent + unsent + 1):
        outgoing = Outgoing(tag, "k", b"", {"message_id": str(tag)})
        if tag <= sent:
            outgoing.number = tag
            made.sent.append(outgoing)
        else:
            made.unsent.append(outgoing)
    made._check()
    return made


@given(st.lists(st.sampled_from([True, False, None])), st.integers(0, 5))
def test_what_is_taken_back_is_in_order_and_all_but_the_confirmed_goes_again(
    answers: list[bool | None], unsent: int
) -> None:
    state = held(len(answers), unsent)
    unanswered = state.take_back(lambda number: answers[number - 1], True)
    state._check()
    assert [each.tag for each in state.unsent] == list(range(1, len(answers) + unsent + 1))
    assert not state.sent
    confirmed = [each.tag for each in state.unsent if each.over == CONFIRMED]
    assert confirmed == [tag for tag, ok in enumerate(answers, 1) if ok]
    assert [each.tag for each in unanswered] == [t for t, ok in enumerate(answers, 1) if not ok]
    assert state.careful <= len(answers) + unsent
    assert [each for each in unanswered if each.tag > state.careful] == []


def test_what_is_over_for_another_reason_stays_so() -> None:
    state = held(2, 0)
    state.sent[0].over = FILTERED
    (unanswered,) = state.take_back(lambda _: None, False)
    assert (unanswered.tag, state.unsent[0].over) == (2, FILTERED)


def returned(message_id: str) -> Returned:
    return Returned(Message("e", "k", Properties(message_id=message_id), b""), 312, "NO_ROUTE")


def test_what_came_back_is_known_by_its_id_and_is_published_again() -> None:
    state = held(3, 0)
    state.came_back(returned("2"))
    state.came_back(returned("unknown"))
    assert [each.returned is not None for each in state.sent] == [False, True, False]
    assert state.sent[1].returned == (
        "no queue takes a message (NO_ROUTE; exchange 'e', routing key 'k')"
    )
    (again,) = state.take_back(lambda _: True, False)
    assert (again.tag, again.returned) == (2, None)


def test_of_two_with_one_id_each_comes_back_once() -> None:
    state = held(2, 0)
    state.sent[1].values = state.sent[0].values
    state.came_back(returned("1"))
    assert state.sent[1].returned is None
    state.came_back(returned("1"))
    assert state.sent[1].returned is not None


def test_care_ends_with_the_last_that_was_sent() -> None:
    state = held(2, 1)
    state.take_back(lambda _: False, True)
    assert state.careful == 2
    state.settled(1)
    assert state.careful == 2
    state.settled(2)
    assert state.careful == 0


def test_a_lost_source_takes_all_with_it() -> None:
    state = held(2, 1)
    state.take_back(lambda _: False, True)
    state.clear()
    assert (len(state), state.careful) == (0, 0)


def test_those_with_which_it_is_over_are_passed_by() -> None:
    state = held(0, 3)
    state.unsent[0].over = CONFIRMED
    state.unsent[2].over = CONFIRMED
    state.skip()
    assert ([each.tag for each in state.sent], len(state.unsent)) == ([1], 2)
