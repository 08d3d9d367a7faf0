"""The client's side of AMQP 0-9-1, on the codec of the server."""

from __future__ import annotations

from .connection import AMQPConnection

__all__ = ["AMQPConnection"]
