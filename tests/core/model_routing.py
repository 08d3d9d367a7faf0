"""Exchanges and bindings of the model (26, 36, 40, 41, 47 to 52): one list of bindings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .model_queue import Msg, QueueModel


@dataclass(eq=False)
class ExchangeModel:
    """An exchange."""

    name: str
    type: str
    auto_delete: bool = False
    alternate: str | None = None


class BindingModel(NamedTuple):
    """A binding; equal ones are the same."""

    source: str
    destination: str
    is_queue: bool
    key: str
    arguments: tuple[tuple[str, object], ...]


class RoutingModel:
    """Queues, exchanges, and the ways between them."""

    def __init__(self) -> None:
        self.queues: dict[str, QueueModel] = {}
        self.exchanges = {"": ExchangeModel("", "default")}
        self.bindings: list[BindingModel] = []

    def bind(self, binding: BindingModel) -> None:
        """Bind; again changes nothing."""
        if binding not in self.bindings:
            self.bindings.append(binding)

    def unbind(self, binding: BindingModel) -> None:
        """Unbind, if it is there."""
        if binding in self.bindings:
            self.bindings.remove(binding)
            self._end_unbound({binding.source})

    def unbind_destination(self, name: str, is_queue: bool) -> None:
        """A queue or an exchange is gone."""
        gone = [
            binding
            for binding in self.bindings
            if (binding.destination, binding.is_queue) == (name, is_queue)
        ]
        for binding in gone:
            self.bindings.remove(binding)
        self._end_unbound({binding.source for binding in gone})

    def _end_unbound(self, sources: set[str]) -> None:
        for name in sources:
            exchange = self.exchanges.get(name)
            bound = any(binding.source == name for binding in self.bindings)
            if exchange is not None and exchange.auto_delete and not bound:
                self.delete_exchange(name)

    def delete_exchange(self, name: str) -> None:
        """Delete an exchange with its bindings on both sides."""
        if self.exchanges.pop(name, None) is not None:
            self.bindings = [each for each in self.bindings if each.source != name]
            self.unbind_destination(name, is_queue=False)

    def route(self, exchange: str, msg: Msg, keys: tuple[str, ...]) -> list[QueueModel]:
        """The queues for a message, each once, in the order of the bindings."""
        found: list[QueueModel] = []
        visited = [exchange]
        for name in visited:
            source = self.exchanges[name]
            if source.type == "default":
                hits = [(key, True) for key in keys if key in self.queues]
            else:
                hits = self._hits(source, msg, keys)
            if not hits and source.alternate in self.exchanges:
                hits = [(source.alternate, False)]
            for destination, is_queue in hits:
                if is_queue and self.queues[destination] not in found:
                    found.append(self.queues[destination])
                elif not is_queue and destination not in visited:
                    visited.append(destination)
        return found

    def _hits(
        self, source: ExchangeModel, msg: Msg, keys: tuple[str, ...]
    ) -> list[tuple[str, bool]]:
        own = [binding for binding in self.bindings if binding.source == source.name]
        if source.type == "fanout":
            matching = own
        elif source.type == "headers":
            matching = [binding for binding in own if headers_match(binding, msg.headers)]
        else:
            matching = [
                binding for key in keys for binding in own if _key_matches(source, binding, key)
            ]
        return [(binding.destination, binding.is_queue) for binding in matching]


def _key_matches(source: ExchangeModel, binding: BindingModel, key: str) -> bool:
    if source.type == "topic":
        return topic_matches(_words(binding.key), _words(key))
    return binding.key == key


def _words(key: str) -> list[str]:
    return key.split(".") if key else []


def topic_matches(pattern: list[str], words: list[str]) -> bool:
    """`*` is one word, `#` any number of them (48)."""
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(topic_matches(pattern[1:], words[skipped:]) for skipped in range(len(words) + 1))
    if not words or pattern[0] not in {"*", words[0]}:
        return False
    return topic_matches(pattern[1:], words[1:])


def headers_match(binding: BindingModel, headers: dict[str, object]) -> bool:
    """All or any of the headers that do not begin with `x-` (49)."""
    wanted = dict(binding.arguments)
    mode = wanted.pop("x-match", "all")
    hits = [headers.get(name) == value for name, value in wanted.items()]
    return any(hits) if mode == "any" else all(hits)
