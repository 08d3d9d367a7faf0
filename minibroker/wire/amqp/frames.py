"""Frames as bytes. Knows nothing of what is in them. Source: AMQP 0-9-1 section 4.2.3."""

from __future__ import annotations

import struct
from typing import TypeAlias

from .constants import BODY, FRAME_OVERHEAD, HEADER, METHOD
from .methods import encode_method
from .spec import MethodRecord

__all__ = ["Piece", "body_frames", "content_frames", "header_frame", "method_frame"]

Piece: TypeAlias = bytes | memoryview
"""A piece of output; a body that is cut into frames is not copied for that."""

BASIC = 60
_pack = struct.Struct(">BHI").pack
_pack_header = struct.Struct(">BHIHHQ").pack
_END = b"\xce"


def method_frame(channel: int, method: MethodRecord) -> bytes:
    """The frame of one method."""
    payload = encode_method(method)
    return _pack(METHOD, channel, len(payload)) + payload + _END


def header_frame(channel: int, size: int, properties: bytes) -> bytes:
    """The frame of a content header: `size` is that of the body, `properties` are encoded."""
    return _pack_header(HEADER, channel, 12 + len(properties), BASIC, 0, size) + properties + _END


def body_frames(channel: int, body: bytes, frame_max: int) -> list[Piece]:
    """The frames of a body, in pieces to be joined or written one after the other.

    `frame_max` is what was negotiated, 0 for no limit. An empty body has no frame.
    """
    most = frame_max - FRAME_OVERHEAD if frame_max else len(body)
    if len(body) <= most:
        return [_pack(BODY, channel, len(body)), body, _END] if body else []
    parts: list[Piece] = []
    view = memoryview(body)
    for at in range(0, len(body), most):
        piece = view[at : at + most]
        parts += (_pack(BODY, channel, len(piece)), piece, _END)
    return parts


def content_frames(
    channel: int, method: MethodRecord, properties: bytes, body: bytes, frame_max: int
) -> list[Piece]:
    """A method with its content, in pieces."""
    return [
        method_frame(channel, method),
        header_frame(channel, len(body), properties),
        *body_frames(channel, body, frame_max),
    ]
