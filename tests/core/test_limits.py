"""How many there may be."""

from __future__ import annotations

from minibroker.limits import Limits, reached


def test_a_limit_is_reached_by_as_many_as_it_says() -> None:
    assert not reached(2, 1)
    assert reached(2, 2)
    assert reached(2, 3)
    assert reached(0, 0)


def test_without_a_limit_there_may_be_any_number() -> None:
    assert not reached(None, 1_000_000)
    assert Limits() == Limits(queues=None, exchanges=None, connections=None)
