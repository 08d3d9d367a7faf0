"""A message and its places as one record of the log, and back.

    | flags | priority | n exchange | n routing key | n places | n header |
    | exchange | routing key | header | marks, if flagged | places ... | body

Knows nothing of queues: a place is a number, with a sequence number and one number more.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from zlib import crc32

import lz4.block
import msgpack

from ..message import Death, MarkedMessage, Message, spilled
from ..store import record
from ..wire.amqp import decode_properties, encode_properties
from .facts import packed
from .kinds import MESSAGE

if TYPE_CHECKING:
    from ..properties import Properties

__all__ = [
    "COMPRESSED",
    "FIXED",
    "MARKED",
    "MARKS",
    "MOST_PLACES",
    "NO_PRIORITY",
    "PENDING",
    "PLACE",
    "SPILLED",
    "Encoder",
    "Item",
    "Placed",
    "Several",
    "decode",
    "encoded",
]

FIXED = struct.Struct("<BhHIHI")
PLACE = struct.Struct("<IQQ")
"""Number of the place, sequence number in it, and when the entry expires (0: never), when it is
due, or when it was published: milliseconds since the epoch."""
MARKS = struct.Struct("<I")
MARKED = 1
COMPRESSED = 2
SPILLED = 4
NO_PRIORITY = -1
PENDING = -1
"""The position of a message that is to be written with the next commit."""
Item: TypeAlias = "Any"
"""An entry, or kind and payload of another record."""
MOST_PLACES = 0xFFFF
"""Places in one record."""
LONGEST = 1024
"""Bytes of a beginning that is remembered: one with large headers takes room, and is rarer."""
MEMO = 1024
"""Beginnings of records that are remembered: most messages begin as another one did."""


class Placed(NamedTuple):
    """A message as it was read, and what the log said of its place."""

    message: Message
    seq: int
    time: int
    """The third number of the place."""


def encoded(properties: Properties) -> bytes:
    """The properties as AMQP carries them, made once. Raises as `encode_properties`."""
    data = properties.encoded
    if data is None:
        data = properties.encoded = encode_properties(properties)
    return data


class Several(NamedTuple):
    """A message with more than one place."""

    message: Message
    entries: list[Item]


class Encoder:
    """Makes records. Bodies of `threshold` bytes or more are compressed; None: none."""

    __slots__ = ("_memo", "_threshold")

    def __init__(self, threshold: int | None = None) -> None:
        self._threshold = threshold
        self._memo: dict[tuple[str, str, bytes], tuple[bytes, int]] = {}

    def encode(self, items: list[Item], position: int) -> tuple[int, list[bytes], int, int]:
        """Records of what has to be kept, the first one at a position of the log.

        Gives the position behind them, their parts, how many places the messages have, and their
        bytes. Each message learns its position, and what share of its record a place has.
        """
        parts: list[bytes] = []
        entries = weight = 0
        pack_place, pack_header, header_size = PLACE.pack, record.HEADER.pack, record.HEADER_SIZE
        largest = (1 << 62) if self._threshold is None else self._threshold
        exchange = key = header = None
        prefix, crc, fixed = b"", 0, 0
        for item in items:
            if type(item) is tuple:
                parts.append(record.encode(*item))
                position += len(parts[-1])
                continue
            message = item.message
            message.position = position
            body = message.body
            if type(item) is Several or type(message) is not Message or len(body) >= largest:
                places = item.entries if type(item) is Several else [item]
                size, count = self._in_general(message, places, parts), len(places)
            else:
                if (
                    message.exchange is not exchange
                    or message.routing_key is not key
                    or message.properties.encoded is not header
                ):
                    prefix, crc = self._prefix_of(message)
                    exchange, key = message.exchange, message.routing_key
                    header = message.properties.encoded  # which may be there only now
                    fixed = len(prefix) + PLACE.size
                place = pack_place(item.queue.place.number, item.seq, item.expires or 0)
                length = fixed + len(body)
                head = pack_header(length, crc32(body, crc32(place, crc)), MESSAGE)
                parts += (head, prefix, place, body)
                size, count = header_size + length, 1
            message.share = share = size // count
            entries += count
            weight += share * count
            position += size
        return position, parts, entries, weight

    def _prefix_of(self, message: Message) -> tuple[bytes, int]:
        """How the record of a message with one place begins, and the checksum up to there."""
        key = message.exchange, message.routing_key, encoded(message.properties)
        found = self._memo.get(key)
        if found is None:
            if len(self._memo) >= MEMO:
                self._memo.clear()
            prefix = _prefix(message, 0, 1)
            found = prefix, crc32(prefix, MESSAGE)
            if len(prefix) <= LONGEST:
                self._memo[key] = found
        return found

    def _in_general(self, message: Message, entries: list[Item], parts: list[bytes]) -> int:
        """The record of any message, with any number of places; its length."""
        places = [
            PLACE.pack(each.queue.place.number, each.seq, each.expires or 0) for each in entries
        ]
        body, flags, marks = message.body, 0, b""
        if self._threshold is not None and len(body) >= self._threshold:
            smaller = lz4.block.compress(body, store_size=True)
            if len(smaller) < len(body):
                body, flags = smaller, COMPRESSED
        if message.spilled:
            flags |= SPILLED
        if isinstance(message, MarkedMessage):
            flags |= MARKED
            marks = _pack_marks(message)
            marks = MARKS.pack(len(marks)) + marks
        payload = b"".join((_prefix(message, flags, len(places)), marks, *places, body))
        parts += (record.HEADER.pack(len(payload), crc32(payload, MESSAGE), MESSAGE), payload)
        return record.HEADER_SIZE + len(payload)


def _prefix(message: Message, flags: int, places: int) -> bytes:
    exchange, key = message.exchange.encode(), message.routing_key.encode()
    header = encoded(message.properties)
    priority = message.properties.priority
    numbers = (
        flags,
        NO_PRIORITY if priority is None else priority,
        len(exchange),
        len(key),
        places,
        len(header),
    )
    return b"".join((FIXED.pack(*numbers), exchange, key, header))


def _pack_marks(message: MarkedMessage) -> bytes:
    deaths = [
        (d.queue, d.reason, d.exchange, d.routing_keys, d.time, d.original_expiration, d.count)
        for d in message.deaths
    ]
    return packed((message.ttl, message.copies, deaths))


_beginnings: dict[bytes, tuple[str, str, Properties]] = {}
"""What the beginnings of records mean, which are the same again and again."""


def _begins(data: bytes, lengths: tuple[int, int, int]) -> tuple[str, str, Properties]:
    found = _beginnings.get(data)
    if found is None:
        if len(_beginnings) >= MEMO:
            _beginnings.clear()
        exchange, key, header = lengths
        start = FIXED.size
        names = data[start : start + exchange], data[start + exchange : start + exchange + key]
        encoded_header = data[start + exchange + key : start + exchange + key + header]
        properties, _ = decode_properties(encoded_header)
        properties.encoded = encoded_header
        found = names[0].decode(), names[1].decode(), properties
        if len(data) <= LONGEST:
            _beginnings[data] = found
    return found


def decode(payload: bytes, position: int, place: int) -> Placed:
    """The message of a record, and where in that place it is.

    Raises ValueError for a record that has no such place.
    """
    flags, _, exchange_length, key_length, places, header = FIXED.unpack_from(payload)
    at = FIXED.size + exchange_length + key_length + header
    begins = _begins(payload[:at], (exchange_length, key_length, header))
    marks: bytes | None = None
    if flags & MARKED:
        length = MARKS.unpack_from(payload, at)[0]
        at += MARKS.size
        marks = payload[at : at + length]
        at += length
    seq, time = _find_place(payload, at, places, place)
    body = payload[at + PLACE.size * places :]
    if flags & COMPRESSED:
        body = lz4.block.decompress(body)
    message = Message(*begins, body) if marks is None else _marked(begins, body, marks)
    if flags & SPILLED:
        message = spilled(message)
    message.position = position
    message.share = (record.HEADER_SIZE + len(payload)) // places
    return Placed(message, seq, time)


def _find_place(payload: bytes, at: int, places: int, place: int) -> tuple[int, int]:
    for number in range(places):
        found, seq, time = PLACE.unpack_from(payload, at + number * PLACE.size)
        if found == place:
            return seq, time
    raise ValueError(f"the record has no place {place}")


def _marked(begins: tuple[str, str, Properties], body: bytes, marks: bytes) -> MarkedMessage:
    ttl, copies, rows = msgpack.unpackb(marks)
    deaths = [
        Death(queue, reason, exchange, tuple(keys), time, expiration, count)
        for queue, reason, exchange, keys, time, expiration, count in rows
    ]
    return MarkedMessage(*begins, body, ttl, tuple(copies), tuple(deaths))
