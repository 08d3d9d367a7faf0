"""Trying again: how often, how long in between, and what counts. Knows no broker and no connection.

Times are seconds. The functions hold no state and are thread-safe.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from math import inf
from typing import Any, TypeVar

__all__ = ["RetryPolicy", "intervals", "retry_over_time"]

T = TypeVar("T")

Errback = Callable[[BaseException, Iterator[float], int], float]
"""`errback(error, intervals, retries)` returns the seconds to wait, such as `next(intervals)`."""


@dataclass(slots=True)
class RetryPolicy:
    """How to try again: the keywords of Kombu's `Connection.ensure`, checked when made.

    The defaults are Kombu's for `ensure`: for ever, a second apart. `max_retries` counts the
    attempts after the first (None: no limit, 0: no second attempt). Waits start with
    `interval_start` and grow by `interval_step` up to `interval_max` seconds. `errback(error,
    seconds)` hears of each failure, `on_revive(channel)` of each new channel; `retry_errors` are
    retried besides lost connections. `timeout` limits all attempts and waits together. `jitter` is
    the part of each wait that is random: 0.5 makes of 10 seconds anything from 5 to 10, so that
    many clients do not come back at once. Raises `ValueError` naming the field for a negative or
    non-numeric value.
    """

    max_retries: int | None = None
    interval_start: float = 1
    interval_step: float = 1
    interval_max: float = 1
    timeout: float | None = None
    errback: Callable[[BaseException, float], object] | None = None
    on_revive: Callable[[Any], object] | None = None
    retry_errors: tuple[type[BaseException], ...] = ()
    jitter: float = 0

    def __post_init__(self) -> None:
        for name in ("interval_start", "interval_step", "interval_max", "jitter"):
            _check_number(name, getattr(self, name))
        if self.max_retries is not None:
            _check_number("max_retries", self.max_retries)
        if self.timeout is not None:
            _check_number("timeout", self.timeout)
        self.retry_errors = tuple(self.retry_errors or ())

    @classmethod
    def from_mapping(cls, policy: Mapping[str, Any] | None) -> RetryPolicy:
        """A policy from Kombu's `retry_policy` dict (None: the defaults).

        Raises `ValueError` naming a key that is not known, and for values as the class does.
        """
        known = [field.name for field in fields(cls)]
        for key in policy or ():
            if key not in known:
                raise ValueError(f"no retry_policy key {key!r} (there are {', '.join(known)})")
        return cls(**(policy or {}))

    def intervals(self) -> Iterator[float]:
        """The waits between attempts, without end."""
        return intervals(self.interval_start, self.interval_step, self.interval_max, self.jitter)


def _check_number(name: str, value: object) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not value >= 0:
        raise ValueError(f"{name} is {value!r}, not a number of 0 or more")


def intervals(
    start: float,
    step: float,
    maximum: float,
    jitter: float = 0,
    chance: Callable[[], float] = random.random,
) -> Iterator[float]:
    """`start`, `start + step` and so on, each at most `maximum`, without end (seconds).

    `jitter` is the part of each (0 to 1) that is multiplied by `chance()`, a number from 0 to 1.
    """
    n = 0
    while True:
        wait = float(min(start + n * step, maximum))
        yield wait * (1 - jitter + jitter * chance()) if jitter else wait
        n += 1


def retry_over_time(  # noqa: PLR0913 -- Kombu's signature, and the injected time
    fun: Callable[..., T],
    catch: type[BaseException] | tuple[type[BaseException], ...],
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    errback: Errback | None = None,
    max_retries: int | None = None,
    interval_start: float = 2,
    interval_step: float = 2,
    interval_max: float = 30,
    callback: Callable[[], object] | None = None,
    timeout: float | None = None,
    *,
    jitter: float = 0,
    sleep: Callable[[float], object] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> T:
    """Call `fun(*args, **kwargs)` until it does not raise `catch`; return what it returns.

    An error is raised as it is once `max_retries` attempts after the first have failed (None: no
    limit), or `timeout` seconds have gone (None or 0: no limit); the last wait is cut to end then.
    `errback(error, intervals, retries)` is told of every failure that is retried and returns the
    seconds to wait; without it, `next(intervals)` decides. No wait exceeds `interval_max` seconds.
    `callback` is called after each such failure and before every second of a wait; it may raise.
    """
    waits = intervals(interval_start, interval_step, interval_max, jitter)
    end = monotonic() + timeout if timeout else inf
    limit = inf if max_retries is None else max_retries
    retries = 0
    while True:
        try:
            return fun(*args or (), **kwargs or {})
        except catch as exc:
            if retries >= limit or monotonic() >= end:
                raise
            if callback is not None:
                callback()
            seconds = next(waits) if errback is None else float(errback(exc, waits, retries))
        _wait(min(seconds, interval_max, end - monotonic()), callback, sleep)
        retries += 1


def _wait(
    seconds: float, callback: Callable[[], object] | None, sleep: Callable[[float], object]
) -> None:
    whole = max(int(seconds), 0)
    for _ in range(whole):
        if callback is not None:
            callback()
        sleep(1.0)
    if seconds > whole:
        sleep(seconds - whole)
