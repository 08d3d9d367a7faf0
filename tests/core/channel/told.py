"""What a connection was told, and what is ready, in short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minibroker.queues import Entry

if TYPE_CHECKING:
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection

__all__ = ["entries", "publish", "ready", "turns"]


def entries(connection: LocalConnection) -> list[Entry]:
    """The deliveries in the outbox, which is empty then."""
    items = list(connection.outbox)
    connection.outbox.clear()
    return [item for item in items if isinstance(item, Entry)]


def turns(connection: LocalConnection) -> str:
    """Who got the deliveries in the outbox, by consumer tag."""
    found = entries(connection)
    return "".join(entry.consumer.tag for entry in found if entry.consumer is not None)


def publish(channel: Channel, count: int, queue: str = "q") -> None:
    for number in range(count):
        channel.publish("", queue, b"%d" % number)


def ready(channel: Channel, queue: str = "q") -> int:
    return channel.declare_queue(queue, passive=True).message_count
