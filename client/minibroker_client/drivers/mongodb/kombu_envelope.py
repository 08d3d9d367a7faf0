"""Kombu's collection of messages, shared with programs that use Kombu (option `envelope="kombu"`).

A document is the envelope (`payload`), its queue, and its priority, the lowest number first. A
program of Kombu's deletes what it takes; what is leased or delayed here stays, in a queue by a name
that Kombu does not ask for, until it is deleted or gets its own name again.
Source: kombu 5.7, `kombu.transport.mongodb`, by running it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ...remote.driver import Leased
from ...remote.fields import foreign
from ...remote.kombu import envelope_in, envelope_of
from ...remote.kombu_facts import KombuFacts
from .driver import MongoDriver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...remote.driver import Outgoing
    from ...remote.kombu_facts import Row
    from ...transport.base import Address

__all__ = ["KombuMongoDriver", "RoutingTable", "hidden"]

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


class KombuMongoDriver(MongoDriver):
    """One client of a MongoDB server or cluster whose queues are Kombu's."""

    order: ClassVar[list[tuple[str, int]]] = [("priority", 1), ("_id", 1)]

    def __init__(self, address: Address) -> None:
        """Options besides the driver's: Kombu's `messages_collection` and `routing_collection`."""
        super().__init__(address)
        options = address.options
        database = self._database(address, "kombu_default")
        self.messages = database[str(options.get("messages_collection", "messages"))]
        routing = database[str(options.get("routing_collection", "messages.routing"))]
        facts = self._facts(database, f"{options.get('prefix', 'minibroker')}_kombu")
        self.facts = KombuFacts(facts, RoutingTable(self._ask, routing))

    def _indexes(self) -> list[tuple[str, list[tuple[str, int]]]]:
        # Kombu makes one of its own for what it asks for.
        leasing = [("queue", 1), ("priority", 1), ("until", 1)]
        return [("minibroker_leasing", leasing), ("minibroker_token", [("token", 1)])]

    def delete(self, queue: str) -> None:
        """Delete its messages."""
        self._ask(self.messages.delete_many, {"queue": {"$in": [queue, hidden(queue)]}})

    def _ready(self, queue: str) -> dict[str, Any]:
        """Give back what was leased or delayed until now, and say what is ready then."""
        over = {"queue": hidden(queue), "until": {"$lte": self.clock.now()}}
        self._ask(self.messages.update_many, over, {"$set": {"queue": queue, "token": ""}})
        return {"queue": queue}

    def _taking(self, queue: str, token: str) -> dict[str, Any]:
        change = super()._taking(queue, token)
        change["$set"]["queue"] = hidden(queue)
        return change

    def _returning(self, queue: str, delay: int) -> dict[str, Any]:
        if delay:
            return {"$set": {"until": self.clock.now() + delay, "token": ""}}
        return {"$set": {"queue": queue, "token": ""}}

    def _documents(self, batch: Sequence[Outgoing]) -> list[dict[str, Any]]:
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
            document["until"] = self.clock.now() + outgoing.delay
        return document

    def _leased(self, queue: str, document: dict[str, Any]) -> Leased:
        token = (document["_id"], document["token"])
        count = int(document.get("count", 1)) - 1
        payload = document.get("payload")
        text = payload if isinstance(payload, (str, bytes)) else str(payload)
        found = envelope_in(text, queue)
        if found is None:
            body = text.encode() if isinstance(text, str) else text
            return Leased(queue, token, foreign(body, queue, "text/plain"), count)
        return Leased(queue, token, found.message, max(count, int(found.redelivered)),
                      found.expires)  # fmt: skip
