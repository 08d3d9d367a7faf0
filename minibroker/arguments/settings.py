"""What a queue was asked to be, parsed, and which arguments each kind of queue has.

Knows neither how the values came about nor what a queue does with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "DELAYED_RETRY_ARGUMENTS",
    "KINDS",
    "KIND_ARGUMENTS",
    "Overflow",
    "QueueKind",
    "QueueSettings",
]

QueueKind: TypeAlias = Literal["classic", "quorum", "stream"]
Overflow: TypeAlias = Literal["drop-head", "reject-publish", "reject-publish-dlx"]
KINDS: tuple[QueueKind, ...] = ("classic", "quorum", "stream")

KIND_ARGUMENTS: dict[QueueKind, tuple[str, ...]] = {
    "classic": (
        "x-expires",
        "x-message-ttl",
        "x-dead-letter-exchange",
        "x-dead-letter-routing-key",
        "x-max-length",
        "x-max-length-bytes",
        "x-max-priority",
        "x-overflow",
        "x-queue-mode",
        "x-queue-version",
        "x-single-active-consumer",
        "x-queue-type",
        "x-queue-master-locator",
        "x-queue-leader-locator",
    ),
    "quorum": (
        "x-dead-letter-exchange",
        "x-dead-letter-routing-key",
        "x-dead-letter-strategy",
        "x-expires",
        "x-max-length",
        "x-max-length-bytes",
        "x-max-in-memory-length",
        "x-max-in-memory-bytes",
        "x-overflow",
        "x-single-active-consumer",
        "x-queue-type",
        "x-quorum-initial-group-size",
        "x-delivery-limit",
        "x-message-ttl",
        "x-queue-leader-locator",
    ),
    "stream": (
        "x-max-length-bytes",
        "x-queue-type",
        "x-max-age",
        "x-stream-max-segment-size-bytes",
        "x-stream-filter-size-bytes",
        "x-initial-cluster-size",
        "x-queue-leader-locator",
    ),
}
"""The arguments that each kind takes, and compares when it is declared again, in RabbitMQ's order
(`capabilities` of its queue types). An argument of another kind is refused, an unknown one is
neither looked at nor compared."""

DELAYED_RETRY_ARGUMENTS = ("x-delayed-retry-type", "x-delayed-retry-min", "x-delayed-retry-max")
"""Taken by quorum queues where the profile has delayed retry; unknown elsewhere."""


@dataclass(slots=True)
class QueueSettings:
    """The arguments of a queue, parsed; once merged with policies, what applies to it.

    Unchanging: a policy makes new settings. None means without limit, or not set. Times are
    milliseconds, sizes are bytes of message bodies.
    """

    kind: QueueKind = "classic"
    message_ttl: int | None = None
    expires: int | None = None
    """How long the queue lives unused (milliseconds, over 0)."""
    max_length: int | None = None
    max_length_bytes: int | None = None
    overflow: Overflow = "drop-head"
    max_priority: int | None = None
    """The highest priority of a classic queue with priorities, 1 to 255; 0 is one level."""
    single_active_consumer: bool = False
    dead_letter_exchange: str | None = None
    dead_letter_routing_key: str | None = None
    dead_letter_strategy: str = "at-most-once"
    """`at-most-once` or `at-least-once`, quorum queues only."""
    delivery_limit: int | None = None
    """How often an entry of a quorum queue may come back; where no argument says, what the profile
    has."""
    consumer_timeout: int | None = None
    """None: what the profile has."""
    max_age: int | None = None
    """How long a stream keeps its entries."""
    delayed_retry_type: str = "disabled"
    """`disabled`, `all`, `failed` or `returned`, quorum queues only."""
    delayed_retry_min: int | None = None
    delayed_retry_max: int | None = None
    name_prefix: str | None = None
    """How the broker begins the name it makes for the queue."""
    given: frozenset[str] = frozenset()
    """Names of the fields above that an argument set, as opposed to a default: a policy asks."""
