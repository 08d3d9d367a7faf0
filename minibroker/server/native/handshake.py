"""The handshake of the native protocol: eight bytes, HELLO, LOGIN, OPEN."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

from ...errors import CommandInvalid, NotAllowed, SyntaxInvalid
from ...version import __version__
from ...wire.native import HELLO, MAGIC, OPEN, frame
from ...wire.native.constants import FRAME_MIN
from ..amqp.states import STARTING
from ..sasl import LoginRefused, authenticate, mechanisms
from .shown import shown

if TYPE_CHECKING:
    from .connection import NativeConnection

__all__ = ["CAPABILITIES", "greet", "login"]

CAPABILITIES = frozenset({
    "authentication_failure_close", "connection.blocked", "consumer_cancel_notify",
})  # fmt: skip
"""What every client of this protocol understands, in AMQP's words."""
FIELDS: dict[str, tuple[type, Any]] = {
    "mechanism": (str, "PLAIN"),
    "response": (bytes, b""),
    "vhost": (str, "/"),
    "frame_max": (int, 0),
    "heartbeat": (int, 0),
    "credit": (int, 0),
    "properties": (dict, None),
}
"""The fields of LOGIN: their types, and what they are when they are not said."""
MOST_HEARTBEAT = 0xFFFF


def greet(connection: NativeConnection, header: bytes) -> None:
    """The first eight bytes: say hello, or say which version is spoken here and hang up."""
    connection.write(MAGIC)
    if header != MAGIC:
        connection.hang_up(f"it speaks another version: {header!r}")
        return
    connection.state = STARTING
    profile, settings = connection.broker.profile, connection.settings
    connection.write(
        frame([
            HELLO, 0, {
                "product": profile.product,
                "version": profile.version,
                "information": f"MiniBroker {__version__}, profile {profile.name}",
                "platform": f"Python {platform.python_version()}",
                "mechanisms": mechanisms(connection.peer).split(),
                "frame_max": settings.native_frame_max,
                "channel_max": settings.channel_max or 0xFFFF,
                "heartbeat": settings.heartbeat,
            },
        ])
    )  # fmt: skip


def login(connection: NativeConnection, payload: list[Any]) -> None:
    """LOGIN: who it is, where it wants to, what it takes. Raises AMQPError."""
    if connection.state is not STARTING:
        raise CommandInvalid("LOGIN comes once, as the first frame")
    said = _fields(payload)
    properties = said["properties"] or {}
    connection.client_properties = properties
    try:
        connection.user = authenticate(
            said["mechanism"], said["response"], connection.broker.users, connection.peer
        )
    except LoginRefused as error:
        connection.refuse_login(error)
        return
    most = connection.settings.native_frame_max
    frame_max = min(said["frame_max"] or most, most)
    if frame_max < FRAME_MIN:
        raise NotAllowed(f"frame_max = {frame_max} is lower than the minimum ({FRAME_MIN})")
    connection.agreed(frame_max, said["heartbeat"], said["credit"] or None)
    connection.attach(said["vhost"])
    connection.open()
    connection.write(frame([OPEN, 0, {"frame_max": frame_max, "heartbeat": said["heartbeat"]}]))


def _fields(payload: list[Any]) -> dict[str, Any]:
    if len(payload) != 3 or type(payload[2]) is not dict:
        raise SyntaxInvalid("LOGIN has one map")
    given = payload[2]
    said: dict[str, Any] = {}
    for name, (kind, default) in FIELDS.items():
        value = given.get(name, default)
        if value is not default and type(value) is not kind:
            raise SyntaxInvalid(f"{name} of LOGIN is {shown(value)}, not {kind.__name__}")
        said[name] = value
    for name in ("frame_max", "heartbeat", "credit"):
        if said[name] < 0:
            raise SyntaxInvalid(f"{name} of LOGIN is {said[name]}, below 0")
    if said["heartbeat"] > MOST_HEARTBEAT:
        raise SyntaxInvalid(f"heartbeat of LOGIN is {said['heartbeat']}, over {MOST_HEARTBEAT}")
    return said
