"""A store in a directory: an embedded broker with one durable queue, so it outlives the process.

Knows only the `file://` transport. What is taken from the queue stays unacked until the broker
elsewhere has it; whoever opens the directory next finds it there again, in order.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..transport import get_transport
from ..transport.base import Address, Listener
from .kept import Kept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..transport.base import Delivery

__all__ = ["SpoolStore"]

QUEUE = "unconfirmed"
PERSISTENT = 2


class SpoolStore:
    """Keeps messages in a directory. `fsync` is as for `file://`.

    `OperationalError` when the directory cannot be opened, or is open in another process.
    """

    def __init__(self, directory: str, fsync: str = "always") -> None:
        self._kept: dict[int, Kept] = {}
        self.size = 0
        address = Address("file", directory, options={"fsync": fsync})
        self._connection = get_transport("file").connect(address)
        self._channel = self._connection.channel(Listener(_nothing, _nothing))
        self._channel.declare_queue(QUEUE, durable=True)
        self._channel.confirm_select()
        self._channel.consume(QUEUE, self._take)
        self._last = 0
        self._drain()

    def __len__(self) -> int:
        return len(self._kept)

    def _take(self, delivery: Delivery) -> None:
        headers: Any = delivery.message.properties.headers
        kept = Kept(
            headers["exchange"],
            headers["routing_key"],
            delivery.message.body,
            headers["properties"],
            headers["mandatory"],
        )
        self._last = delivery.tag
        self._kept[delivery.tag] = kept
        self.size += len(kept.body)

    def _drain(self) -> None:
        with suppress(TimeoutError):
            while True:
                self._connection.drain(0)

    def add(self, kept: Kept) -> int:
        """Keep a message: it is on the disk, as `fsync` says, when this returns."""
        record = self._channel.properties({
            "delivery_mode": PERSISTENT,
            "headers": {
                "exchange": kept.exchange,
                "routing_key": kept.routing_key,
                "mandatory": kept.mandatory,
                "properties": kept.values,
            },
        })  # fmt: skip
        number = self._channel.publish("", QUEUE, kept.body, record)
        self._channel.confirmed(number)
        self._drain()
        return self._last

    def done(self, key: int) -> None:
        """The broker has it: it is deleted."""
        self._channel.ack(key)
        self.size -= len(self._kept.pop(key).body)

    def pending(self) -> Iterator[tuple[int, Kept]]:
        """All that are kept, in order."""
        return iter(list(self._kept.items()))

    def close(self) -> None:
        """Close the directory; what is kept stays there."""
        self._connection.close()


def _nothing(_: object) -> None:
    pass
