"""Expiry in queues that nobody consumes from, such as the steps of a retry ladder.

A message's time to live is looked at when it is leased for a consumer. Where a queue has
`x-message-ttl` and a dead-letter exchange, and no consumer here, connections that consume elsewhere
look at its head now and then instead: they lease it, dead-letter what has expired, and give the
rest back at once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .queue import RemoteQueue

if TYPE_CHECKING:
    from .connection import RemoteConnection

__all__ = ["Sweeper"]

AT_ONCE = 50
SHORTEST, LONGEST = 0.05, 15.0
"""Seconds between two looks at one queue: a quarter of its time to live, but between these."""


class Sweeper:
    """Looks at the queues of one connection, in the thread that drains it."""

    def __init__(self, connection: RemoteConnection) -> None:
        self._connection = connection
        self._next: dict[str, float] = {}

    def sweep(self) -> float:
        """Look at what is due; the seconds until something is due again, at most `LONGEST`."""
        now = time.monotonic()
        soonest = now + LONGEST
        for queue in self._meant():
            due = self._next.setdefault(queue.name, now)
            if due <= now:
                due = self._next[queue.name] = now + self._look(queue)
            soonest = min(soonest, due)
        return soonest - now

    def _meant(self) -> list[RemoteQueue]:
        return [
            queue
            for queue in self._connection.vhost.queues.values()
            if isinstance(queue, RemoteQueue)
            and queue.settings.message_ttl is not None
            and queue.settings.dead_letter_exchange is not None
            and not queue.consumers.all
        ]

    def _look(self, queue: RemoteQueue) -> float:
        """Dead-letter what has expired at the head; the seconds until the next look."""
        connection, most = self._connection, 1
        while True:
            entries = connection.lease([(queue.name, most)], 0.0)
            mine = [entry for entry in entries if entry.queue is queue]
            left = [entry for entry in mine if not queue.given_up(entry)]
            others = [entry for entry in entries if entry.queue is not queue]
            connection.comes_back([*left, *others])
            connection.flush()
            if left or len(mine) < most:
                break
            # More at once, but not at first: what is taken and given back counts as delivered.
            most = min(most * 2, AT_ONCE)
        pause = (queue.settings.message_ttl or 0) / 4000
        first = min((entry.expires for entry in left if entry.expires is not None), default=None)
        if first is not None:  # not before the head expires
            pause = (first - connection.vhost.now()) / 1000
        return min(max(pause, SHORTEST), LONGEST)
