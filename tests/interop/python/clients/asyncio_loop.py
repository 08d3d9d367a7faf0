"""A loop of asyncio in a thread, for the libraries that are made of coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

from .base import TIMEOUT

__all__ = ["LoopThread", "from_pamqp", "to_pamqp"]


class LoopThread:
    """Runs coroutines for a thread that is not asynchronous."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._changed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result of a coroutine. Raises TimeoutError, or what the coroutine raises."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(TIMEOUT)

    def notify(self) -> None:
        """Let the other thread look again."""
        self._changed.set()

    def wait(self, timeout: float) -> None:
        """Wait for `notify`."""
        self._changed.wait(timeout)
        self._changed.clear()

    def close(self) -> None:
        """End what is left in the loop, and the thread; the second time, nothing."""
        if self.loop.is_closed():
            return
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        # Transports close their sockets one turn after they were told to.
        self.loop.run_until_complete(_turns(3))
        self.loop.close()


async def _turns(number: int) -> None:
    """That many turns of the loop."""
    for _ in range(number):
        await asyncio.sleep(0)


def to_pamqp(properties: dict[str, Any] | None) -> dict[str, Any]:
    """Properties with the names and types of pamqp, which several libraries use."""
    sent = dict(properties or {})
    if "type" in sent:
        sent["message_type"] = sent.pop("type")
    if "timestamp" in sent:
        sent["timestamp"] = datetime.fromtimestamp(sent["timestamp"], UTC)
    if "headers" in sent:
        headers = sent["headers"].items()
        sent["headers"] = {
            key: bytearray(value) if isinstance(value, bytes) else value for key, value in headers
        }
    return sent


def from_pamqp(properties: dict[str, Any]) -> dict[str, Any]:
    """The properties that were sent, with AMQP's names."""
    received = {
        key: value for key, value in properties.items() if value is not None and value != ""
    }
    if "message_type" in received:
        received["type"] = received.pop("message_type")
    if "timestamp" in received:
        received["timestamp"] = int(received["timestamp"].timestamp())
    return received
