"""A broker in this process for an event loop: calls are made at once, only events are awaited.

A call takes the broker's lock, which nobody holds for longer than a call. With `file://` a confirm
comes from the thread that commits.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from ..exceptions import PublisherBlocked, RecoverableConnectionError
from ..transport import get_transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..transport.base import Address, Listener, TransportChannel

__all__ = ["LocalShell"]


class LocalShell:
    """One connection within the process, in one event loop."""

    def __init__(
        self, address: Address, on_event: Callable[[], None], on_lost: Callable[[], None]
    ) -> None:
        """Raises as the transport's `connect`."""
        self._loop = asyncio.get_running_loop()
        self._on_event = on_event
        self._on_lost = on_lost
        transport: Any = get_transport(address.transport)
        self._inner = transport.connect(address)
        self._woken = False
        self._told = False
        self._next: asyncio.Future[None] | None = None
        self._inner.watch(self._wake)  # of MemoryConnection

    @property
    def closed(self) -> bool:
        """Whether it was closed, from either side."""
        closed: bool = self._inner.closed
        return closed

    def channel(self, listener: Listener) -> Any:
        """channel.open."""
        return self._inner.channel(listener)

    def _wake(self) -> None:
        """Something lies in the outbox, or it was closed. By any thread, under the lock."""
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        self._woken = False
        if self._next is not None and not self._next.done():
            self._next.set_result(None)
        if self._inner.closed:
            self._end()
        else:
            self._on_event()

    def dispatch(self) -> bool:
        """Deal with one event that came; False when there is none."""
        found: bool = self._inner.dispatch_one()
        return found

    async def ready(self, timeout: float | None) -> None:  # noqa: ASYNC109 -- as sockets
        """Wait until the broker takes messages, without holding up the loop.

        `PublisherBlocked` when it does not within `timeout` seconds.
        """
        while True:
            opened = self._loop.create_future()
            blocked = self._inner.when_unblocked(partial(self._tell, opened))
            if blocked is None:
                return
            try:
                async with asyncio.timeout(timeout):
                    await opened
            except TimeoutError:
                text = f"the broker takes no messages: {blocked}"
                raise PublisherBlocked(text) from None

    def _tell(self, opened: asyncio.Future[None]) -> None:
        def done() -> None:
            if not opened.done():
                opened.set_result(None)

        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(done)

    async def confirmed(self, raw: TransportChannel, number: int) -> bool:
        """Whether a publish was acked, once that is known. Raises what ended the channel."""
        while (ok := raw.answer(number)) is None:
            if raw.closed:
                raise RecoverableConnectionError("the channel is closed", "basic.publish")
            if self._next is None or self._next.done():
                self._next = self._loop.create_future()
            waiting = self._next
            self._on_event()
            if raw.unconfirmed and not raw.closed:
                await asyncio.shield(waiting)
        return ok

    def hold(self, held: bool) -> None:
        """Events wait in the broker's outbox until they are dispatched."""

    async def close(self) -> None:
        """connection.close."""
        self._inner.close()
        self._end()

    def _end(self) -> None:
        if not self._told:
            self._told = True
            self._on_lost()
