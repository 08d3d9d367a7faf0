"""What a server offers its clients, and how long it waits for them. Knows no socket."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ServerSettings"]

MOST_HEARTBEAT = 0xFFFF
MOST_CHANNELS = 0xFFFF


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The settings of a server; RabbitMQ's defaults (SEMANTICS 2, 4). Unchanging.

    Raises ValueError that names a value out of its range.
    """

    channel_max: int = 2047
    """Channels that a connection may have open at one time; 0 for no limit but the protocol's."""
    frame_max: int = 131_072
    """Bytes of a frame; 0 for no limit."""
    native_frame_max: int = 1 << 20
    """Bytes of a frame's payload in the native protocol."""
    heartbeat: int = 60
    """Seconds that are proposed to clients; 0 for none."""
    handshake_timeout: float = 10.0
    """Seconds from connecting to `connection.open`; whoever takes longer is dropped."""
    close_timeout: float = 30.0
    """Seconds that a client has to answer `connection.close`."""
    refusal_delay: float = 3.0
    """Seconds before a refused login is dropped that does not understand `connection.close`."""

    def __post_init__(self) -> None:
        _check("channel_max", self.channel_max, 0, MOST_CHANNELS)
        _check("heartbeat", self.heartbeat, 0, MOST_HEARTBEAT)
        if self.frame_max:
            _check("frame_max", self.frame_max, 8192, 1 << 31)
        _check("native_frame_max", self.native_frame_max, 8192, 1 << 31)
        for name in ("handshake_timeout", "close_timeout"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than 0 seconds, not {getattr(self, name)}")


def _check(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} must be {least} to {most}, not {value}")
