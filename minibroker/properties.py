"""The basic properties of a message, decoded. Knows nothing of their encoding.

Source: AMQP 0-9-1 section 1.8.1 (properties of class basic).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from .fields import FarTimestamp, Table

__all__ = ["FIELDS", "PERSISTENT", "PLAIN", "Properties"]

FIELDS = (
    "content_type",
    "content_encoding",
    "headers",
    "delivery_mode",
    "priority",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "timestamp",
    "type",
    "user_id",
    "app_id",
)
PERSISTENT = 2
USUAL_MODES = frozenset({None, 1, PERSISTENT})


class Properties:
    """The basic properties of a message; `None` means that a property is absent.

    Unchanging once a message carries it: a broker shares one instance between queues and
    consumers, and a publisher may share one between messages.

    `expiration` is a decimal string of milliseconds, `delivery_mode` 1 (transient) or 2
    (persistent), `timestamp` an aware datetime in whole seconds, or a `FarTimestamp`, `headers` a
    field table.
    """

    __slots__ = (*FIELDS, "encoded", "inspect", "packed")

    encoded: bytes | None
    """The properties as AMQP carries them, once somebody needed that."""
    packed: bytes | None
    """The same for the native protocol."""

    def __init__(  # noqa: PLR0913 -- one parameter per property of AMQP's class basic
        self,
        content_type: str | None = None,
        content_encoding: str | None = None,
        headers: Table | None = None,
        delivery_mode: int | None = None,
        priority: int | None = None,
        correlation_id: str | None = None,
        reply_to: str | None = None,
        expiration: str | None = None,
        message_id: str | None = None,
        timestamp: datetime | FarTimestamp | None = None,
        type: str | None = None,  # noqa: A002 -- the name of the property in AMQP
        user_id: str | None = None,
        app_id: str | None = None,
    ) -> None:
        self.content_type = content_type
        self.content_encoding = content_encoding
        self.headers = headers
        self.delivery_mode = delivery_mode
        self.priority = priority
        self.correlation_id = correlation_id
        self.reply_to = reply_to
        self.expiration = expiration
        self.message_id = message_id
        self.timestamp = timestamp
        self.type = type
        self.user_id = user_id
        self.app_id = app_id
        self.encoded = None
        self.packed = None
        # Publishing reads only this of a plain message: none of the properties that a rule of
        # the broker depends on is there.
        self.inspect = bool(
            headers
            or reply_to is not None
            or expiration is not None
            or user_id is not None
            or delivery_mode not in USUAL_MODES
        )

    @property
    def persistent(self) -> bool:
        """Whether `delivery_mode` asks for the message to outlive the broker."""
        return self.delivery_mode == PERSISTENT

    def replace(self, **changes: object) -> Properties:
        """A copy with some properties changed."""
        values: dict[str, object] = {name: getattr(self, name) for name in FIELDS}
        values.update(changes)
        return Properties(**values)  # type: ignore[arg-type]  # the names are FIELDS

    def as_dict(self) -> dict[str, object]:
        """The properties that are present, by name."""
        present: dict[str, object] = {}
        for name in FIELDS:
            value = getattr(self, name)
            if value is not None:
                present[name] = value
        return present

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Properties) and self.as_dict() == other.as_dict()

    __hash__ = None  # type: ignore[assignment]  # compared by value, and headers are a dict

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self.as_dict().items())
        return f"Properties({inside})"


PLAIN = Properties()
"""No property at all: what a publish without properties carries."""
