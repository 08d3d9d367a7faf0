"""What was published. Knows nothing of the queues it lies in.

A message is shared by all its queues and consumers and never changes; its place in one queue is
an `Entry`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .properties import PERSISTENT

if TYPE_CHECKING:
    from .fields import Table
    from .properties import Properties

__all__ = [
    "Death",
    "MarkedMessage",
    "Message",
    "SpilledMarkedMessage",
    "SpilledMessage",
    "copied",
    "spilled",
]


class Message:
    """Exchange, routing key, properties and body, as published.

    The class attributes are what nearly every message has; a `MarkedMessage` is one for which the
    broker wrote something else there (72 bytes and 100 ns that the others do not pay).
    """

    __slots__ = ("body", "exchange", "position", "properties", "routing_key", "share")

    share: int
    """Bytes that each of its places takes in the log; set once it has a position."""

    ttl: int | None = None
    """Milliseconds from the parsed `expiration`, None without one."""
    deaths: tuple[Death, ...] = ()
    """Why and where it was dead-lettered, latest first."""
    spilled: bool = False
    """Whether it is in the log only to be out of memory: it does not outlive the process."""
    copies: tuple[str, ...] = ()
    """Further routing keys: those of its CC header, which stay with it, and of BCC."""

    def __init__(
        self, exchange: str, routing_key: str, properties: Properties, body: bytes
    ) -> None:
        self.exchange = exchange
        self.routing_key = routing_key
        self.properties = properties
        self.body = body
        self.position = 0
        """Where it is in the log; 0: it is not kept there, below 0: it will be written."""

    @property
    def persistent(self) -> bool:
        """Whether it was published to outlive the broker (`delivery_mode` 2)."""
        return self.properties.delivery_mode == PERSISTENT

    @property
    def headers(self) -> Table:
        """The headers table, empty when there is none. Not to be changed."""
        return self.properties.headers or {}

    def with_headers(self, added: Table) -> Message:
        """A copy of the message with more headers, in the order of their names, for one delivery.

        RabbitMQ's `rabbit_misc:set_table_value` sorts the whole table.
        """
        properties = self.properties.replace(
            headers=dict(sorted({**self.headers, **added}.items()))
        )
        return Message(self.exchange, self.routing_key, properties, self.body)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} exchange={self.exchange!r} "
            f"routing_key={self.routing_key!r} {len(self.body)} bytes>"
        )


class MarkedMessage(Message):
    """A message with a time to live, further routing keys, or a history of deaths."""

    __slots__ = ("copies", "deaths", "ttl")

    def __init__(  # noqa: PLR0913 -- a message and the three marks
        self,
        exchange: str,
        routing_key: str,
        properties: Properties,
        body: bytes,
        ttl: int | None = None,
        copies: tuple[str, ...] = (),
        deaths: tuple[Death, ...] = (),
    ) -> None:
        super().__init__(exchange, routing_key, properties, body)
        self.ttl = ttl
        self.copies = copies
        self.deaths = deaths


class SpilledMessage(Message):
    """A transient message that is in the log, to be out of memory."""

    __slots__ = ()

    spilled: bool = True


class SpilledMarkedMessage(MarkedMessage):
    """The same of a message with marks."""

    __slots__ = ()

    spilled: bool = True


def spilled(message: Message) -> SpilledMessage | SpilledMarkedMessage:
    """The same message once more, for the log to have while this process lives."""
    same = message.exchange, message.routing_key, message.properties, message.body
    if isinstance(message, MarkedMessage):
        return SpilledMarkedMessage(*same, message.ttl, message.copies, message.deaths)
    return SpilledMessage(*same)


def copied(message: Message) -> Message:
    """The same message once more, which the log may keep in another place."""
    same = message.exchange, message.routing_key, message.properties, message.body
    if isinstance(message, MarkedMessage):
        return MarkedMessage(*same, message.ttl, message.copies, message.deaths)
    return Message(*same)


class Death:
    """One row of `x-death`: how often a message was dead-lettered by one queue for one reason.

    All but `count` describe the first such death (RabbitMQ's `mc:record_death`).
    """

    __slots__ = (
        "count",
        "exchange",
        "original_expiration",
        "queue",
        "reason",
        "routing_keys",
        "time",
    )

    def __init__(  # noqa: PLR0913 -- one parameter per field of the table
        self,
        queue: str,
        reason: str,
        exchange: str,
        routing_keys: tuple[str, ...],
        time: int | None,
        original_expiration: str | None = None,
        count: int = 1,
    ) -> None:
        self.queue = queue
        self.reason = reason
        self.exchange = exchange
        self.routing_keys = routing_keys
        self.time = time
        """Milliseconds since the epoch, and the header shows whole seconds; None where a client
        wrote the row and left it out."""
        self.original_expiration = original_expiration
        self.count = count

    def again(self) -> Death:
        """The same death once more. A new row, for others may share this one."""
        return Death(
            self.queue,
            self.reason,
            self.exchange,
            self.routing_keys,
            self.time,
            self.original_expiration,
            self.count + 1,
        )
