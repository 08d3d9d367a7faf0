"""pika's SelectConnection, on its own loop."""

from __future__ import annotations

from ...needed import needed_module
from .base import Connection
from .pika_callbacks import CallbackConnection

__all__ = ["connect"]

pika = needed_module("pika")


def connect(url: str) -> Connection:
    """Open a connection. Raises ConnectionLost."""

    def run(connection: CallbackConnection) -> None:
        inner = pika.SelectConnection(pika.URLParameters(url), **connection.handlers())
        connection.inner = inner
        connection.later = inner.ioloop.add_callback_threadsafe
        connection.end(inner.ioloop.stop)
        inner.ioloop.start()
        inner.ioloop.close()

    return CallbackConnection(run)
