"""How many queues, exchanges and connections there may be, and what is said to one too many.

Knows nothing of declaring or connecting. Source: RabbitMQ documentation, "Virtual Hosts" and
"Per-User Limits"; RabbitMQ's `rabbit_queue_type`, `rabbit_exchange` and `rabbit_reader` for the
texts (46). RabbitMQ's cluster and node are the whole broker here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import NotAllowed, PreconditionFailed

if TYPE_CHECKING:
    from .vhost import VHost

__all__ = ["Limits", "check_connection_limits", "check_exchange_limits", "check_queue_limits"]


@dataclass(slots=True)
class Limits:
    """How many there may be in a virtual host, or in the whole broker; None for any number."""

    queues: int | None = None
    exchanges: int | None = None
    connections: int | None = None


def check_queue_limits(vhost: VHost, name: str) -> None:
    """Refuse to make one more queue. Raises PreconditionFailed. O(virtual hosts)."""
    everywhere = sum(len(each.queues) for each in vhost.host.vhosts.values())
    for limit, count, where in (
        (vhost.limits.queues, len(vhost.queues), f"vhost '{vhost.name}'"),
        (vhost.host.limits.queues, everywhere, "cluster"),
    ):
        if _reached(limit, count):
            raise PreconditionFailed(
                f"cannot declare queue '{name}': queue limit in {where} ({limit}) is reached"
            )


def check_exchange_limits(vhost: VHost, name: str) -> None:
    """Refuse to make one more exchange. Raises PreconditionFailed. O(virtual hosts)."""
    everywhere = sum(len(each.exchanges) for each in vhost.host.vhosts.values())
    for limit, count in (
        (vhost.limits.exchanges, len(vhost.exchanges)),
        (vhost.host.limits.exchanges, everywhere),
    ):
        if _reached(limit, count):
            raise PreconditionFailed(
                f"cannot declare exchange '{name}' in vhost '{vhost.name}': "
                f"exchange limit of {limit} is reached"
            )


def check_connection_limits(vhost: VHost, user: str, own: int | None) -> None:
    """Refuse to open one more connection; `own` is the user's limit, None for any number.

    Raises NotAllowed. O(virtual hosts), with a limit for the user O(connections).
    """
    vhosts = vhost.host.vhosts.values()
    limit = vhost.host.limits.connections
    if _reached(limit, sum(len(each.connections) for each in vhosts)):
        raise NotAllowed(f"connection refused: node connection limit ({limit}) is reached")
    limit = vhost.limits.connections
    if _reached(limit, len(vhost.connections)):
        raise NotAllowed(
            f"access to vhost '{vhost.name}' refused for user '{user}': "
            f"connection limit ({limit}) is reached"
        )
    if own is None:
        return  # before counting: opening one must not look at all others
    if _reached(own, sum(each.user == user for other in vhosts for each in other.connections)):
        raise NotAllowed(
            f"connection refused for user '{user}': user connection limit ({own}) is reached"
        )


def _reached(limit: int | None, count: int) -> bool:
    return limit is not None and count >= limit
