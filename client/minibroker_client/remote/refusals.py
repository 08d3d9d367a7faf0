"""What a system cannot do honestly, in the words that its user reads. Knows no system."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .driver import Features

__all__ = ["check_consumer", "check_queue"]

REFUSED = {
    "x-max-length": "a limit on a queue's length",
    "x-max-length-bytes": "a limit on a queue's length",
    "x-overflow": "a limit on a queue's length",
    "x-single-active-consumer": "a single active consumer",
    "x-expires": "a queue that expires",
}
"""Arguments that would need one place that sees all that happens in a queue."""
DIRECT_REPLY = "amq.rabbitmq.reply-to"


def check_queue(
    name: str, kinds: tuple[bool, bool], arguments: Mapping[str, Any], features: Features
) -> str | None:
    """Why a queue cannot be declared; `kinds` are exclusive and auto_delete."""
    exclusive, auto_delete = kinds
    for argument, what in REFUSED.items():
        if argument in arguments:
            return f"queue {name!r}: {argument} is not supported here: no place could keep {what}"
    if arguments.get("x-queue-type") == "stream":
        return f"queue {name!r}: streams are not supported here, use a classic queue"
    highest = arguments.get("x-max-priority")
    if isinstance(highest, int) and highest > features.highest_priority:
        most = features.highest_priority
        return f"queue {name!r}: x-max-priority {highest} is not supported here, only up to {most}"
    if "x-delivery-limit" in arguments and not features.delivery_count:
        return f"queue {name!r}: x-delivery-limit is not supported here: deliveries are not counted"
    if auto_delete and not exclusive:
        return (
            f"queue {name!r}: auto_delete is not supported here unless the queue is exclusive, as "
            "nobody sees the last consumer of all connections go"
        )
    return None


def check_consumer(queue: str, exclusive: bool, method: str) -> str | None:
    """Why a consumer cannot be started."""
    if queue == DIRECT_REPLY:
        return f"{method}: direct reply-to is not supported here, declare an exclusive queue"
    if exclusive:
        return f"{method}: an exclusive consumer is not supported here, declare the queue exclusive"
    return None
