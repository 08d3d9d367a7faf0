"""Deadlines run in order, cost little and survive what their callbacks do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.timers import Timer


def named(log: list[tuple[str, int]], name: str) -> Callable[[int], None]:
    return lambda now: log.append((name, now))


def test_a_timer_runs_at_its_deadline_and_not_before() -> None:
    timers, ran = Timers(), list[int]()
    timer = timers.new(ran.append)
    timer.set(100)
    assert timers.run_due(99) == 100
    assert ran == []
    assert timers.run_due(100) is None
    assert ran == [100]
    assert timer.when is None
    timers._check()


def test_timers_run_in_order_of_deadline_and_then_of_setting() -> None:
    timers, log = Timers(), list[tuple[str, int]]()
    for name, when in [("late", 30), ("first", 10), ("second", 10), ("third", 10)]:
        timers.new(named(log, name)).set(when)
    timers.run_due(50)
    assert [name for name, _ in log] == ["first", "second", "third", "late"]
    assert {now for _, now in log} == {50}, "a callback gets the time, not its deadline"


def test_setting_again_replaces_the_deadline_and_goes_to_the_end_of_equal_ones() -> None:
    timers, log = Timers(), list[tuple[str, int]]()
    moved, other = timers.new(named(log, "moved")), timers.new(named(log, "other"))
    moved.set(5)
    other.set(10)
    moved.set(10)
    assert len(timers) == 2
    timers.run_due(10)
    assert log == [("other", 10), ("moved", 10)]


def test_setting_the_same_deadline_again_keeps_the_place() -> None:
    timers, log = Timers(), list[tuple[str, int]]()
    first, second = timers.new(named(log, "first")), timers.new(named(log, "second"))
    first.set(10)
    second.set(10)
    first.set(10)
    timers.run_due(10)
    assert [name for name, _ in log] == ["first", "second"]


def test_a_cleared_timer_does_not_run_and_clearing_twice_is_harmless() -> None:
    timers, ran = Timers(), list[int]()
    timer = timers.new(ran.append)
    timer.clear()
    timer.set(10)
    timer.clear()
    timer.clear()
    assert timer.when is None
    assert timers.next is None
    assert timers.run_due(10) is None
    assert ran == []


def test_next_is_the_earliest_deadline() -> None:
    timers = Timers()
    assert timers.next is None
    for when in (30, 10, 20):
        timers.new(lambda _: None).set(when)
    assert timers.next == 10


def test_what_a_callback_sets_for_now_or_earlier_runs_in_the_same_call() -> None:
    timers, log = Timers(), list[tuple[str, int]]()
    past, present = timers.new(named(log, "past")), timers.new(named(log, "present"))
    future = timers.new(named(log, "future"))

    def start(now: int) -> None:
        log.append(("start", now))
        present.set(now)
        past.set(now - 100)
        future.set(now + 1)

    timers.new(start).set(10)
    assert timers.run_due(10) == 11
    assert [name for name, _ in log] == ["start", "past", "present"]


def test_a_callback_can_set_its_own_timer_again() -> None:
    timers, ran = Timers(), list[int]()

    def again(now: int) -> None:
        ran.append(now)
        timer.set(now + 10)

    timer: Timer = timers.new(again)
    timer.set(10)
    assert timers.run_due(10) == 20
    assert timers.run_due(20) == 30
    assert ran == [10, 20]


def test_a_callback_can_clear_a_timer_that_is_due_as_well() -> None:
    timers, ran = Timers(), list[int]()
    victim = timers.new(ran.append)
    timers.new(lambda _: victim.clear()).set(10)
    victim.set(10)
    assert timers.run_due(10) is None
    assert ran == []


def test_what_a_callback_raises_leaves_the_timers_behind_it_set() -> None:
    timers, ran = Timers(), list[int]()

    def fail(now: int) -> None:
        raise LookupError(now)

    timers.new(fail).set(10)
    timers.new(ran.append).set(11)
    with pytest.raises(LookupError):
        timers.run_due(20)
    timers._check()
    assert timers.run_due(20) is None
    assert ran == [20]


def test_on_earlier_tells_only_of_deadlines_before_all_others() -> None:
    timers, told = Timers(), list[int]()
    timers.on_earlier = told.append
    first = timers.new(lambda _: None)
    first.set(100)
    timers.new(lambda _: None).set(200)
    timers.new(lambda _: None).set(100)
    timers.new(lambda _: None).set(50)
    assert told == [100, 50]


def test_a_timer_shows_its_deadline() -> None:
    timer = Timers().new(print)
    timer.set(7)
    assert repr(timer).startswith("<Timer at 7 for ")


def test_a_hundred_thousand_timers_are_set_cleared_and_run() -> None:
    timers, ran = Timers(), list[int]()
    made = [timers.new(ran.append) for _ in range(100_000)]
    for number, timer in enumerate(made):
        timer.set(number * 7919 % 100_003)
    for timer in made[::2]:
        timer.clear()
    assert len(timers) == 50_000
    assert timers.run_due(200_000) is None
    assert len(ran) == 50_000


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 5), st.integers(0, 20)),
        st.tuples(st.just("clear"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("run"), st.just(0), st.integers(0, 20)),
    ),
    max_size=30,
)


@given(STEPS)
def test_timers_behave_like_a_list_that_is_sorted_every_time(
    steps: list[tuple[str, int, int]],
) -> None:
    timers, log = Timers(), list[tuple[str, int]]()
    made = [timers.new(named(log, str(number))) for number in range(6)]
    model: list[tuple[int, str]] = []
    expected: list[tuple[str, int]] = []
    for step, number, when in steps:
        name = str(number)
        if step == "run":
            due = sorted((one for one in model if one[0] <= when), key=lambda one: one[0])
            expected += [(label, when) for _, label in due]
            model = [one for one in model if one[0] > when]
            timers.run_due(when)
        elif step == "clear":
            model = [one for one in model if one[1] != name]
            made[number].clear()
        else:
            if (when, name) not in model:
                model = [one for one in model if one[1] != name] + [(when, name)]
            made[number].set(when)
        timers._check()
        assert log == expected
        assert timers.next == min((deadline for deadline, _ in model), default=None)
