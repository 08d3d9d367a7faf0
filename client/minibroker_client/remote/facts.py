"""What is declared, as facts that a system keeps: a key, which says what it is about, and a value.

An exchange is `e` and its name, a queue `q` and its name, a binding `b` and all that it is. Keys
are JSON, so that any name can be told from any other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ..serialization import typed_json

if TYPE_CHECKING:
    from minibroker.arguments import QueueDeclaration
    from minibroker.exchanges import Exchange, ExchangeDeclaration

__all__ = [
    "BindingFact",
    "binding_key",
    "describe_exchange",
    "describe_queue",
    "key_of",
    "read_key",
]

FLAGS = ("durable", "auto_delete", "exclusive", "internal")


class BindingFact(NamedTuple):
    """A binding, by names."""

    source: str
    to_exchange: bool
    destination: str
    routing_key: str
    arguments: dict[str, Any]


def key_of(kind: str, name: str) -> str:
    """The key of an exchange (`e`) or queue (`q`)."""
    return json.dumps([kind, name], ensure_ascii=False, separators=(",", ":"))


def binding_key(fact: BindingFact) -> str:
    """The key of a binding: the same for what AMQP takes for the same."""
    return typed_json.encode(["b", *fact[:4], _ordered(fact.arguments)])


@lru_cache(maxsize=4096)
def read_key(key: str) -> tuple[str, str] | BindingFact:
    """What a key is about: kind and name, or a binding. `ValueError` for another one."""
    found = typed_json.decode(key)
    if isinstance(found, list) and len(found) == 6 and found[0] == "b":
        return BindingFact(*found[1:])
    if isinstance(found, list) and len(found) == 2 and found[0] in {"e", "q"}:
        return found[0], found[1]
    raise ValueError(f"{key!r} is no fact of this version")


def describe_exchange(exchange: Exchange | ExchangeDeclaration) -> str:
    """The value of an exchange."""
    flags = {"durable": exchange.durable, "auto_delete": exchange.auto_delete,
             "internal": exchange.internal}  # fmt: skip
    return _described({"type": exchange.type}, flags, exchange.arguments)


def describe_queue(declaration: QueueDeclaration, owner: str) -> str:
    """The value of a queue; `owner` says whose exclusive queue it is."""
    flags = {"durable": declaration.durable, "auto_delete": declaration.auto_delete,
             "exclusive": declaration.exclusive}  # fmt: skip
    said = {"owner": owner} if declaration.exclusive else {}
    return _described(said, flags, declaration.arguments)


def _described(said: dict[str, Any], flags: dict[str, bool], arguments: Mapping[str, Any]) -> str:
    # Short, for systems that keep little; and in one order, as values are compared.
    said |= {flag: True for flag, value in flags.items() if value}
    if arguments:
        said["arguments"] = _ordered(arguments)
    return typed_json.encode(said)


def _ordered(value: Any) -> Any:
    """The same with all tables in it, however deep, in the order of their names."""
    if isinstance(value, Mapping):
        return {name: _ordered(each) for name, each in sorted(value.items())}
    if isinstance(value, list | tuple):
        return [_ordered(each) for each in value]
    return value
