"""pika's AsyncioConnection, on a loop of asyncio."""

from __future__ import annotations

import asyncio

from ...needed import needed_module
from .base import Connection
from .pika_callbacks import CallbackConnection

__all__ = ["connect"]

pika = needed_module("pika")
adapters = needed_module("pika.adapters.asyncio_connection")


def connect(url: str) -> Connection:
    """Open a connection. Raises ConnectionLost."""

    def run(connection: CallbackConnection) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        connection.later = loop.call_soon_threadsafe
        connection.end(loop.stop)
        connection.inner = adapters.AsyncioConnection(
            pika.URLParameters(url), custom_ioloop=loop, **connection.handlers()
        )
        loop.run_forever()
        loop.close()

    return CallbackConnection(run)
