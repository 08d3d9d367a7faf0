"""Facts whose bindings are also written where programs that use Kombu look for them.

Kombu's table of an exchange has a row for each binding: routing key, a regular expression for topic
exchanges, and the queue. Source: kombu 5.7, `kombu.transport.virtual.exchange`, by running it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..serialization import typed_json
from .facts import BindingFact, read_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .driver import Facts

__all__ = ["KombuFacts", "Row", "Table", "pattern_of"]

STANDING = {"amq.direct": "direct", "amq.topic": "topic", "amq.fanout": "fanout"}
"""Exchanges that no fact tells of, and their types."""
KNOWN = frozenset(STANDING.values())
"""The types of exchange that Kombu has, too."""

WILD = {"*": r"[^\.]+", "#": r".*?"}


class Row(NamedTuple):
    """A binding as Kombu keeps it."""

    exchange: str
    routing_key: str
    pattern: str
    """Empty but for topic exchanges."""
    queue: str


class Table(Protocol):
    """Kombu's tables in one system."""

    def bind(self, row: Row) -> None:
        """Add a row, unless it is there."""
        ...

    def unbind(self, row: Row) -> None:
        """Remove a row, if it is there."""
        ...


class KombuFacts:
    """Facts, mirrored into Kombu's table. As thread-safe as these are."""

    def __init__(self, facts: Facts, table: Table) -> None:
        self._facts = facts
        self._table = table
        self._types = dict(STANDING)

    def version(self) -> object:
        """That of the facts."""
        return self._facts.version()

    def load(self) -> dict[str, str]:
        """All facts; what Kombu's programs have bound is not among them."""
        found = self._facts.load()
        for key, value in found.items():
            self._note(key, value)
        return found

    def add(self, key: str, value: str) -> str:
        """Add a fact, and a row for a binding."""
        there = self._facts.add(key, value)
        self._note(key, there)
        for row in self._rows([key]):
            self._table.bind(row)
        return there

    def remove(self, keys: Sequence[str]) -> None:
        """Remove facts, and the rows of bindings."""
        for row in self._rows(keys):
            self._table.unbind(row)
        self._facts.remove(keys)

    def _note(self, key: str, value: str) -> None:
        what = read_key(key)
        if not isinstance(what, BindingFact) and what[0] == "e":
            self._types[what[1]] = str(typed_json.decode(value).get("type"))

    def _rows(self, keys: Iterable[str]) -> list[Row]:
        rows: list[Row] = []
        for key in keys:
            what = read_key(key)
            if not isinstance(what, BindingFact) or what.to_exchange:
                continue
            kind = self._types.get(what.source)
            if kind in KNOWN:
                pattern = pattern_of(what.routing_key) if kind == "topic" else ""
                rows.append(Row(what.source, what.routing_key, pattern, what.destination))
        return rows


def pattern_of(routing_key: str) -> str:
    """The regular expression that Kombu keeps for a binding to a topic exchange.

    It is Kombu's own down to the character, so that a row that Kombu wrote is the same: as there,
    `a.#` does not match `a`.
    """
    words = [WILD.get(word, _escaped(word)) for word in routing_key.split(".")]
    return "^" + r"\.".join(words) + "$"


def _escaped(word: str) -> str:
    return "".join(each if each.isalnum() or each in "#*" else _mark(each) for each in word)


def _mark(character: str) -> str:
    return "\\000" if character == "\0" else "\\" + character
