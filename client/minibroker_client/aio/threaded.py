"""A connection to another system for an event loop: its library is called on threads.

One thread makes the calls, in their order; another one leases messages while there are consumers.
What came is dealt with in the loop.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from ..exceptions import MiniBrokerClientError, RecoverableConnectionError
from ..transport import get_transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..transport.base import Address, Listener

__all__ = ["ThreadedChannel", "ThreadedShell"]


class ThreadedChannel:
    """A transport's channel whose calls are awaited: what is not below is made on the thread."""

    def __init__(self, shell: ThreadedShell, raw: Any) -> None:
        self._shell = shell
        self.raw = raw

    @property
    def closed(self) -> bool:
        """Whether it was closed, from either side."""
        closed: bool = self.raw.closed
        return closed

    @property
    def lost(self) -> bool:
        """Whether it was open when its connection ended."""
        lost: bool = self.raw.lost
        return lost

    @property
    def highest_tag(self) -> int:
        """The highest delivery tag that it has handed out."""
        tag: int = self.raw.highest_tag
        return tag

    def properties(self, values: Any) -> Any:
        """The record of properties: nothing is asked for it."""
        return self.raw.properties(values)

    def go_on_from(self, lost: Any) -> Any:
        """Stand for a lost one. What it had leased is given back meanwhile."""
        return self._shell.call(self.raw.go_on_from, lost.raw)

    def ack(self, tag: int, multiple: bool = False) -> None:
        """Settle; what goes wrong with that is reported to the loop."""
        self._shell.later(self.raw.ack, tag, multiple)

    def nack(self, tag: int, multiple: bool = False, requeue: bool = True) -> None:
        """Refuse; what goes wrong with that is reported to the loop."""
        self._shell.later(self.raw.nack, tag, multiple, requeue)

    def reject(self, tag: int, requeue: bool = True) -> None:
        """Refuse; what goes wrong with that is reported to the loop."""
        self._shell.later(self.raw.reject, tag, requeue)

    def __getattr__(self, name: str) -> Any:
        return partial(self._shell.call, getattr(self.raw, name))


class ThreadedShell:
    """One connection, in one event loop."""

    def __init__(self, on_event: Callable[[], None], on_lost: Callable[[], None]) -> None:
        """Use `connect`."""
        self._loop = asyncio.get_running_loop()
        self._on_event = on_event
        self._on_lost = on_lost
        self._told = False
        self._closing = False
        self._calls = ThreadPoolExecutor(1, "minibroker-calls")
        self._fetching: threading.Thread | None = None
        self._held = threading.Event()
        self._held.set()  # set: not held

    @classmethod
    async def connect(
        cls, address: Address, on_event: Callable[[], None], on_lost: Callable[[], None]
    ) -> ThreadedShell:
        """Connect. Raises as the transport's `connect`."""
        shell = cls(on_event, on_lost)
        transport = get_transport(address.transport)
        try:
            shell._inner = await shell._run(transport.connect, address)
        except BaseException:
            shell._calls.shutdown(wait=False)
            raise
        return shell

    _inner: Any

    @property
    def closed(self) -> bool:
        """Whether it was closed, from either side."""
        closed: bool = self._inner.closed
        return closed

    async def channel(self, listener: Listener) -> ThreadedChannel:
        """channel.open."""
        return ThreadedChannel(self, await self.call(self._inner.channel, listener))

    # -- calls

    async def _run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await self._loop.run_in_executor(self._calls, partial(function, *args, **kwargs))

    async def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call on the thread, after all that was called before."""
        if self._told:
            raise RecoverableConnectionError("the connection is closed")
        try:
            result = await self._run(function, *args, **kwargs)
        finally:
            # Not before who called knows the answer: what came may be about it.
            self._loop.call_soon(self._look)
        self._fetch()
        return result

    def later(self, function: Callable[..., Any], *args: Any) -> None:
        """Call on the thread without waiting; an error is reported to the loop."""
        if self._told:
            raise RecoverableConnectionError("the connection is closed")
        self._calls.submit(function, *args).add_done_callback(self._done)

    def _done(self, future: Any) -> None:
        error = future.exception()
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._settled, error)

    def _settled(self, error: BaseException | None) -> None:
        if error is not None and not self._inner.closed:
            text = "a delivery could not be settled"
            self._loop.call_exception_handler({"message": text, "exception": error})
        self._look()

    # -- what comes

    def _fetch(self) -> None:
        if self._fetching is None and self._inner.consumes:
            self._fetching = threading.Thread(
                target=self._fetch_on, name="minibroker-leasing", daemon=True
            )
            self._fetching.start()

    def _fetch_on(self) -> None:
        # Closing waits for it; a second where each look is paid for.
        wait = min(1.0, self._inner.remote.driver.features.longest_wait / 2)
        while not self._closing and not self._inner.closed:
            self._held.wait()
            with suppress(MiniBrokerClientError):  # it is closed by that
                self._inner.fetch(wait)
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        """In the loop: something may have come, or it was lost."""
        if self._inner.closed:
            self._end()
        else:
            self._on_event()

    def dispatch(self) -> bool:
        """Deal with one event that came; False when there is none."""
        found: bool = self._inner.dispatch_one()
        return found

    async def ready(self, timeout: float | None) -> None:  # noqa: ASYNC109 -- as the others
        """It always takes messages."""

    async def confirmed(self, raw: Any, number: int) -> bool:
        """Whether a publish was acked: it is sent, with all others that wait, and answered."""
        channel = raw.raw
        if channel.confirms.waits(number):
            await self.call(channel.flush, "basic.publish")
            self._look()
        if channel.confirms.waits(number):
            raise RecoverableConnectionError("the connection is closed", "basic.publish")
        ok: bool = channel.confirms.take(number)
        return ok

    def hold(self, held: bool) -> None:
        """Lease nothing for now, or go on."""
        if held:
            self._held.clear()
        else:
            self._held.set()

    # -- the end

    async def close(self) -> None:
        """connection.close."""
        self._closing = True
        self._held.set()
        if self._fetching is not None:
            await self._run(self._fetching.join)
        if not self._inner.closed:
            await self._run(self._inner.close)
        self._end()

    def _end(self) -> None:
        if self._told:
            return
        self._told = True
        self._held.set()
        self._calls.shutdown(wait=False)
        self._on_lost()
