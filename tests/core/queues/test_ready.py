"""The order in which ready entries go out, against lists that are sorted anew each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker import Message, Properties
from minibroker.queues.entry import Entry
from minibroker.queues.ready import Fifo, Levels, StrictLevels, TwoLevels

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.queues.ready import Ready

NOWHERE: Any = None
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.none() | st.integers(0, 12)),
        st.tuples(st.just("take"), st.just(None)),
        st.tuples(st.just("put back"), st.integers(0, 3)),
    ),
    max_size=60,
)


def entry(seq: int, priority: int | None = None) -> Entry:
    """An entry whose queue does not matter."""
    message = Message("", "", Properties(priority=priority), b"%d" % seq)
    return Entry(NOWHERE, message, seq)


def level(entry: Entry, top: int, default: int = 0) -> int:
    """The priority that counts."""
    priority = entry.message.properties.priority
    return default if priority is None else min(priority, top)


ORIGINAL_PLACES: dict[str, tuple[Callable[[], Ready], Callable[[Entry], tuple[int, int]]]] = {
    "fifo": (Fifo, lambda entry: (0, entry.seq)),
    "levels": (lambda: Levels(9), lambda entry: (-level(entry, 9), entry.seq)),
}


@pytest.mark.parametrize("kind", ORIGINAL_PLACES)
@given(steps=STEPS)
def test_what_comes_back_goes_to_its_original_place(
    kind: str, steps: list[tuple[str, int | None]]
) -> None:
    make, order = ORIGINAL_PLACES[kind]
    ready, model, out, seq = make(), list[Entry](), list[Entry](), 0
    for step, number in steps:
        if step == "append":
            seq += 1
            new = entry(seq, number)
            ready.append(new)
            model.append(new)
        elif step == "take":
            taken = ready.take()
            assert taken is (model.pop(0) if model else None)
            if taken is not None:
                out.append(taken)
        elif out:
            assert number is not None
            back = out.pop(number % len(out))
            ready.put_back(back)
            model.append(back)
        model.sort(key=order)
        ready._check()
        assert len(ready) == len(model)
        assert ready.head() is (model[0] if model else None)
        assert list(ready) == model
    assert ready.clear() == model
    assert len(ready) == 0
    assert ready.take() is None


@pytest.mark.parametrize("make", [lambda: StrictLevels(31, 4), TwoLevels])
@given(steps=STEPS)
def test_of_a_quorum_queue_nothing_is_lost_and_what_came_back_goes_first(
    make: Callable[[], Ready], steps: list[tuple[str, int | None]]
) -> None:
    ready, inside, back, out, seq = make(), set[Entry](), list[Entry](), list[Entry](), 0
    for step, number in steps:
        if step == "append":
            seq += 1
            ready.append(new := entry(seq, number))
            inside.add(new)
        elif step == "take":
            head = ready.head()
            taken = ready.take()
            assert taken is head
            if taken is None:
                assert not inside
                continue
            assert not back or taken in back
            back = [other for other in back if other is not taken]
            inside.remove(taken)
            out.append(taken)
        elif out:
            returned = out.pop()
            ready.put_back(returned)
            inside.add(returned)
            back.append(returned)
        ready._check()
        assert set(ready) == inside
        assert len(ready) == len(inside)
    assert set(ready.clear()) == inside
    assert ready.head() is None


def test_two_high_ones_go_before_a_normal_one() -> None:
    ready = TwoLevels()
    for seq in range(1, 7):
        ready.append(entry(seq, 9))
    for seq in range(7, 10):
        ready.append(entry(seq, 0))
    taken = [ready.take() for _ in range(9)]
    assert [each.seq for each in taken if each is not None] == [1, 2, 7, 3, 4, 8, 5, 6, 9]


def test_a_missing_priority_is_the_default_and_one_above_the_top_is_the_top() -> None:
    ready = StrictLevels(31, 4)
    for seq, priority in enumerate([None, 3, 4, 31, 200], 1):
        ready.append(entry(seq, priority))
    assert [each.seq for each in ready] == [4, 5, 1, 3, 2]


def test_giving_back_many_one_by_one_keeps_their_order() -> None:
    ready = Fifo()
    entries = [entry(seq) for seq in range(1, 1001)]
    for each in entries:
        ready.append(each)
    taken = [ready.take() for _ in range(900)]
    for back in reversed(taken):
        assert back is not None
        ready.put_back(back)
    assert list(ready) == entries
