"""One side of a conversation in the tests of transports: a connection with one channel."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from minibroker_client.transport.base import (
    Address,
    Connection,
    Delivery,
    Listener,
    Returned,
    Transport,
    TransportChannel,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MOMENT", "SECONDS", "Side"]

SECONDS = 10.0
"""How long anything may take that comes over a socket."""
MOMENT = 0.02
"""How long one looks there whether anything more comes."""


class Side:
    """A connection with one channel, and all that it was told."""

    def __init__(self, transport: Transport, address: Address) -> None:
        self.transport = transport
        self.connection: Connection = transport.connect(address)
        self.returned: list[Returned] = []
        self.cancelled: list[str] = []
        self.deliveries: list[Delivery] = []
        self.channel: TransportChannel = self.connection.channel(
            Listener(self.returned.append, self.cancelled.append)
        )

    def publish(self, queue: str, body: bytes = b"hello", **values: Any) -> int:
        record = self.channel.properties(values)
        return self.channel.publish("", queue, body, record, mandatory=True)

    def drain_until(self, is_done: Callable[[], object]) -> None:
        while not is_done():
            self.connection.drain(SECONDS)

    def gets(self, *bodies: bytes) -> bool:
        """Whether exactly these have been delivered so far."""
        self.drain_until(lambda: len(self.deliveries) >= len(bodies))
        with suppress(TimeoutError):
            self.connection.drain(MOMENT if self.transport.capabilities.heartbeats else 0)
        return tuple(delivery.message.body for delivery in self.deliveries) == bodies
