"""Queues that are Kombu's lists, shared with programs that use Kombu (option `envelope="kombu"`).

What is ready lies in Kombu's lists under Kombu's names, one list for each step of priorities, and 0
comes first. What is leased or delayed lies under keys of this client's own, out of Kombu's sight.
Source: kombu 5.7, `kombu.transport.redis`, by running it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...remote.driver import Leased
from ...remote.fields import foreign
from ...remote.kombu import envelope_in, envelope_of
from .layouts import Layout
from .list_scripts import LISTS

if TYPE_CHECKING:
    from ...remote.driver import Outgoing
    from .kombu_envelope import KombuNames

__all__ = ["ListLayout"]


class ListLayout(Layout):
    """Kombu's lists, and sorted sets of what is leased and delayed."""

    scripts = LISTS
    parts = (":leases", ":delayed", ":bodies", ":seq")

    def __init__(self, queue: str, prefix: str, names: KombuNames) -> None:
        super().__init__(queue, prefix)
        self.names = names
        self.keys = [*names.lists(queue), *self.keys]
        self.counters = []

    def put(self, outgoing: Outgoing) -> tuple[str | None, list[Any]]:
        """LPUSH, or a hash and a sorted set until it is due."""
        text = envelope_of(outgoing.message, outgoing.expires)
        place = self.names.place(outgoing.message.properties.priority)
        if outgoing.delay:
            return "hold", [outgoing.delay, place + 1, text]
        return None, ["LPUSH", self.keys[place], text]

    def leased(self, row: Any, consumer: str) -> Leased:
        """A lease: its id, text, and how often that was handed out."""
        token, text, count = row
        found = envelope_in(text, self.queue)
        if found is None:
            kind = "application/json" if text[:1] in {b"{", b"["} else None
            return Leased(self.queue, (token,), foreign(text, self.queue, kind), count)
        count = max(count, int(found.redelivered))
        return Leased(self.queue, (token,), found.message, count, found.expires)
