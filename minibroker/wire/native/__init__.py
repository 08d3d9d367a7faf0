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
from .frames import BULK, HEARTBEAT_FRAME, Reader, frame, grouped, part_frames
from .methods import method_frame, method_of
from .properties import pack_properties, unpack_properties
from .values import pack, unpack

__all__ = [
    "ACK",
    "BULK",
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
    "grouped",
    "method_frame",
    "method_of",
    "pack",
    "pack_properties",
    "part_frames",
    "unpack",
    "unpack_properties",
]
