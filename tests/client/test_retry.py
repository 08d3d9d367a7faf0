"""Trying again: waits, limits and callbacks, with a clock that the test turns."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker_client import Connection
from minibroker_client.retry import RetryPolicy, intervals, retry_over_time

if TYPE_CHECKING:
    from collections.abc import Iterator


kombu: Any = pytest.importorskip("kombu.utils.functional")


class Clock:
    """A clock that only `sleep` turns."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


class Flaky:
    """Fails `failures` times, then answers with its arguments."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        self.calls += 1
        if self.calls <= self.failures:
            raise OSError(f"failure {self.calls}")
        return args, kwargs


def run(fun: Flaky, clock: Clock, **options: Any) -> Any:
    return retry_over_time(fun, OSError, sleep=clock.sleep, monotonic=clock.monotonic, **options)


def test_a_call_that_works_is_made_once_and_waits_for_nothing() -> None:
    clock, fun = Clock(), Flaky(0)
    assert run(fun, clock, args=(1, 2), kwargs={"a": 3}) == ((1, 2), {"a": 3})
    assert (fun.calls, clock.slept) == (1, [])


def test_waits_grow_by_the_step_up_to_the_maximum() -> None:
    clock = Clock()
    run(Flaky(5), clock, interval_start=0.25, interval_step=0.5, interval_max=1)
    assert clock.slept == [0.25, 0.75, 1.0, 1.0, 1.0]


def test_a_step_over_the_maximum_gives_the_maximum() -> None:
    assert list(islice(intervals(2, 50, 30), 3)) == [2.0, 30.0, 30.0]


def test_the_waits_are_two_to_thirty_seconds_when_nothing_is_said() -> None:
    clock = Clock()
    run(Flaky(16), clock)
    assert clock.now == sum(range(2, 31, 2)) + 30


def test_long_waits_are_slept_in_seconds_with_the_callback_before_each() -> None:
    clock = Clock()
    calls: list[float] = []
    run(Flaky(1), clock, interval_start=2.5, callback=lambda: calls.append(clock.now))
    assert clock.slept == [1.0, 1.0, 0.5]
    assert calls == [0.0, 0.0, 1.0]


def test_a_callback_that_raises_ends_the_waiting() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Flaky(1), Clock(), callback=stop)


def test_max_retries_counts_the_attempts_after_the_first() -> None:
    fun = Flaky(9)
    with pytest.raises(OSError, match="failure 4"):
        run(fun, Clock(), max_retries=3)
    assert fun.calls == 4


def test_no_retries_means_one_attempt() -> None:
    fun = Flaky(1)
    with pytest.raises(OSError, match="failure 1"):
        run(fun, Clock(), max_retries=0)
    assert fun.calls == 1


def test_the_timeout_cuts_the_last_wait_and_gives_one_last_attempt() -> None:
    clock, fun = Clock(), Flaky(99)
    with pytest.raises(OSError, match="failure 4"):
        run(fun, clock, timeout=7)
    assert clock.now == 7.0


def test_an_attempt_that_takes_longer_than_the_timeout_is_the_last() -> None:
    clock = Clock()

    def slow() -> None:
        clock.now += 10
        raise OSError("slow")

    with pytest.raises(OSError, match="slow"):
        retry_over_time(slow, OSError, timeout=5, sleep=clock.sleep, monotonic=clock.monotonic)
    assert clock.slept == []


def test_the_errback_hears_of_each_failure_and_says_how_long_to_wait() -> None:
    clock = Clock()
    heard: list[tuple[str, int]] = []

    def errback(exc: BaseException, waits: Iterator[float], retries: int) -> float:
        heard.append((str(exc), retries))
        return 0 if retries == 0 else next(waits)

    run(Flaky(3), clock, errback=errback, interval_start=0.5, interval_step=0.25, interval_max=9)
    assert heard == [("failure 1", 0), ("failure 2", 1), ("failure 3", 2)]
    assert clock.slept == [0.5, 0.75]


def test_the_errback_cannot_wait_longer_than_the_maximum() -> None:
    clock = Clock()
    run(Flaky(1), clock, errback=lambda *_: 100, interval_max=0.5)
    assert clock.slept == [0.5]


def test_a_negative_wait_is_none() -> None:
    clock = Clock()
    run(Flaky(1), clock, errback=lambda *_: -3)
    assert clock.slept == []


def test_an_error_that_is_not_caught_is_raised_at_once() -> None:
    fun = Flaky(1)
    with pytest.raises(OSError, match="failure 1"):
        retry_over_time(fun, (KeyError, ValueError))
    assert fun.calls == 1


@given(
    failures=st.integers(0, 12),
    start=st.integers(0, 8).map(lambda n: n / 4),
    step=st.integers(0, 8).map(lambda n: n / 4),
    steps=st.integers(1, 6),
    max_retries=st.none() | st.integers(0, 12),
)
def test_waits_and_attempts_are_those_of_kombu(
    failures: int, start: float, step: float, steps: int, max_retries: int | None
) -> None:
    # Kombu stays a step below a maximum that is not a whole number of steps over the start.
    options = {
        "max_retries": max_retries,
        "interval_start": start,
        "interval_step": step,
        "interval_max": start + steps * step,
    }
    assert waits_of(retry_over_time, failures, options) == waits_of(
        kombu.retry_over_time, failures, options
    )


def waits_of(retry: Any, failures: int, options: dict[str, Any]) -> tuple[list[float], int]:
    """The waits that an errback sees, and the number of attempts."""
    waits: list[float] = []
    fun = Flaky(failures)

    def errback(_exc: BaseException, found: Iterator[float], _retries: int) -> float:
        waits.append(next(found))
        return 0

    with suppress(OSError):
        retry(fun, OSError, errback=errback, **options)
    return waits, fun.calls


def test_a_policy_has_kombus_defaults() -> None:
    policy = RetryPolicy.from_mapping(None)
    assert policy == RetryPolicy()
    assert policy.max_retries is None
    assert list(islice(policy.intervals(), 3)) == [1.0, 1.0, 1.0]


def test_a_policy_takes_the_keys_of_kombus_retry_policy() -> None:
    policy = RetryPolicy.from_mapping(
        {
            "max_retries": 3,
            "interval_start": 0,
            "interval_step": 0.2,
            "interval_max": 0.5,
            "timeout": 4,
            "retry_errors": [KeyError],
            "errback": print,
            "on_revive": print,
        }
    )
    assert list(islice(policy.intervals(), 4)) == pytest.approx([0, 0.2, 0.4, 0.5])
    assert policy.retry_errors == (KeyError,)


def test_a_policy_names_the_key_it_does_not_know() -> None:
    with pytest.raises(ValueError, match=r"no retry_policy key 'max_retry' .there are max_retries"):
        RetryPolicy.from_mapping({"max_retry": 3})


@pytest.mark.parametrize(
    "policy",
    [
        {"max_retries": -1},
        {"interval_start": "1"},
        {"interval_step": float("nan")},
        {"interval_max": None},
        {"timeout": True},
    ],
)
def test_a_policy_names_the_value_that_makes_no_sense(policy: dict[str, Any]) -> None:
    (name,) = policy
    with pytest.raises(ValueError, match=f"{name} is .* not a number of 0 or more"):
        RetryPolicy.from_mapping(policy)


def test_jitter_takes_a_random_part_of_each_wait() -> None:
    chances = iter([0.0, 1.0, 0.5])
    waits = intervals(10, 0, 10, 0.5, lambda: next(chances))
    assert [next(waits) for _ in range(3)] == [5.0, 10.0, 7.5]
    assert next(RetryPolicy(interval_start=10, interval_max=10, jitter=1).intervals()) <= 10
    with pytest.raises(ValueError, match="jitter is -1"):
        RetryPolicy(jitter=-1)


def test_a_publish_may_be_retried_with_jitter() -> None:
    with Connection("memory://") as connection:
        policy = {"max_retries": 1, "jitter": 0.5}
        connection.Producer().publish("x", routing_key="nowhere", retry=True, retry_policy=policy)
        with pytest.raises(ValueError, match="jitter"):
            connection.ensure(None, print, jitter=-1)
