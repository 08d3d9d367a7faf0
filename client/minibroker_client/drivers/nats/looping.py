"""An event loop in a thread of its own, and calls into it that block. Knows nothing of NATS."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import finalize

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["LoopEndedError", "Looping"]

T = TypeVar("T")


class LoopEndedError(Exception):
    """The loop was closed, or stayed behind in the process that this one was forked from."""


class Looping:
    """A loop that runs until it is closed or forgotten. Thread-safe."""

    def __init__(self) -> None:
        loop = asyncio.new_event_loop()
        self._loop = loop
        self._lock = threading.Lock()
        self._thread = threading.Thread(
            target=_run, args=(loop,), name="minibroker-nats", daemon=True
        )
        self._thread.start()
        # The thread does not know this object, so that it can be forgotten.
        self._end = finalize(self, _stop, loop)

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and wait for its end. When the wait is broken off, so is it."""
        done: Future[T] = Future()
        tasks: list[asyncio.Task[T]] = []
        try:
            with self._lock:
                if not self._end.alive or not self._thread.is_alive():
                    coroutine.close()
                    raise LoopEndedError("the connection is closed")
                self._loop.call_soon_threadsafe(_begin, coroutine, done, tasks)
            return done.result()
        except BaseException:
            # An interruption may come at any point above: what was begun is known in the loop.
            if not done.done() and self._end.alive:
                self._loop.call_soon_threadsafe(_cancel, tasks)
            raise

    def close(self) -> None:
        """End the loop and what runs in it."""
        with self._lock:
            self._end()
        self._thread.join(5)


def _begin(coroutine: Coroutine[Any, Any, T], done: Future[T], tasks: list[Any]) -> None:
    task = asyncio.ensure_future(coroutine)
    tasks.append(task)
    task.add_done_callback(partial(_pass_on, done))


def _pass_on(done: Future[T], task: asyncio.Task[T]) -> None:
    if task.cancelled():
        done.set_exception(LoopEndedError("the connection was closed meanwhile"))
    elif (error := task.exception()) is not None:
        done.set_exception(error)
    else:
        done.set_result(task.result())


def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()


def _stop(loop: asyncio.AbstractEventLoop) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(loop.stop)
