"""Declares, binds, purges and deletes, for programs. Knows nothing of messages."""

from __future__ import annotations

from .draft import Draft
from .queues import QueueMaker
from .typed import Json
from .values import KEYS, bind_arguments, chance, pick, weighted

__all__ = ["Topology"]


class Topology:
    """Adds operations on queues and exchanges to a draft."""

    def __init__(self, draft: Draft, queues: QueueMaker) -> None:
        self.draft = draft
        self._queues = queues

    def queue_declare(self) -> None:
        """Declare a queue."""
        self.draft.put("queue.declare", None, self._queues.declare())

    def exchange_declare(self) -> None:
        """Declare an exchange."""
        random = self.draft.random
        name = pick(random, sorted(self.draft.types))
        kind = self.draft.types[name]
        fields: dict[str, Json] = {"exchange": name, "type": kind}
        if chance(random, 4):
            fields["type"] = weighted(random, {"direct": 5, "fanout": 5, "nonsense": 1, "": 1})
        if chance(random, 4):
            fields["exchange"] = pick(
                random, ("", "amq.mine", "amq.direct", "amq.topic", "~a\r\nb", "~missing")
            )
        fields |= self.draft.flag("durable", 40) | self.draft.flag("auto_delete", 8)
        fields |= (
            self.draft.flag("internal", 6)
            | self.draft.flag("passive", 8)
            | self.draft.flag("nowait", 6)
        )
        if chance(random, 12):
            target = weighted(random, {"~x4": 5, "~x3": 3, "~missing": 1, "amq.fanout": 1, "": 1})
            value = ["S", target] if chance(random, 90) else ["I", 1]
            fields["arguments"] = [["alternate-exchange", value]]
        self.draft.put("exchange.declare", None, fields)

    def queue_bind(self) -> None:
        """Bind a queue."""
        exchange = self.draft.exchange()
        fields: dict[str, Json] = {"queue": self.draft.queue(), "exchange": exchange}
        self._bind("queue.bind", exchange, fields)

    def exchange_bind(self) -> None:
        """Bind an exchange."""
        source, destination = self.draft.exchange(), self.draft.exchange()
        if destination.startswith("amq."):
            destination = "~x1"
        self._bind("exchange.bind", source, {"destination": destination, "source": source})

    def _bind(self, method: str, source: str, fields: dict[str, Json]) -> None:
        key = self.draft.key(source)
        fields |= {"routing_key": key} if key else {}
        fields |= self.draft.flag("nowait", 6)
        if self.draft.types.get(source) == "headers" or chance(self.draft.random, 8):
            fields["arguments"] = bind_arguments(self.draft.random)
        self.draft.put(method, None, fields)

    def unbind(self) -> None:
        """Take back a binding, or one like it."""
        bound = [each for each in self.draft.done if each.method in {"queue.bind", "exchange.bind"}]
        if not bound:
            return
        model = pick(self.draft.random, bound)
        fields = {**model.arguments}
        if chance(self.draft.random, 15):
            fields["routing_key"] = pick(self.draft.random, KEYS)
        if model.method == "queue.bind":
            fields.pop("nowait", None)
        self.draft.put(model.method.replace("bind", "unbind"), None, fields)

    def purge(self) -> None:
        """Purge a queue."""
        self.draft.put(
            "queue.purge", None, {"queue": self.draft.queue()} | self.draft.flag("nowait", 8)
        )

    def queue_delete(self) -> None:
        """Delete a queue."""
        fields = {"queue": self.draft.queue()} | self.draft.flag("nowait", 8)
        self.draft.put(
            "queue.delete",
            None,
            fields | self.draft.flag("if_unused", 30) | self.draft.flag("if_empty", 30),
        )

    def exchange_delete(self) -> None:
        """Delete an exchange."""
        fields = {"exchange": self.draft.exchange()} | self.draft.flag("nowait", 8)
        self.draft.put("exchange.delete", None, fields | self.draft.flag("if_unused", 35))
