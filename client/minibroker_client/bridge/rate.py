"""A limit for messages per second, as a bucket of tokens. Reads no clock and does not wait."""

from __future__ import annotations

from math import inf

__all__ = ["TokenBucket"]


class TokenBucket:
    """Gives `rate` tokens a second, and up to `burst` at once after a pause. It starts full."""

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        """`now` is the time in seconds, of the clock that the calls are given the time of."""
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at = now

    def wait(self, now: float) -> float:
        """Seconds until there is a token; 0 when there is one."""
        if self.rate == inf:
            return 0.0
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        # Not exactly 1: what is waited for must be there after the wait, rounded as it is.
        return 0.0 if self._tokens > 1 - 1e-6 else (1 - self._tokens) / self.rate

    def take(self) -> None:
        """Use a token; `wait` said that there is one."""
        self._tokens -= 1
