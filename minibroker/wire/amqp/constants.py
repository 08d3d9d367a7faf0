"""The numbers of AMQP 0-9-1 that frames are made of. Source: section 1.2 and section 4.2.3."""

from __future__ import annotations

__all__ = [
    "BODY",
    "FRAME_END",
    "FRAME_OVERHEAD",
    "HEADER",
    "HEARTBEAT",
    "HEARTBEAT_FRAME",
    "LAST_CHANNEL",
    "METHOD",
    "PROTOCOL_HEADER",
]

METHOD = 1
HEADER = 2
BODY = 3
HEARTBEAT = 8
FRAME_END = 0xCE
FRAME_OVERHEAD = 8
"""Bytes of a frame besides its payload: type, channel, size and the end octet."""
LAST_CHANNEL = 0xFFFF
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
"""What a client of AMQP 0-9-1 sends first."""
HEARTBEAT_FRAME = b"\x08\x00\x00\x00\x00\x00\x00\xce"
