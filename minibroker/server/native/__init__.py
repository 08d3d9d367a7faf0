"""The server's side of the native protocol: AMQP in other bytes. No I/O, no clock."""

from __future__ import annotations

from .connection import NativeConnection

__all__ = ["NativeConnection"]
