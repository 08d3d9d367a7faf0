"""Kombu's collection of messages, shared with programs that use Kombu (option `envelope="kombu"`).

A document is the envelope (`payload`), its queue, and its priority, the lowest number first. A
program of Kombu's deletes what it takes; what is leased or delayed here stays, in a queue by a name
that Kombu does not ask for, until it is deleted or gets its own name again.
Source: kombu 5.7, `kombu.transport.mongodb`, by running it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...remote.driver import Leased
from ...remote.fields import foreign
from ...remote.kombu import envelope_in, envelope_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...remote.driver import Outgoing, QueueInfo
    from ...remote.kombu_facts import Row
    from .clock import ServerClock
    from .documents import Fields

__all__ = ["KombuForm", "RoutingTable", "hidden"]

HIDDEN = "minibroker-leased:"
HIGHEST = 9


def hidden(queue: str) -> str:
    """Under which name of a queue a message lies that is leased or delayed."""
    return HIDDEN + queue


class RoutingTable:
    """Kombu's collection of bindings."""

    def __init__(self, ask: Any, collection: Any) -> None:
        """`ask` is the driver's way to call pymongo."""
        self._ask = ask
        self._collection = collection

    def bind(self, row: Row) -> None:
        """Insert it, unless it is there."""
        document = _document_of(row)
        self._ask(self._collection.update_one, document, {"$set": document}, upsert=True)

    def unbind(self, row: Row) -> None:
        """Delete it."""
        self._ask(self._collection.delete_many, _document_of(row))


def _document_of(row: Row) -> dict[str, Any]:
    return {**row._asdict(), "pattern": row.pattern or None}


class KombuForm:
    """Kombu's documents, and what is added while they are leased or delayed."""

    def __init__(self, clock: ServerClock) -> None:
        self.order: Fields = [("priority", 1), ("_id", 1)]
        # Kombu makes one of its own for what it asks for.
        self.indexes: dict[str, Fields] = {
            "minibroker_leasing": [("queue", 1), ("priority", 1), ("until", 1)],
            "minibroker_token": [("token", 1)],
        }
        self._clock = clock

    def know(self, queue: QueueInfo) -> None:
        """Nothing to know: all queues have the same priorities."""

    def documents(self, batch: Sequence[Outgoing]) -> list[dict[str, Any]]:
        """As Kombu makes them; `_id` is what orders them."""
        return [self._document(each) for each in batch]

    def _document(self, outgoing: Outgoing) -> dict[str, Any]:
        priority = min(outgoing.message.properties.priority or 0, HIGHEST)
        document: dict[str, Any] = {
            "payload": envelope_of(outgoing.message, outgoing.expires),
            "queue": outgoing.queue,
            "priority": HIGHEST - priority,
        }
        if outgoing.delay:
            document["queue"] = hidden(outgoing.queue)
            document["until"] = self._clock.now() + outgoing.delay
        return document

    def all(self, queue: str) -> dict[str, Any]:
        """By both names."""
        return {"queue": {"$in": [queue, hidden(queue)]}}

    def ready(self, queue: str) -> dict[str, Any]:
        """What Kombu would take, too."""
        return {"queue": queue}

    def over(self, queue: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """What was leased or delayed until now, and gets its name again."""
        over = {"queue": hidden(queue), "until": {"$lte": self._clock.now()}}
        return over, {"$set": {"queue": queue, "token": ""}}

    def taking(self, queue: str, token: str, until: int) -> dict[str, Any]:
        """Out of Kombu's sight, and counted."""
        taken = {"queue": hidden(queue), "until": until, "token": token}
        return {"$set": taken, "$inc": {"count": 1}}

    def returning(self, queue: str, delay: int) -> dict[str, Any]:
        """Its own name again, or a time at which it gets that."""
        if delay:
            return {"$set": {"until": self._clock.now() + delay, "token": ""}}
        return {"$set": {"queue": queue, "token": ""}}

    def leased(self, queue: str, document: dict[str, Any]) -> Leased:
        """The message of its envelope, or another program's."""
        token = (document["_id"], document["token"])
        count = int(document.get("count", 1)) - 1
        payload = document.get("payload")
        text = payload if isinstance(payload, (str, bytes)) else str(payload)
        found = envelope_in(text, queue)
        if found is None:
            body = text.encode() if isinstance(text, str) else text
            return Leased(queue, token, foreign(body, queue, "text/plain"), count)
        count = max(count, int(found.redelivered))
        return Leased(queue, token, found.message, count, found.expires)
