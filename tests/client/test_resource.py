from __future__ import annotations

import threading

import pytest

from minibroker_client.exceptions import LimitExceeded
from minibroker_client.resource import Resource


class Thing:
    closed = False


class Things(Resource[Thing]):
    made = 0
    broken = False

    def new(self) -> Thing:
        self.made += 1
        return Thing()

    def prepare(self, resource: Thing) -> Thing:
        if self.broken:
            raise OSError("broken")
        return resource

    def close_resource(self, resource: Thing) -> None:
        resource.closed = True


def test_what_is_released_is_handed_out_again_the_last_one_first() -> None:
    pool = Things(limit=2)
    one, two = pool.acquire(), pool.acquire()
    pool.release(one)
    pool.release(two)
    assert pool.acquire() is two
    assert pool.acquire() is one
    assert pool.made == 2


def test_a_pool_without_a_limit_makes_and_closes() -> None:
    for limit in (None, 0):
        pool = Things(limit)
        one, two = pool.acquire(), pool.acquire()
        pool.release(one)
        assert one.closed
        assert not two.closed
        assert pool.limit == limit


def test_an_exhausted_pool_refuses() -> None:
    pool = Things(limit=1)
    pool.acquire()
    with pytest.raises(LimitExceeded, match="1"):
        pool.acquire()
    with pytest.raises(LimitExceeded):
        pool.acquire(block=True, timeout=0.001)


def test_with_block_it_waits_for_a_release() -> None:
    pool = Things(limit=1)
    one = pool.acquire()
    got: list[Thing] = []
    waiter = threading.Thread(target=lambda: got.append(pool.acquire(block=True)))
    waiter.start()
    pool.release(one)
    waiter.join(10)
    assert got == [one]


def test_releasing_twice_does_nothing() -> None:
    pool = Things(limit=2)
    one = pool.acquire()
    pool.release(one)
    pool.release(one)
    assert pool.acquire() is not pool.acquire()


def test_a_resource_that_cannot_be_prepared_does_not_take_a_place() -> None:
    pool = Things(limit=1)
    pool.broken = True
    for _ in range(2):
        with pytest.raises(OSError, match="broken"):
            pool.acquire()
    pool.broken = False
    assert not pool.acquire().closed


def test_a_defective_resource_is_replaced() -> None:
    pool = Things(limit=1)
    one = pool.acquire()
    pool.replace(one)
    assert one.closed
    pool.release(one)
    assert pool.acquire() is not one


def test_closing_a_pool_closes_all() -> None:
    with Things(limit=2) as pool:
        one, two = pool.acquire(), pool.acquire()
        pool.release(two)
    assert (one.closed, two.closed) == (True, True)
    with pytest.raises(RuntimeError, match="closed pool"):
        pool.acquire()
    pool.force_close_all()
    pool.release(one)


def test_closing_all_can_leave_the_pool_open() -> None:
    pool = Things(limit=1)
    one = pool.acquire()
    pool.force_close_all(close_pool=False)
    assert one.closed
    assert not pool.acquire().closed


def test_a_pool_can_grow() -> None:
    pool = Things(limit=1)
    pool.acquire()
    pool.limit = 2
    pool.acquire()
    assert pool.limit == 2


def test_shrinking_closes_the_free_ones_over_the_limit() -> None:
    pool = Things(limit=3)
    things = [pool.acquire() for _ in range(3)]
    for thing in things:
        pool.release(thing)
    pool.resize(1)
    assert [thing.closed for thing in things] == [True, True, False]


def test_a_pool_in_use_shrinks_only_if_told_how() -> None:
    pool = Things(limit=3)
    one = pool.acquire()
    with pytest.raises(RuntimeError, match="from 3 to 2"):
        pool.resize(2)
    pool.resize(2, ignore_errors=True)
    assert (pool.limit, one.closed) == (2, False)
    pool.resize(1, force=True)
    assert (pool.limit, one.closed) == (1, True)
    two = pool.acquire()
    pool.resize(5, reset=True)
    assert two.closed


def test_what_is_released_over_the_limit_is_closed() -> None:
    pool = Things(limit=2)
    one, two = pool.acquire(), pool.acquire()
    pool.resize(1, ignore_errors=True)
    pool.release(one)
    pool.release(two)
    assert (one.closed, two.closed) == (True, False)


@pytest.mark.parametrize("limit", [True, -1, "3"])
def test_a_limit_is_a_number(limit: object) -> None:
    with pytest.raises(TypeError, match="limit of a pool"):
        Things(limit)  # type: ignore[arg-type]  # on purpose


def test_a_bare_pool_does_not_know_what_it_holds() -> None:
    pool = Resource[Thing](limit=1)
    with pytest.raises(NotImplementedError):
        pool.acquire()
    with pytest.raises(NotImplementedError):
        pool.replace(Thing())
    assert pool.prepare(Thing()) is not None
