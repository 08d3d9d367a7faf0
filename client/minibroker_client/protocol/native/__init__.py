"""The client's side of the native protocol, see docs/native-protocol.md."""

from __future__ import annotations

from .connection import NativeConnection

__all__ = ["NativeConnection"]
