"""How many queues, exchanges and connections there may be. Knows none of them: it gets numbers.

Source: RabbitMQ documentation, "Virtual Hosts" and "Limits"; SEMANTICS 46.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits", "reached"]


@dataclass(slots=True)
class Limits:
    """How many there may be in a virtual host, or in the whole broker; None for any number."""

    queues: int | None = None
    exchanges: int | None = None
    connections: int | None = None


def reached(limit: int | None, count: int) -> bool:
    """Whether there may be no more than the `count` there are."""
    return limit is not None and count >= limit
