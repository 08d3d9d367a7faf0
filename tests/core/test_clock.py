"""Clocks: the system's, and one that a test moves."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.clock import ManualClock, SystemClock, parse_duration
from minibroker.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable

START = 1_000_000


class Driven:
    """Timers with the two methods that a clock asks for."""

    def __init__(self, clock: ManualClock) -> None:
        self.timers = Timers()
        self.clock = clock
        clock.attach(self)

    def next_deadline(self) -> int | None:
        return self.timers.next

    def run_due(self, now: int) -> None:
        assert self.clock.now() == now
        self.timers.run_due(now)

    def at(self, when: int, call: Callable[[int], None]) -> None:
        self.timers.new(call).set(when)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("30m", 1_800_000),
        ("1h30m", 5_400_000),
        ("1.5s", 1_500),
        ("250ms", 250),
        ("2d", 172_800_000),
        ("1d2h3m4s5ms", 93_784_005),
        ("0s", 0),
        (2, 2_000),
        (0.25, 250),
        (0, 0),
    ],
)
def test_a_duration_is_text_with_units_or_a_number_of_seconds(
    text: str | float, milliseconds: int
) -> None:
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize(
    "text",
    ["", "30", "m", "-5s", "30m1h", "1h 30m", "1.s", "5 s", "1h1h", "3w", "٣s", "1e3s",
     -1, -0.5, float("nan"), float("inf"), True, None, [], timedelta(seconds=1)],
)  # fmt: skip
def test_a_duration_that_is_negative_or_nonsense_is_named_in_the_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|neither") as caught:
        parse_duration(text)
    assert repr(text) in str(caught.value)


@given(st.integers(0, 9), st.integers(0, 99), st.integers(0, 99), st.integers(0, 9999))
def test_the_parts_of_a_duration_add_up(days: int, hours: int, minutes: int, ms: int) -> None:
    whole = ((days * 24 + hours) * 60 + minutes) * 60_000 + ms
    assert parse_duration(f"{days}d{hours}h{minutes}m{ms}ms") == whole


@given(st.integers(0, 10**9))
def test_seconds_as_a_float_are_exact_to_the_millisecond(milliseconds: int) -> None:
    assert parse_duration(milliseconds / 1000) == milliseconds
    assert parse_duration(f"{milliseconds / 1000:.3f}s") == milliseconds


def test_the_system_clock_tells_the_wall_clock_time_in_milliseconds() -> None:
    before = time.time_ns() // 1_000_000
    now = SystemClock().now()
    assert before - 1000 <= now <= time.time_ns() // 1_000_000 + 1000


def test_the_system_clock_does_not_follow_a_jump_of_the_wall_clock() -> None:
    wall, monotonic = [5_000_000_000_000], [1_000_000_000]
    clock = SystemClock(lambda: wall[0], lambda: monotonic[0])
    assert clock.now() == 5_000_000
    wall[0] += 3_600_000_000_000
    monotonic[0] += 250_000_000
    assert clock.now() == 5_000_250


def test_a_manual_clock_stands_still_until_it_is_advanced() -> None:
    clock = ManualClock(START)
    assert clock.now() == START
    clock.advance("1.5s")
    assert clock.now() == START + 1_500
    clock.advance(2)
    assert clock.now() == START + 3_500


def test_a_manual_clock_starts_at_the_same_time_every_run() -> None:
    assert ManualClock().now() == ManualClock().now() == 1_767_225_600_000


def test_each_deadline_runs_with_the_clock_standing_exactly_at_it() -> None:
    clock = ManualClock(START)
    driven, seen = Driven(clock), list[int]()
    for when in (START + 20, START + 10, START + 5_000):
        driven.at(when, lambda _: seen.append(clock.now()))
    clock.advance("1s")
    assert seen == [START + 10, START + 20]
    assert clock.now() == START + 1_000


def test_what_is_due_at_the_target_runs_and_a_deadline_in_the_past_runs_now() -> None:
    clock = ManualClock(START)
    driven, seen = Driven(clock), list[int]()
    driven.at(START + 1_000, seen.append)
    driven.at(START - 50, seen.append)
    clock.advance(0)
    assert seen == [START]
    clock.advance("1s")
    assert seen == [START, START + 1_000]


def test_several_drivers_on_one_clock_interleave_in_the_order_of_time() -> None:
    clock, seen = ManualClock(START), list[str]()
    one, two = Driven(clock), Driven(clock)
    for driven, name in ((one, "one"), (two, "two")):
        for when in (10, 20, 30) if driven is one else (5, 20, 25):
            driven.at(START + when, lambda now, name=name: seen.append(f"{name} {now - START}"))  # type: ignore[misc]  # the default binds the loop's name
    clock.advance("1s")
    assert seen == ["two 5", "one 10", "one 20", "two 20", "two 25", "one 30"]


def test_a_ladder_of_deadlines_that_set_each_other_runs_in_one_advance() -> None:
    clock = ManualClock(START)
    driven, seen = Driven(clock), list[int]()

    def climb(now: int) -> None:
        seen.append(now - START)
        if len(seen) < 5:
            driven.at(now + 60_000 * 2 ** len(seen), climb)

    driven.at(START + 60_000, climb)
    clock.advance("31m")
    assert seen == [60_000, 180_000, 420_000, 900_000, 1_860_000]


def test_a_driver_that_was_detached_is_left_alone() -> None:
    clock = ManualClock(START)
    driven, seen = Driven(clock), list[int]()
    driven.at(START + 1, seen.append)
    clock.detach(driven)
    clock.detach(driven)
    clock.advance("1s")
    assert seen == []


def test_advancing_from_something_that_advance_runs_is_an_error_that_says_so() -> None:
    clock = ManualClock(START)
    driven = Driven(clock)
    driven.at(START + 10, lambda _: clock.advance(1))
    with pytest.raises(RuntimeError, match=r"ManualClock\.advance was called from"):
        clock.advance(1)
    assert clock.now() == START + 10
    clock.advance(1)
    assert clock.now() == START + 1_010


def test_what_a_driver_raises_leaves_the_clock_at_that_deadline() -> None:
    clock = ManualClock(START)
    driven = Driven(clock)

    def fail(now: int) -> None:
        raise LookupError(now)

    driven.at(START + 10, fail)
    with pytest.raises(LookupError):
        clock.advance("1s")
    assert clock.now() == START + 10
    clock.advance("1s")
    assert clock.now() == START + 1_010


def test_a_bad_duration_does_not_move_the_clock() -> None:
    clock = ManualClock(START)
    with pytest.raises(ValueError, match="-1"):
        clock.advance(-1)
    assert clock.now() == START


def test_threads_that_advance_take_turns() -> None:
    clock = ManualClock(START)
    driven, seen = Driven(clock), list[int]()
    for number in range(100):
        driven.at(START + number * 100, seen.append)

    def advance() -> None:
        for _ in range(25):
            clock.advance("100ms")

    threads = [threading.Thread(target=advance) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert clock.now() == START + 10_000
    assert seen == [START + number * 100 for number in range(100)]
