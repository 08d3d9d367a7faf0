"""Direct reply-to: an address that leads straight to one channel, without a queue that stores.

Knows nothing of exchanges: the default exchange asks for an address it does not find among the
queues. Source: RabbitMQ documentation, "Direct Reply-To".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .arguments import QueueDeclaration, QueueSettings
from .queues.base import BaseQueue
from .queues.entry import Entry

if TYPE_CHECKING:
    from .arguments import QueueKind
    from .message import Message
    from .queues.base import Surroundings
    from .queues.consumers import Consumer

__all__ = ["PSEUDO_QUEUE", "ReplyQueue"]

PSEUDO_QUEUE = "amq.rabbitmq.reply-to"
"""What a requester consumes from, and writes into `reply_to`."""


class ReplyQueue(BaseQueue):
    """The address of one channel, alive as long as its consumer; it stores nothing."""

    __slots__ = ()

    kind: ClassVar[QueueKind] = "classic"
    keeps: ClassVar[bool] = False

    def __init__(self, token: str, world: Surroundings) -> None:
        name = f"{PSEUDO_QUEUE}.{token}"
        super().__init__(QueueDeclaration(name, exclusive=True), QueueSettings(), world)
        self.ledger = None  # what is never kept is never counted

    def push(self, message: Message) -> bool:
        """Hand a reply over at once."""
        if self.waiting:
            channel = self.waiting[0].channel
            self.deal(Entry(self, message, 0))
            channel.last_tag -= 1  # replies carry the next tag, and do not use it up
        return True

    def pump(self, resumed: Consumer | None = None) -> None:
        """Nothing is ever ready."""

    def get(self) -> Entry | None:
        """Nothing is ever ready."""
        return None

    def requeue(self, entries: list[Entry], cause: str) -> None:
        """Replies are not acked, so none can come back."""

    def purge(self) -> int:
        """Nothing is ever ready."""
        return 0

    @property
    def message_count(self) -> int:
        """Nothing is ever ready."""
        return 0

    def reconfigure(self, settings: QueueSettings) -> None:
        """No policy applies to an address."""
