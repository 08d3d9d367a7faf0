"""A message as a document of MongoDB: texts and numbers by name, and the body as bytes.

Nothing depends on `_id` but that it is unique: some servers order and index only other fields.
"""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from ...remote.driver import Leased
from ...remote.fields import TEXTS, foreign, message_of, texts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...remote.driver import Outgoing, QueueInfo
    from .clock import ServerClock

__all__ = ["Fields", "Form", "OwnForm", "document_of", "leased_of"]

Fields = list[tuple[str, int]]
"""Names of fields, and 1 for ascending each."""

OURS = frozenset(
    {"_id", "queue", "seq", "order", "until", "token", "count", "expires", "body", "fields"}
)


def document_of(outgoing: Outgoing, seq: int, highest: int, now: int) -> dict[str, Any]:
    """The document of a message; `order` is lower for a higher priority."""
    document: dict[str, Any] = {
        "_id": secrets.token_hex(12),
        "queue": outgoing.queue,
        "seq": seq,
        "order": -min(outgoing.message.properties.priority or 0, highest),
        "until": now + outgoing.delay if outgoing.delay else 0,
        "token": "",
        "count": 0,
        "body": outgoing.message.body,
        **texts_of(outgoing.message),
    }
    if outgoing.expires is not None:
        document["expires"] = outgoing.expires
    return document


def leased_of(document: dict[str, Any]) -> Leased:
    """A document that was leased; `count` counts this time, too."""
    queue = document["queue"]
    body = document.get("body")
    texts = {
        name: value
        for name, value in document.items()
        if isinstance(value, str) and name not in OURS
    }
    token = (document["_id"], document["token"])
    count = int(document.get("count", 1)) - 1
    expires = document.get("expires")
    if isinstance(body, bytes):
        message = message_of(texts, body, queue)
    else:  # of another program, which may have written text
        text = body if isinstance(body, str) else str(body)
        values = {name: texts[name] for name in TEXTS if name in texts and name != "content_type"}
        message = foreign(text.encode(), queue, texts.get("content_type", "text/plain"), **values)
    return Leased(queue, token, message, count, None if expires is None else int(expires))


class Form(Protocol):
    """How messages lie in a collection. It runs no command itself."""

    order: Fields
    """What is taken first."""
    indexes: dict[str, Fields]

    def know(self, queue: QueueInfo) -> None:
        """A queue is there, or comes."""
        ...

    def documents(self, batch: Sequence[Outgoing]) -> list[dict[str, Any]]:
        """What is inserted for messages, in their order."""
        ...

    def all(self, queue: str) -> dict[str, Any]:
        """What all messages of a queue have."""
        ...

    def ready(self, queue: str) -> dict[str, Any]:
        """What those have that may be leased."""
        ...

    def over(self, queue: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """What those have that became ready by themselves, and the change that makes them so; None
        where that needs none.
        """
        ...

    def taking(self, queue: str, token: str, until: int) -> dict[str, Any]:
        """The change that leases; `until` is when that ends, by the server's clock."""
        ...

    def returning(self, queue: str, delay: int) -> dict[str, Any]:
        """The change that gives back, or only in so many milliseconds."""
        ...

    def leased(self, queue: str, document: dict[str, Any]) -> Leased:
        """What a document says that was leased."""
        ...


class OwnForm:
    """The documents of this module. Thread-safe."""

    def __init__(self, clock: ServerClock) -> None:
        self.order: Fields = [("order", 1), ("seq", 1)]
        self.indexes: dict[str, Fields] = {
            "leasing": [("queue", 1), ("order", 1), ("seq", 1), ("until", 1)],
            "token": [("token", 1)],
        }
        self._clock = clock
        self._highest: dict[str, int] = {}
        self._seq = 0
        self._lock = threading.Lock()

    def know(self, queue: QueueInfo) -> None:
        """Remember the highest priority."""
        self._highest[queue.name] = int(queue.arguments.get("x-max-priority", 0))

    def documents(self, batch: Sequence[Outgoing]) -> list[dict[str, Any]]:
        """With numbers that grow: those of this client's clock."""
        now = self._clock.now()
        with self._lock:
            self._seq = first = max(self._seq, time.time_ns() + self._clock.ahead * 1_000_000)
            self._seq += len(batch)
        return [
            document_of(each, first + place, self._highest.get(each.queue, 0), now)
            for place, each in enumerate(batch)
        ]

    def all(self, queue: str) -> dict[str, Any]:
        """By its name."""
        return {"queue": queue}

    def ready(self, queue: str) -> dict[str, Any]:
        """Those whose time has come."""
        return {"queue": queue, "until": {"$lte": self._clock.now()}}

    def over(self, queue: str) -> None:
        """They are ready as they are."""

    def taking(self, queue: str, token: str, until: int) -> dict[str, Any]:
        """Not ready until then, and counted."""
        return {"$set": {"until": until, "token": token}, "$inc": {"count": 1}}

    def returning(self, queue: str, delay: int) -> dict[str, Any]:
        """Ready."""
        until = self._clock.now() + delay if delay else 0
        return {"$set": {"until": until, "token": ""}}

    def leased(self, queue: str, document: dict[str, Any]) -> Leased:
        """See `leased_of`."""
        return leased_of(document)
