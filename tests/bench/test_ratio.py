from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from bench.ratio import (  # noqa: TID251 -- its arithmetic is tested like any other
    Contender,
    Finding,
    Race,
    Spread,
    at_least,
    at_most,
    table,
)


def nothing() -> None:
    pass


def with_times(name: str, *seconds: float) -> Contender:
    contender = Contender(name, nothing, 1)
    contender.seconds.extend(seconds)
    return contender


def clock_of(*times: float) -> Callable[[], float]:
    return iter(times).__next__


def test_a_spread_is_the_median_and_the_quartiles() -> None:
    assert Spread.of([5, 1, 4, 2, 3]) == Spread(2, 3, 4)


def test_the_spread_of_one_value_is_that_value() -> None:
    assert Spread.of([7]) == Spread(7, 7, 7)


def test_there_is_no_spread_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        Spread.of([])


def test_a_limit_is_within_a_target() -> None:
    assert [at_least(6).met(value) for value in (5.9, 6, 6.1)] == [False, True, True]
    assert [at_most(2).met(value) for value in (1.9, 2, 2.1)] == [True, True, False]


def test_a_turn_is_noted_in_seconds_per_unit() -> None:
    contender = Contender("a", nothing, 4)
    contender.turn(clock_of(10.0, 12.0))
    assert contender.seconds == [0.5]


def test_preparing_is_not_timed() -> None:
    order: list[str] = []

    def clock() -> float:
        order.append("clock")
        return 0.0

    contender = Contender("a", lambda: order.append("run"), 1, lambda: order.append("prepare"))
    contender.get_ready()
    contender.turn(clock)
    assert order == ["prepare", "clock", "run", "clock"]


def test_warming_up_notes_nothing() -> None:
    contender = with_times("a")
    Race("case", contender).warm_up()
    assert contender.seconds == []


def test_peers_run_before_ours_in_one_round_and_after_it_in_the_next() -> None:
    order: list[str] = []
    ours, one, two = (Contender(name, partial(order.append, name), 1) for name in "abc")
    race = Race("case", ours, (one, None), (two, None))
    for _ in range(4):
        race.get_ready()
        ours.turn()
    race.finish()
    assert "".join(order) == "bca" + "abbcc" + "a" + "abc"


def test_a_ratio_is_taken_within_each_round() -> None:
    # The machine is twice as slow in the second round, and four times in the third.
    ours, peer = with_times("a", 1, 2, 4), with_times("b", 6, 12, 24)
    (finding,) = Race("case", ours, (peer, at_least(6))).finish()
    assert finding.value == Spread(6, 6, 6)
    assert (finding.ours, finding.theirs) == (2, 12)
    assert finding.verdict == "met"


def test_a_target_at_most_makes_it_a_ratio_of_costs() -> None:
    ours, peer = with_times("many", 3, 3), with_times("few", 1, 1)
    (finding,) = Race("case", ours, (peer, at_most(2))).finish()
    assert finding.value.median == 3
    assert finding.verdict == "missed"


def test_without_a_target_there_is_no_verdict() -> None:
    assert Finding("case", Spread(1, 1, 1)).verdict == ""


def rows() -> Iterator[Finding]:
    yield Finding("fast", Spread(9, 10.04, 11), at_least(6), "Kombu", 2e-6, 20e-6)
    yield Finding("bytes", Spread(188, 188, 188), at_most(400))


def test_the_table_has_a_line_for_each_finding() -> None:
    lines = table(rows())
    assert [line.split() for line in lines[2:]] == [
        ["fast", "2.00", "20.00", "Kombu", "10", "9", "to", "11", "at", "least", "6", "met"],
        ["bytes", "188", "at", "most", "400", "met"],
    ]
    assert lines[0].index("ours us") == lines[2].index("2.00")
