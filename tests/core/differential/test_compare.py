"""Where two records differ."""

from __future__ import annotations

from minibroker.differential.compare import Difference, first_difference, told
from minibroker.differential.program import Operation, Program

PROGRAM = Program([Operation(0, 1, "tx.select"), Operation(0, 1, "tx.commit")], seed=3)


def test_equal_records_have_no_difference() -> None:
    assert first_difference([{"a": [1]}, {}], [{"a": [1]}, {}]) is None


def test_the_first_difference_shows_only_what_differs() -> None:
    expected = [{"0.1": [1]}, {"0.1": [1], "0.2": [2]}, {}]
    found = [{"0.1": [1]}, {"0.1": [1], "1.1": [3]}, {"0.1": [9]}]
    assert first_difference(expected, found) == Difference(1, {"0.2": [2]}, {"1.1": [3]})


def test_a_difference_is_told_in_lines() -> None:
    difference = Difference(1, {"0.1": [{"method": "tx.commit-ok"}]}, {})
    assert told(PROGRAM, difference).splitlines() == [
        "program of seed 3:",
        "   0: 0.1 tx.select()",
        " > 1: 0.1 tx.commit()",
        "  expected:",
        '    0.1: {"method": "tx.commit-ok"}',
        "  found:",
        "    nothing",
    ]
    ended = told(PROGRAM, Difference(2, {}, {"queues": {"~q": [1, 0]}}))
    assert " > the end: one connection after the other closes" in ended
    assert '    queues: {"~q": [1, 0]}' in ended
