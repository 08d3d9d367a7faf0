"""A message's place in one queue. Knows nothing of the rules that move it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..message import Message
    from .base import BaseQueue
    from .consumers import Consumer

__all__ = ["Entry", "KeptEntry"]


class Entry:
    """A message's place in one queue, and once it is handed out, a delivery.

    The message is shared between queues; the place is not. An entry that was handed out does not
    change any more: requeueing makes a new one at the same place, so a delivery that its consumer
    has not looked at yet stays what it was. `consumer` (None for `get`) and `tag` are set when it
    is handed out.
    """

    __slots__ = ("consumer", "message", "queue", "seq", "tag")

    consumer: Consumer | None
    tag: int

    redelivered: bool = False
    """Whether it had been handed out before."""
    expires: int | None = None
    """Milliseconds since the epoch at which it expires when it is ready then."""
    deliveries: int = 0
    """How often it came back after it was handed out (counted by quorum queues)."""

    def __init__(self, queue: BaseQueue, message: Message, seq: int) -> None:
        self.queue = queue
        self.message = message
        self.seq = seq

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.seq} of queue {self.queue.name!r}: {self.message!r}>"


class KeptEntry(Entry):
    """An entry that expires, or was handed out before: what most entries never need to say."""

    __slots__ = ("deliveries", "expires", "redelivered")

    def __init__(
        self,
        queue: BaseQueue,
        message: Message,
        seq: int,
        expires: int | None = None,
        redelivered: bool = False,
        deliveries: int = 0,
    ) -> None:
        super().__init__(queue, message, seq)
        self.expires = expires
        self.redelivered = redelivered
        self.deliveries = deliveries
