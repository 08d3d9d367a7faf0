"""Awaiting what may be an answer that is still to come, or the answer itself."""

from __future__ import annotations

import asyncio
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator

    from ..protocol.pending import Pending

__all__ = ["Answer", "drive", "resolve"]


class Answer:
    """Makes a `Pending` awaitable. Who stops to await it changes nothing for the others."""

    __slots__ = ("_pending", "_timeout")

    def __init__(self, pending: Pending, timeout: float | None = None) -> None:
        self._pending = pending
        self._timeout = timeout

    def __await__(self) -> Generator[Any, None, Any]:
        if not self._pending.done:
            yield from self._wait().__await__()
        return self._pending.result()

    async def _wait(self) -> None:
        pending = self._pending
        future = asyncio.get_running_loop().create_future()

        def done() -> None:
            if not future.done():
                future.set_result(None)

        pending.callback = done
        try:
            async with asyncio.timeout(self._timeout):
                await future
        except TimeoutError:
            raise TimeoutError(
                f"{pending.method}: no answer within {self._timeout:g} seconds"
            ) from None


async def resolve(value: Any) -> Any:
    """The value, awaited if it has to be."""
    return await value if isawaitable(value) else value


async def drive(steps: Generator[Any, Any, None]) -> None:
    """Take the steps of `recovery.recovered` in an event loop."""
    result: Any = None
    failed: Exception | None = None
    while True:
        try:
            step = steps.send(result) if failed is None else steps.throw(failed)
        except StopIteration:
            return
        function, arguments, named = step
        result, failed = None, None
        try:
            result = await resolve(function(*arguments, **named))
        except Exception as error:  # noqa: BLE001 -- the steps decide what it means
            failed = error
