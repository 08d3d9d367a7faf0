"""The bucket of tokens, with the time passed in."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker_client.bridge.rate import TokenBucket


def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    bucket = TokenBucket(10, 3, 100.0)
    for _ in range(3):
        assert bucket.wait(100.0) == 0
        bucket.take()
    assert bucket.wait(100.0) == pytest.approx(0.1)
    assert bucket.wait(100.05) == pytest.approx(0.05)
    assert bucket.wait(100.1) == 0


def test_a_pause_does_not_save_up_more_than_a_burst() -> None:
    bucket = TokenBucket(10, 2, 0.0)
    assert bucket.wait(1e6) == 0
    bucket.take()
    bucket.take()
    assert bucket.wait(1e6) > 0


def test_without_a_rate_nothing_waits() -> None:
    bucket = TokenBucket(inf, inf, 0.0)
    for _ in range(1000):
        assert bucket.wait(0.0) == 0
        bucket.take()


@given(st.floats(0.01, 1e5), st.floats(1, 1000), st.integers(1, 200))
def test_no_more_than_the_rate_goes_after_the_burst(rate: float, burst: float, number: int) -> None:
    bucket, now = TokenBucket(rate, burst, 0.0), 0.0
    for _ in range(number):
        now += bucket.wait(now)
        assert bucket.wait(now) == 0
        bucket.take()
    assert number <= burst + now * rate + 1e-3
