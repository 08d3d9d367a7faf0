"""How many messages and consumers queues have, asked on a channel that nobody else uses.

Knows neither whose connection that is nor when to ask.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..wire.amqp import spec
from .link import Link

__all__ = ["LOCKED", "Peek"]

LOCKED = 405
"""The queue is another connection's alone."""


class Peek:
    """One channel for passive declares, many at once."""

    def __init__(self, channel: int) -> None:
        self.channel = channel
        self._open = False
        self._asked: list[str] = []
        self.counts: dict[str, tuple[int, int] | None] = {}
        """Ready messages and consumers by queue; None for a queue that is not there."""
        self.locked: list[str] = []
        """The queues that may not be looked at from here."""

    @property
    def busy(self) -> bool:
        """Whether an answer has to come still."""
        return bool(self._asked)

    def reset(self) -> None:
        """The connection is gone, and the answers with it."""
        self._open = False
        self._asked.clear()

    def ask(self, link: Link, queues: Iterable[str]) -> None:
        """Ask for each queue."""
        if not self._open:
            link.send(self.channel, spec.ChannelOpen())
            self._open = True
        for queue in queues:
            self._asked.append(queue)
            link.send(self.channel, spec.QueueDeclare(queue, passive=True))

    def take(self, link: Link, method: spec.MethodRecord) -> None:
        """Take an answer, that of the queue that was asked for first."""
        if isinstance(method, spec.QueueDeclareOk):
            self.counts[self._asked.pop(0)] = (method.message_count, method.consumer_count)
        elif isinstance(method, spec.ChannelClose):
            link.send(self.channel, spec.ChannelCloseOk())
            self._open = False
            queue, *others = self._asked
            self._asked = []
            if method.reply_code == LOCKED:
                self.locked.append(queue)
            else:
                self.counts[queue] = None
            self.ask(link, others)
