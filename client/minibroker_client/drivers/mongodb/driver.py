"""The driver for MongoDB: pymongo's client. Thread-safe, as that is.

A batch is leased by one `update_many`, which gives it a token of its own, and read by that token
afterwards. Deadlines are those of the server's clock, as far as it tells it.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...remote.driver import MIB, DriverError, Facts, Features, Leased, Outgoing, Put, QueueInfo
from ...remote.kombu import is_asked_for
from ...remote.kombu_facts import KombuFacts
from ...remote.transport import RemoteTransport, needed
from .clock import ServerClock
from .documents import Form, OwnForm
from .facts import MongoFacts
from .kombu_envelope import KombuForm, RoutingTable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...transport.base import Address

__all__ = ["FEATURES", "MongoDriver", "transport"]

FEATURES = Features(
    priority=True,
    strict_order=True,
    max_message_size=16 * MIB - 65536,  # a document, less the properties
    batch=100,
    refresh=1.0,
)
USUAL = {False: "minibroker", True: "kombu_default"}
"""The database where the URL says none: that of this client, and that of Kombu."""
# In an envelope a body is base64.
SHARED_FEATURES = replace(FEATURES, max_message_size=12 * MIB - 65536)


class MongoDriver:
    """One client of a MongoDB server or cluster."""

    features = FEATURES

    def __init__(self, address: Address) -> None:
        """The virtual host is the database.

        Options: `lease`, `prefix` of the collections, `envelope`; with that also Kombu's
        `messages_collection` and `routing_collection`.
        """
        is_shared = is_asked_for(address.options)
        pymongo = needed("pymongo", "mongodb")
        self.errors = needed("pymongo.errors", "mongodb")
        self.lease_seconds = float(address.options.get("lease", 30))
        milliseconds = int((address.connect_timeout or 30) * 1000)
        try:
            self.client = pymongo.MongoClient(
                _url(address),
                # The client's own options say how often to try again.
                retryWrites=False,
                retryReads=False,
                serverSelectionTimeoutMS=milliseconds,
                connectTimeoutMS=milliseconds,
                tz_aware=True,
            )
        except (self.errors.PyMongoError, ValueError) as error:
            raise ValueError(f"mongodb:// {error}") from error
        self.clock = ServerClock()
        self.form: Form = KombuForm(self.clock) if is_shared else OwnForm(self.clock)
        database = self.client[address.virtual_host.strip("/") or USUAL[is_shared]]
        prefix = str(address.options.get("prefix", "minibroker"))
        self.messages = database[f"{prefix}_messages"]
        self.facts: Facts = MongoFacts(self._ask, database[f"{prefix}_facts"], self.errors)
        if is_shared:
            self._share(database, prefix, address.options)
        try:
            self._ask(self.clock.ask, self.client)
        except BaseException:
            self.client.close()
            raise

    def _share(self, database: Any, prefix: str, options: Mapping[str, Any]) -> None:
        """Use Kombu's collections."""
        self.features = SHARED_FEATURES
        self.messages = database[str(options.get("messages_collection", "messages"))]
        routing = database[str(options.get("routing_collection", "messages.routing"))]
        facts = MongoFacts(self._ask, database[f"{prefix}_kombu_facts"], self.errors)
        self.facts = KombuFacts(facts, RoutingTable(self._ask, routing))

    def _ask(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except self.errors.PyMongoError as error:
            raise DriverError(f"MongoDB: {error}") from error

    # -- queues

    def know(self, queue: QueueInfo) -> None:
        """Remember what its documents depend on."""
        self.form.know(queue)

    def declare(self, queue: QueueInfo) -> None:
        """See that there is an index for leasing, and one for reading a batch."""
        for name, fields in self.form.indexes.items():
            self._ask(self.messages.create_index, fields, name=name)

    def delete(self, queue: str) -> None:
        """Delete its messages."""
        self._ask(self.messages.delete_many, self.form.all(queue))

    def size(self, queue: str) -> int:
        """How many are ready."""
        return int(self._ask(self.messages.count_documents, self._ready(queue)))

    def _ready(self, queue: str) -> dict[str, Any]:
        over = self.form.over(queue)
        if over is not None:
            self._ask(self.messages.update_many, *over)
        return self.form.ready(queue)

    def purge(self, queue: str) -> int:
        """Delete what is ready."""
        return int(self._ask(self.messages.delete_many, self._ready(queue)).deleted_count)

    # -- messages

    def put(self, batch: Sequence[Outgoing]) -> Put:
        """Insert them."""
        documents = self.form.documents(batch)
        if len(documents) == 1:
            self._ask(self.messages.insert_one, documents[0])
        else:
            self._ask(self.messages.insert_many, documents, ordered=True)
        return Put()

    def lease(self, wanted: Sequence[tuple[str, int]], wait: float) -> list[Leased]:
        """Lease what is ready; it does not wait."""
        leased: list[Leased] = []
        for queue, most in wanted:
            leased += self._lease_one(queue) if most == 1 else self._lease_some(queue, most)
        return leased

    def _lease_one(self, queue: str) -> list[Leased]:
        found = self._ask(
            self.messages.find_one_and_update,
            self._ready(queue),
            self._taking(queue, secrets.token_hex(8)),
            sort=self.form.order,
            return_document=True,
        )
        return [] if found is None else [self.form.leased(queue, found)]

    def _taking(self, queue: str, token: str) -> dict[str, Any]:
        until = self.clock.now() + int(self.lease_seconds * 1000)
        return self.form.taking(queue, token, until)

    def _lease_some(self, queue: str, most: int) -> list[Leased]:
        """Look which are first, lease those that still are ready, and read them."""
        ready = self._ready(queue)
        first = self._ask(
            lambda: list(self.messages.find(ready, {"_id": 1}, sort=self.form.order, limit=most))
        )
        if not first:
            return []
        token = secrets.token_hex(8)
        places = {each["_id"]: place for place, each in enumerate(first)}
        still = {**ready, "_id": {"$in": list(places)}}
        self._ask(self.messages.update_many, still, self._taking(queue, token))
        found = self._ask(lambda: list(self.messages.find({"token": token})))
        found.sort(key=lambda each: places[each["_id"]])
        return [self.form.leased(queue, each) for each in found]

    def ack(self, leases: Sequence[Leased]) -> list[Leased]:
        """Delete those that still have their tokens."""
        lost: list[Leased] = []
        for meant, mine in _by_token(leases):
            deleted = self._ask(self.messages.delete_many, meant).deleted_count
            if deleted < len(mine):
                lost += self._others(mine, len(mine) - deleted)
        return lost

    def _others(self, mine: list[Leased], missing: int) -> list[Leased]:
        """Those of another owner; where some are gone altogether, it is not known which."""
        ids = [each.token[0] for each in mine]
        there = self._ids({"_id": {"$in": ids}})
        first = [each for each in mine if each.token[0] in there]
        return [*first, *(each for each in mine if each.token[0] not in there)][:missing]

    def _ids(self, meant: dict[str, Any]) -> set[str]:
        found = self._ask(lambda: list(self.messages.find(meant, {"_id": 1})))
        return {each["_id"] for each in found}

    def nack(self, leases: Sequence[Leased], delay: int = 0) -> None:
        """Let those that still have their tokens be ready now, or later."""
        for meant, mine in _by_token(leases):
            change = self.form.returning(mine[0].queue, delay)
            self._ask(self.messages.update_many, meant, change)

    def renew(self, leases: Sequence[Leased]) -> list[Leased]:
        """Let the leases begin anew of those that still have their tokens."""
        lost: list[Leased] = []
        until = self.clock.now() + int(self.lease_seconds * 1000)
        for meant, mine in _by_token(leases):
            done = self._ask(self.messages.update_many, meant, {"$set": {"until": until}})
            if done.matched_count < len(mine):
                still = self._ids(meant)
                lost += [each for each in mine if each.token[0] not in still]
        return lost

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()


def _by_token(leases: Sequence[Leased]) -> list[tuple[dict[str, Any], list[Leased]]]:
    """What to look for, for each batch that was leased together."""
    grouped: dict[str, list[Leased]] = {}
    for each in leases:
        grouped.setdefault(each.token[1], []).append(each)
    return [
        ({"_id": {"$in": [each.token[0] for each in mine]}, "token": token}, mine)
        for token, mine in grouped.items()
    ]


def _url(address: Address) -> str:
    """The URL as pymongo reads it; the database is not the one to log in at, unless it says so."""
    user = ""
    if address.userid:
        user = quote(address.userid, safe="")
        if address.password:
            user += f":{quote(address.password, safe='')}"
        user += "@"
    port = f":{address.port}" if address.port else ""
    query = f"?{address.query}" if address.query else ""
    tls = "&tls=true" if address.ssl and query else "?tls=true" if address.ssl else ""
    return f"{address.transport}://{user}{address.hostname or 'localhost'}{port}/{query}{tls}"


transport = RemoteTransport(MongoDriver, FEATURES, 27017)
