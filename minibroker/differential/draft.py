"""A program that is being made: what it has done so far, and what it may speak of next.

Knows no single operation. Names, keys and channels are mostly of what there is.
"""

from __future__ import annotations

from random import Random

from .program import Operation
from .typed import Json
from .values import EXCHANGE_TYPES, KEYS, PATTERNS, chance, pick, weighted

__all__ = ["Draft"]

PAUSE = 50
"""Milliseconds after which everything that expires at once has expired."""


class Draft:
    """The operations of a program, in the making."""

    def __init__(self, random: Random, flavour: str) -> None:
        self.random = random
        self.brief = flavour == "brief"
        """Whether there are queues whose messages live for a millisecond."""
        self.types = {f"~x{n}": pick(random, EXCHANGE_TYPES) for n in range(1, 5)}
        """The type that each exchange mostly has."""
        self.done: list[Operation] = []
        self.receiving: list[tuple[int, int]] = []
        """Channels that have something to settle, perhaps."""
        self.tags: list[tuple[int, int, str]] = []
        """Connection, channel and consumer tag of consumers."""

    def add(self, method: str, where: tuple[int, int] | None = None, **arguments: Json) -> None:
        """Do something that has no content."""
        self.put(method, where, arguments)

    def put(
        self,
        method: str,
        where: tuple[int, int] | None,
        arguments: dict[str, Json],
        **content: Json,
    ) -> None:
        """Do something, on any channel if none is given."""
        connection, channel = where or self.where()
        content.setdefault("more", self.brief)
        self.done.append(Operation(connection, channel, method, arguments, **content))
        if content["more"]:
            self.done.append(Operation(connection, channel, "pause", times=PAUSE))

    def where(self) -> tuple[int, int]:
        """A connection and a channel."""
        connection = weighted(self.random, {0: 6, 1: 3, 2: 1})
        return connection, weighted(self.random, {1: 7, 2: 2, 3: 1})

    def exchange(self, missing: float = 3) -> str:
        """An exchange that there is, with a percentage of those that there are not."""
        if chance(self.random, missing):
            return pick(self.random, ("~missing", "", "amq.none"))
        if chance(self.random, 8):
            return pick(self.random, ("amq.direct", "amq.topic", "amq.fanout", "amq.headers"))
        made = sorted(
            {
                str(each.arguments["exchange"])
                for each in self.done
                if each.method == "exchange.declare" and not each.arguments.get("passive")
            }
        )
        return pick(self.random, made or ["amq.direct", "amq.topic", "amq.headers"])

    def queue(self, missing: float = 3) -> str:
        """A queue that there is, with a percentage of those that there are not."""
        if chance(self.random, missing):
            return pick(self.random, ("~missing", "", "amq.none"))
        if chance(self.random, 4):
            return "<queue-1>"
        made = sorted(
            {str(each.arguments["queue"]) for each in self.done if each.method == "queue.declare"}
            - {""}
        )
        return pick(self.random, made or ["~q1"])

    def flag(self, name: str, percent: float) -> dict[str, Json]:
        """A flag that is set now and then."""
        return {name: True} if chance(self.random, percent) else {}

    def key(self, exchange: str) -> str:
        """A binding key for an exchange."""
        kind = self.types.get(exchange, exchange.removeprefix("amq."))
        if kind == "topic" and chance(self.random, 80):
            return pick(self.random, PATTERNS)
        return pick(self.random, KEYS)

    def busy_channel(self) -> tuple[int, int]:
        """A channel that has something to settle, perhaps."""
        if self.receiving and chance(self.random, 96):
            return pick(self.random, self.receiving[-4:])
        return self.where()
