"""The memory alarm: counts what the queues hold, and says when that is too much.

Knows nothing of connections or of what follows from it. Source: RabbitMQ documentation, "Memory
and Disk Alarms".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .message import Message
    from .queues.entry import Entry

__all__ = ["ENTRY_BYTES", "Alarm"]

ENTRY_BYTES = 400
"""What an entry counts besides its body: message, properties, place (measured by the bench)."""


class Alarm:
    """Bytes held by all queues of a broker, against a limit.

    A body counts once, in however many queues it lies. The alarm goes off above `limit`, and is
    over at or below it; `changed` is called with the new state. Raises ValueError for a limit
    below 0.
    """

    __slots__ = ("changed", "limit", "on", "places", "used")

    def __init__(self, limit: int, changed: Callable[[bool], None]) -> None:
        if limit < 0:
            raise ValueError(f"memory_limit must not be negative: {limit}")
        self.limit = limit
        self.changed = changed
        self.used = 0
        self.on = False
        self.places: dict[Message, int] = {}
        """In how many queues each message lies, by identity."""

    def entered(self, entry: Entry) -> None:
        """A queue took an entry."""
        message = entry.message
        places = self.places.get(message, 0)
        self.places[message] = places + 1
        self.used += ENTRY_BYTES + (0 if places else len(message.body))
        if not self.on and self.used > self.limit:
            self.on = True
            self.changed(True)

    def handed(self, entry: Entry) -> None:
        """A consumer has it; it still takes its room."""

    def left(self, entry: Entry) -> None:
        """A queue is done with an entry."""
        message = entry.queue.original(entry)
        places = self.places[message] - 1
        if places:
            self.places[message] = places
        else:
            del self.places[message]
        self.used -= ENTRY_BYTES + (0 if places else len(message.body))
        if self.on and self.used <= self.limit:
            self.on = False
            self.changed(False)

    def _check(self) -> None:
        bodies = sum(len(message.body) for message in self.places)
        assert self.used == bodies + ENTRY_BYTES * sum(self.places.values()), "the count is off"
        assert self.on == (self.used > self.limit), "the alarm is wrong"
