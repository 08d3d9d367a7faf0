"""The values that pass between the client and a transport. Knows no transport and no broker.

A transport hands out records of its own that have these fields; none of them is ever changed, as
one may be in the hands of many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = [
    "Arguments",
    "Carried",
    "Declared",
    "Delivery",
    "Fetched",
    "PropertyValues",
    "Returned",
    "Subscription",
]

Arguments: TypeAlias = "Mapping[str, Any] | None"
"""An AMQP field table: the `arguments` of a declaration, a binding or a consumer."""


class PropertyValues(Protocol):
    """The basic properties of a message, None where one is absent. Shared: never changed.

    `expiration` is a decimal string of milliseconds, `timestamp` an aware datetime, or
    seconds since 1970 after the end of the year 9999.
    Source: AMQP 0-9-1 section 1.8.1.
    """

    @property
    def content_type(self) -> str | None:
        """MIME type of the body."""
        ...

    @property
    def content_encoding(self) -> str | None:
        """Character set of the body, or "binary"."""
        ...

    @property
    def headers(self) -> Mapping[str, Any] | None:
        """The headers table."""
        ...

    @property
    def delivery_mode(self) -> int | None:
        """1: transient, 2: persistent."""
        ...

    @property
    def priority(self) -> int | None:
        """0 to 255, higher first."""
        ...

    @property
    def correlation_id(self) -> str | None:
        """What a reply answers."""
        ...

    @property
    def reply_to(self) -> str | None:
        """Where a reply goes."""
        ...

    @property
    def expiration(self) -> str | None:
        """Time to live, a decimal string of milliseconds."""
        ...

    @property
    def message_id(self) -> str | None:
        """The application's id."""
        ...

    @property
    def timestamp(self) -> datetime | int | None:
        """When it was made, aware, in whole seconds."""
        ...

    @property
    def type(self) -> str | None:
        """The application's type."""
        ...

    @property
    def user_id(self) -> str | None:
        """Who published it, checked by the broker."""
        ...

    @property
    def app_id(self) -> str | None:
        """Which application published it."""
        ...


class Carried(Protocol):
    """What was published: shared by all who receive it, never changed."""

    @property
    def exchange(self) -> str:
        """Where it was published."""
        ...

    @property
    def routing_key(self) -> str:
        """With which key."""
        ...

    @property
    def properties(self) -> PropertyValues:
        """Its properties."""
        ...

    @property
    def body(self) -> bytes:
        """As it travelled: maybe compressed."""
        ...


class Subscription(Protocol):
    """The consumer that a delivery came to."""

    @property
    def tag(self) -> str:
        """The consumer tag."""
        ...


class Delivery(Protocol):
    """A message handed out on a channel, to be settled by its `tag`.

    `consumer` is None for one fetched with `get`. In this shape a transport in the same process can
    hand out its own record, and the client builds nothing per message but its `Message`.
    """

    @property
    def tag(self) -> int:
        """What it is settled by on its channel."""
        ...

    @property
    def redelivered(self) -> bool:
        """Whether it was handed out before."""
        ...

    @property
    def message(self) -> Carried:
        """What was published."""
        ...

    @property
    def consumer(self) -> Subscription | None:
        """Whose it is, None for `get`."""
        ...


class Declared(NamedTuple):
    """The answer to `declare_queue`: Kombu users unpack it."""

    queue: str
    message_count: int
    consumer_count: int


class Fetched(NamedTuple):
    """The answer to `get`: a delivery, and how many ready messages were left."""

    delivery: Delivery
    message_count: int


class Returned(NamedTuple):
    """A mandatory message that no queue took (`basic.return`)."""

    message: Carried
    reply_code: int
    reply_text: str
