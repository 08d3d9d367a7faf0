"""What is told in records besides messages: their contents as bytes, and back.

Each function gives kind and payload of one record. Numbers that are many are arrays of 64 bits,
little-endian; everything else is MessagePack, with AMQP tables as AMQP encodes them.
"""

from __future__ import annotations

import struct
from array import array
from sys import byteorder
from typing import TYPE_CHECKING, Any

import msgpack

from ..wire.amqp import encode_table
from . import kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..access import TopicPermissions
    from ..exchanges import Binding, Exchange
    from ..limits import Limits
    from ..policy import Policy
    from ..queues import BaseQueue
    from ..users import User

__all__ = ["Fact", "numbers", "unpack"]

Fact = tuple[int, bytes]
"""Kind and payload of a record."""
NUMBER = struct.Struct("<I")


def packed(values: object) -> bytes:
    """Values as MessagePack."""
    data = msgpack.packb(values)
    assert data is not None  # which only a stream gives
    return bytes(data)


def _pack(kind: int, *values: object) -> Fact:
    return kind, packed(values)


def unpack(payload: bytes) -> list[Any]:
    """The values of a record that is MessagePack."""
    values: list[Any] = msgpack.unpackb(payload, strict_map_key=False)
    return values


def to_bytes(values: array[int]) -> bytes:
    """An array as bytes, the lowest byte of each number first."""
    if byteorder == "big":
        values = values[:]
        values.byteswap()
    return values.tobytes()


def numbers(payload: bytes, start: int = 0, code: str = "Q") -> array[int]:
    """The array that bytes are, from an offset on."""
    values = array(code, payload[start:])
    if byteorder == "big":
        values.byteswap()
    return values


# -- what happens to messages


def settled(place: int, seqs: array[int]) -> Fact:
    """Entries of a place are done with."""
    return kinds.SETTLED, NUMBER.pack(place) + to_bytes(seqs)


def delivered(place: int, seqs: array[int]) -> Fact:
    """Consumers have entries of a place."""
    return kinds.DELIVERED, NUMBER.pack(place) + to_bytes(seqs)


def returned(place: int, rows: list[list[object]]) -> Fact:
    """Entries came back. Of each: old and new sequence number, position and share of its message,
    deliveries, acquired, when it is due or None, whether to the tail.
    """
    return _pack(kinds.RETURNED, place, rows)


def stream(place: int, first: int, size: int) -> Fact:
    """A stream begins at an offset now, and has so many bytes of bodies."""
    return _pack(kinds.STREAM, place, first, size)


# -- what was in a place


def place(
    number: int,
    last_seq: int,
    expiring: bool = False,
    first: int = 0,
    size: int = 0,
    rows: Sequence[object] = (),
) -> Fact:
    """A place: the last number in it, whether entries expire, where a stream begins and its bytes.

    `rows` are as in `returned`, with an old number of 0: what came back to a quorum queue.
    """
    return _pack(kinds.PLACE, number, last_seq, expiring, first, size, rows)


def loose(number: int, priority: int, entries: Sequence[tuple[int, int, int]]) -> Fact:
    """Entries of a place one by one: number, position and share, in the order of numbers."""
    columns = b"".join(to_bytes(array("Q", column)) for column in zip(*entries, strict=True))
    return kinds.LOOSE, NUMBER.pack(number) + NUMBER.pack(priority) + columns


# -- what there is


def as_read(kind: int, values: Sequence[object]) -> Fact:
    """A record that is MessagePack, from the values that `unpack` gave."""
    return _pack(kind, *values)


def next_place(number: int) -> Fact:
    """The number of the next place: those below are never used again."""
    return _pack(kinds.NEXT_PLACE, number)


def vhost_added(name: str) -> Fact:
    """There is a virtual host."""
    return _pack(kinds.VHOST_ADDED, name)


def vhost_removed(name: str) -> Fact:
    """A virtual host is gone, with all that is in it."""
    return _pack(kinds.VHOST_REMOVED, name)


def exchange_added(vhost: str, exchange: Exchange, place: int) -> Fact:
    """There is an exchange; place 0: it holds nothing."""
    return _pack(
        kinds.EXCHANGE_ADDED,
        vhost,
        exchange.name,
        exchange.type,
        exchange.auto_delete,
        exchange.internal,
        encode_table(exchange.arguments),
        place,
    )


def exchange_removed(vhost: str, name: str) -> Fact:
    """An exchange is gone, with its bindings."""
    return _pack(kinds.EXCHANGE_REMOVED, vhost, name)


def queue_added(queue: BaseQueue, place: int) -> Fact:
    """There is a queue."""
    declaration = queue.declaration
    return _pack(
        kinds.QUEUE_ADDED,
        place,
        declaration.vhost,
        declaration.name,
        declaration.auto_delete,
        declaration.server_named,
        queue.kind,
        queue.declared.max_priority is not None or queue.kind == "quorum",
        encode_table(declaration.arguments),
    )


def queue_removed(place: int) -> Fact:
    """A queue is gone, with its entries and bindings."""
    return _pack(kinds.QUEUE_REMOVED, place)


def bound(kind: int, vhost: str, binding: Binding, to_queue: bool) -> Fact:
    """There is a binding (`kinds.BOUND`), or there is not any more (`kinds.UNBOUND`)."""
    return _pack(
        kind,
        vhost,
        binding.source.name,
        to_queue,
        binding.destination.name,
        binding.routing_key,
        encode_table(binding.arguments),
    )


def user_added(user: User) -> Fact:
    """There is a user, with these tags and limit of connections."""
    return _pack(kinds.USER_ADDED, user.name, sorted(user.tags), user.connections)


def password_set(name: str, hashed: str | None) -> Fact:
    """What a user logs in with, hashed; None: no password."""
    return _pack(kinds.PASSWORD_SET, name, hashed)


def user_removed(name: str) -> Fact:
    """A user is gone, with its permissions."""
    return _pack(kinds.USER_REMOVED, name)


def permissions_cleared(user: str, vhost: str) -> Fact:
    """A user may not do anything in a virtual host any more."""
    return _pack(kinds.PERMISSIONS_CLEARED, user, vhost)


def permissions_set(user: User, vhost: str) -> Fact:
    """What a user may do in a virtual host."""
    permissions = user.permissions[vhost]
    topics: list[TopicPermissions] = user.topics.get(vhost, [])
    return _pack(
        kinds.PERMISSIONS_SET,
        user.name,
        vhost,
        [permissions.configure, permissions.write, permissions.read],
        [[topic.exchange, topic.write, topic.read] for topic in topics],
    )


def policy_set(vhost: str, policy: Policy, operator: bool) -> Fact:
    """There is a policy."""
    return _pack(
        kinds.POLICY_SET,
        vhost,
        policy.name,
        operator,
        policy.pattern,
        encode_table(policy.definition),
        policy.priority,
        policy.apply_to,
    )


def policy_removed(vhost: str, name: str, operator: bool) -> Fact:
    """A policy is gone."""
    return _pack(kinds.POLICY_REMOVED, vhost, name, operator)


def limits_set(vhost: str | None, limits: Limits) -> Fact:
    """How many there may be in a virtual host, or with None in the whole broker."""
    return _pack(kinds.LIMITS_SET, vhost, limits.queues, limits.exchanges, limits.connections)
