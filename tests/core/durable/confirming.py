"""A publisher with confirms, what it hears, and a disk that fails."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from ..restarts import PERSISTENT, Restarts

if TYPE_CHECKING:
    from minibroker.channel import Channel

__all__ = ["confirming", "events", "fail", "publish"]


def confirming(world: Restarts) -> Channel:
    """A channel with confirms, and a durable queue `q` on the disk; publishers do not wait."""
    world.options["blocked_timeout"] = 0
    channel = world.channel()
    channel.declare_queue("q", durable=True)
    channel.confirm_select()
    world.broker.sync()
    return channel


def publish(channel: Channel, *bodies: str, timeout: float | None = None) -> None:
    """Publish persistent messages into `q`."""
    for body in bodies:
        channel.publish("", "q", body.encode(), PERSISTENT, timeout=timeout)


def events(channel: Channel) -> list[Any]:
    """What the connection was told, taken out."""
    outbox = channel.connection.outbox
    found = list(outbox)
    outbox.clear()
    return found


def fail(world: Restarts, *kinds: str, times: int | None = 1) -> None:
    """Let operations of these kinds fail, syncs where none is named."""
    world.files.fail(kinds=kinds or ("sync",), code=errno.EIO, times=times)
