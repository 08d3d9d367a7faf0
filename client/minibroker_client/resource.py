"""A pool of things that are dear to make. Knows nothing of what they are."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .exceptions import LimitExceeded

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["Resource"]

T = TypeVar("T")


class Resource(Generic[T]):
    """A pool: `acquire` gives a resource, `release` takes it back, `limit` bounds how many exist.

    Without a limit (None or 0) resources are made on demand and closed when they are released.
    The one released last is handed out first. Thread-safe.
    """

    LimitExceeded: type[LimitExceeded] = LimitExceeded

    def __init__(self, limit: int | None = None) -> None:
        self._limit = _checked(limit)
        self._closed = False
        self._free: list[T] = []
        self._used: set[T] = set()
        self._pending = 0
        self._changed = threading.Condition()

    def new(self) -> T:
        """Make one: for subclasses."""
        raise NotImplementedError

    def prepare(self, resource: T) -> T:
        """Make one ready to be handed out: for subclasses."""
        return resource

    def release_resource(self, resource: T) -> None:
        """One came back: for subclasses."""

    def close_resource(self, resource: T) -> None:
        """Close one for good: for subclasses."""
        raise NotImplementedError

    def acquire(self, block: bool = False, timeout: float | None = None) -> T:
        """Take one; its `release()` gives it back.

        When all are in use `LimitExceeded` is raised, with `block` after `timeout` seconds (None:
        never). `RuntimeError` when the pool is closed.
        """
        resource = self._take(block, timeout)
        try:
            resource = self.prepare(self.new() if resource is None else resource)
        except BaseException:
            with self._changed:
                self._pending -= 1
                self._changed.notify()
            raise
        with self._changed:
            self._pending -= 1
            self._used.add(resource)
        return resource

    def _take(self, block: bool, timeout: float | None) -> T | None:
        """A free one, or None for leave to make one."""
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while True:
                if self._closed:
                    raise RuntimeError("acquire on a closed pool")
                if self._free or not self._limit or self._out() < self._limit:
                    self._pending += 1
                    return self._free.pop() if self._free else None
                left = None if end is None else end - time.monotonic()
                if not block or (left is not None and left <= 0):
                    raise self.LimitExceeded(self._limit)
                self._changed.wait(left)

    def _out(self) -> int:
        return len(self._used) + self._pending

    def release(self, resource: T) -> None:
        """Give one back. One that is not out (released before, or replaced) is left alone."""
        with self._changed:
            if resource not in self._used:
                return
            self._used.discard(resource)
            keep = not self._closed and self._limit and self._out() < self._limit
            if keep:
                self.release_resource(resource)
                self._free.append(resource)
            self._changed.notify()
        if not keep:
            self.release_resource(resource)
            self.close_resource(resource)

    def replace(self, resource: T) -> None:
        """Close one that is defective; a new one may take its place."""
        with self._changed:
            self._used.discard(resource)
            self._changed.notify()
        self.close_resource(resource)

    def force_close_all(self, close_pool: bool = True) -> None:
        """Close all of them, those in use, too; with `close_pool` nothing can be acquired again."""
        with self._changed:
            if self._closed:
                return
            self._closed = close_pool
            closing = [*self._used, *self._free]
            self._used.clear()
            self._free.clear()
            self._changed.notify_all()
        for resource in closing:
            self.close_resource(resource)

    def resize(
        self, limit: int | None, force: bool = False, ignore_errors: bool = False,
        reset: bool = False,
    ) -> None:  # fmt: skip
        """Change the limit. Those over it that are free are closed.

        While some are in use it cannot be lowered (`RuntimeError`) unless with `ignore_errors`, or
        `force`, which closes all; so does `reset`.
        """
        limit = _checked(limit)
        with self._changed:
            before = self._limit or 0
            shrinks = bool(self._used) and 0 < (limit or 0) < before
        if shrinks and not ignore_errors:
            if not force:
                raise RuntimeError(f"cannot shrink a pool in use from {self._limit} to {limit}")
            reset = True
        if reset:
            self.force_close_all(close_pool=False)
        surplus: list[T] = []
        with self._changed:
            self._limit = limit
            while self._free and limit and len(self._free) + self._out() > limit:
                surplus.append(self._free.pop(0))
            self._changed.notify_all()
        for resource in surplus:
            self.close_resource(resource)

    @property
    def limit(self) -> int | None:
        """How many there may be; None or 0 for any number."""
        return self._limit

    @limit.setter
    def limit(self, limit: int | None) -> None:
        self.resize(limit)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        """Close them all."""
        self.force_close_all()


def _checked(limit: Any) -> int | None:
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise TypeError(f"the limit of a pool is a number of resources, not {limit!r}")
    return limit
