"""The consistent hash exchange. Knows nothing of the other types.

Source: RabbitMQ's plugin `rabbitmq_consistent_hash_exchange`; SEMANTICS 54. The hash itself is
another one, so the queue that a key goes to differs from RabbitMQ's; how many keys move when
queues come and go does not. Jump consistent hash: Lamping and Veach, 2014.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, ClassVar

from ..arguments.texts import erlang_term
from ..errors import PreconditionFailed
from ..fields import type_name
from .exchange import Exchange, canonical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..fields import FieldValue, Table
    from ..message import Message
    from .exchange import Binding, Destination, ExchangeDeclaration, ExchangeSurroundings

__all__ = ["ConsistentHashExchange"]

PROPERTIES = ("correlation_id", "message_id", "timestamp")
INTEGER = re.compile(r"[+-]?[0-9]+")


class ConsistentHashExchange(Exchange):
    """A message goes to one destination, the same for the same hashed value.

    Hashed is the routing key, or the header named by the argument `hash-header`, or the property
    named by `hash-property`. A binding key is a weight: the number of buckets its destination
    gets. A new binding takes over its share of the values and moves no others. Matching is
    O(log total weight); the first one after a change is O(bindings).
    """

    __slots__ = ("_header", "_limits", "_owners", "_property")

    type: ClassVar[str] = "x-consistent-hash"

    def __init__(self, declaration: ExchangeDeclaration, world: ExchangeSurroundings) -> None:
        super().__init__(declaration, world)
        self._header = _text_argument(declaration.arguments, "hash-header")
        self._property = _text_argument(declaration.arguments, "hash-property")
        if self._header is not None and self._property is not None:
            raise PreconditionFailed("hash-header and hash-property are mutually exclusive")
        if self._property is not None and self._property not in PROPERTIES:
            raise PreconditionFailed(f"Unsupported property: {self._property}")
        self.routes_by_key = self._header is None and self._property is None
        self._limits: list[int] = []
        self._owners: list[Destination] = []

    def match(self, message: Message, keys: tuple[str, ...]) -> Sequence[Destination]:
        """The one destination that owns the hashed value's bucket; none without bindings."""
        if not self._limits:
            self._assign_buckets()
        if not self._limits:
            return ()
        bucket = _jump(_hash(self._hashed(message, keys)), self._limits[-1])
        return (self._owners[bisect_right(self._limits, bucket)],)

    def _hashed(self, message: Message, keys: tuple[str, ...]) -> FieldValue:
        if self._header is not None:
            return message.headers.get(self._header)
        if self._property == "correlation_id":
            return message.properties.correlation_id
        if self._property == "message_id":
            return message.properties.message_id
        if self._property == "timestamp":
            return message.properties.timestamp
        return keys[0]

    def _assign_buckets(self) -> None:
        # Only the upper limit of each binding's buckets is kept, so a weight of a million costs
        # no more than one of 1.
        self._limits = list(accumulate(int(binding.routing_key) for binding in self.bindings))
        self._owners = [binding.destination for binding in self.bindings]

    def validate(self, binding: Binding) -> None:
        """Raise `PreconditionFailed` for a binding that this type cannot match."""
        key = binding.routing_key
        if INTEGER.fullmatch(key) is None:
            raise PreconditionFailed(f"The binding key must be an integer: {erlang_term(key)}")
        if int(key) < 1:
            raise PreconditionFailed("The binding key must be greater than 0")

    def _add(self, binding: Binding) -> None:
        self._limits = []

    def _remove(self, binding: Binding) -> None:
        self._limits = []

    def _check(self) -> None:
        super()._check()
        if self._limits:
            assert self._owners == [binding.destination for binding in self.bindings]
            assert self._limits == sorted(set(self._limits))


def _text_argument(arguments: Table, name: str) -> str | None:
    if name not in arguments:
        return None
    value = arguments[name]
    if not isinstance(value, str):
        raise PreconditionFailed(f"invalid arg '{name}': expected longstr, got {type_name(value)}")
    return value


def _hash(value: FieldValue) -> int:
    """64 bits that are the same in every process, which Python's own `hash` is not."""
    text = value if isinstance(value, str) else repr(canonical(value))
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def _jump(key: int, buckets: int) -> int:
    """The bucket of a 64-bit key; adding the n-th bucket moves 1/n of the keys, into it."""
    bucket, following = 0, 0
    while following < buckets:
        bucket = following
        key = (key * 2862933555777941757 + 1) & 0xFFFFFFFFFFFFFFFF
        # 53 bits, as a float holds no more.
        following = int((bucket + 1) * ((1 << 53) / ((key >> 11) + 1)))
    return bucket
