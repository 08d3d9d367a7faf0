"""A queue as a client asked for it. Knows no rule about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .texts import resource

if TYPE_CHECKING:
    from ..fields import Table

__all__ = ["QueueDeclaration"]


@dataclass(slots=True, eq=False)
class QueueDeclaration:
    """The fields of `queue.declare`, and where. Unchanging; the arguments are not copied."""

    name: str
    durable: bool = False
    exclusive: bool = False
    auto_delete: bool = False
    arguments: Table = field(default_factory=dict)
    vhost: str = "/"
    server_named: bool = False
    """Whether the broker made the name: the client's was empty."""

    @property
    def lasting(self) -> bool:
        """Whether the queue outlives the broker: an exclusive one does not, durable or not."""
        return self.durable and not self.exclusive

    def __str__(self) -> str:
        return resource("queue", self.name, self.vhost)
