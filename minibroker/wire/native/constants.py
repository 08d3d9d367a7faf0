"""The numbers of the native protocol. Source: docs/native-protocol.md."""

from __future__ import annotations

__all__ = [
    "ACK",
    "CREDIT",
    "DELIVER",
    "FRAME_MAX",
    "FRAME_MIN",
    "GOT",
    "HEARTBEAT",
    "HELLO",
    "LOGIN",
    "MAGIC",
    "METHOD",
    "OPEN",
    "PART",
    "PUBLISH",
    "RETURN",
]

MAGIC = b"MiniBrk\x01"
"""What both sides send first; the last byte is the version."""
HELLO = 0
LOGIN = 1
OPEN = 2
HEARTBEAT = 3
METHOD = 4
PUBLISH = 5
DELIVER = 6
ACK = 7
RETURN = 8
GOT = 9
PART = 10
CREDIT = 11
FRAME_MAX = 1 << 20
"""Bytes of a frame's payload, unless something less was agreed upon."""
FRAME_MIN = 8192
"""Bytes of a payload that every side takes."""
