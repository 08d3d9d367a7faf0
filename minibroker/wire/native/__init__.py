"""MiniBroker's own protocol as bytes (docs/native-protocol.md). Knows no socket and no broker."""

from __future__ import annotations

from .constants import (
    ACK,
    CREDIT,
    DELIVER,
    FRAME_MAX,
    GOT,
    HEARTBEAT,
    HELLO,
    LOGIN,
    MAGIC,
    METHOD,
    OPEN,
    PART,
    PUBLISH,
    RETURN,
)
from .frames import HEARTBEAT_FRAME, Reader, frame
from .methods import method_frame, method_of
from .properties import pack_properties, unpack_properties
from .values import pack, unpack

__all__ = [
    "ACK",
    "CREDIT",
    "DELIVER",
    "FRAME_MAX",
    "GOT",
    "HEARTBEAT",
    "HEARTBEAT_FRAME",
    "HELLO",
    "LOGIN",
    "MAGIC",
    "METHOD",
    "OPEN",
    "PART",
    "PUBLISH",
    "RETURN",
    "Reader",
    "frame",
    "method_frame",
    "method_of",
    "pack",
    "pack_properties",
    "unpack",
    "unpack_properties",
]
