"""The hot half of a channel in native frames: publishes and acks that are sent in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minibroker.wire.amqp.spec import BasicAck
from minibroker.wire.native import ACK, PUBLISH, pack_properties, part_frames

from ..channel import ProtocolChannel

if TYPE_CHECKING:
    from minibroker.properties import Properties

    from ...transport.base import Listener
    from .connection import NativeConnection
    from .incoming import Large

__all__ = ["NativeChannel"]

MAX_SHORT = 255
"""Bytes of a name."""
SLACK = 1024
BATCH = 64 << 10
"""Bytes of one batch of publishes; a single message may be larger."""
OVERHEAD = 5


class NativeChannel(ProtocolChannel):
    """A channel of a `NativeConnection`."""

    connection: NativeConnection

    def __init__(self, connection: NativeConnection, number: int, listener: Listener) -> None:
        super().__init__(connection, number, listener)
        self.large: Large | None = None
        self._route: tuple[str, str, Properties | None, bool] = ("", "", None, False)
        """That of the last publish in the batch of the connection."""
        self._acks: list[int] = []
        """Ranges that were not framed yet: first and last of each."""

    def encode(self, properties: Properties) -> bytes:
        """See the base."""
        return pack_properties(properties)

    # -- publishing

    def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Properties,
        mandatory: bool = False,
        timeout: float | None = None,
    ) -> int:
        """basic.publish. `ValueError` for a name over 255 bytes."""
        connection = self.connection
        if self.closed or connection.blocked is not None:
            self.before_publish(timeout)
        number = 0
        with connection.guard:
            batch = connection.batch
            size = len(body)
            last = self._route
            if not (
                batch
                and connection.batch_channel == self.number
                and connection.batch_size + size < BATCH
                and properties is last[2]
                and routing_key == last[1]
                and exchange == last[0]
                and mandatory is last[3]
                and not self._acks
            ):
                batch = self._begin(exchange, routing_key, size, properties, mandatory)
            if self.confirming:
                number = self.confirms.last + 1
                self.confirms.published(number)
            if size < BATCH:
                batch.append(body)
                connection.batch_size += size + OVERHEAD
                connection.size += size + OVERHEAD
            else:
                self._publish_large(exchange, routing_key, body, properties, mandatory)
        connection.shell.written()
        return number

    def _begin(
        self, exchange: str, routing_key: str, size: int, properties: Properties, mandatory: bool
    ) -> list[Any]:
        """A new route, in a new batch if need be: the batch to put the body in."""
        connection = self.connection
        for name in (exchange, routing_key):
            if len(name.encode()) > MAX_SHORT:
                raise ValueError(f"{name[:60]!r}… is longer than {MAX_SHORT} bytes")
        packed = pack_properties(properties)
        more = size + len(packed) + len(exchange) + len(routing_key)
        if self._acks or (
            connection.batch
            and (connection.batch_channel != self.number or connection.batch_size + more >= BATCH)
        ):
            connection.settle()
        if size < BATCH:
            connection.batch_channel = self.number
            connection.batch.append([exchange, routing_key, packed, mandatory])
            connection.batch_size += more - size
            connection.size += more - size
            self._route = (exchange, routing_key, properties, mandatory)
        return connection.batch

    def _publish_large(
        self, exchange: str, routing_key: str, body: bytes, properties: Properties, mandatory: bool
    ) -> None:
        """In frames of its own, which nobody has to copy."""
        connection = self.connection
        connection.settle()
        packed = pack_properties(properties)
        most = connection.frame_max - SLACK
        route = [exchange, routing_key, packed, mandatory]
        connection.put([PUBLISH, self.number, [route, len(body)]])
        connection.out += part_frames(self.number, body, most)
        connection.size += len(body)

    # -- acks: those that follow each other become one range

    def ack(self, tag: int, multiple: bool = False) -> None:
        """basic.ack. An error comes later: `drain` raises it, or what is called next."""
        if self.closed or self.base:
            self.ensure_open()
            tag = self.own(tag)
        if multiple:
            self.tell(BasicAck(tag, multiple=True))
            return
        connection = self.connection
        with connection.guard:
            acks = self._acks
            if not acks:
                if connection.batch and connection.batch_channel == self.number:
                    connection.end_batch()
                connection.dirty.append(self)
                acks += (tag, tag)
            elif tag == acks[-1] + 1:
                acks[-1] = tag
            else:
                acks += (tag, tag)
            connection.size += 1
        connection.shell.written()

    def put_acks(self) -> None:
        """Frame the acks that were held back. Under the guard."""
        if self._acks:
            acks, self._acks = self._acks, []
            self.connection.put([ACK, self.number, acks])
