"""Fields of methods that are allowed by the wire, and by nothing else."""

from __future__ import annotations

import random
import struct
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from minibroker.errors import AMQPError
from minibroker.wire.amqp import decode_method, spec
from minibroker.wire.amqp.constants import METHOD
from minibroker.wire.amqp.frames import method_frame
from minibroker.wire.amqp.spec import LAYOUTS, MethodRecord

__all__ = ["ARGUMENTS", "NAMES", "VALUES", "wild_field", "wild_value"]

_NAMES = """
    q p c tx t f x tag direct topic fanout headers nowhere 10 *.# #.#.# amq.topic amq.fanout
    amq.headers amq.match amq.rabbitmq.trace amq.rabbitmq.reply-to amq.rabbitmq.reply-to.x
    x-consistent-hash x-delayed-message
"""
_ARGUMENTS = """
    x-message-ttl x-expires x-max-length x-max-length-bytes x-overflow x-max-priority x-death
    x-dead-letter-exchange x-dead-letter-routing-key x-dead-letter-strategy x-queue-type
    x-queue-mode x-queue-version x-single-active-consumer x-delivery-limit x-priority x-match
    x-stream-offset x-consumer-timeout alternate-exchange hash-header hash-property x-delayed-type
    x-delay x-delayed-retry-type x-delayed-retry-min x-max-age x-stream-max-segment-size-bytes
    x-name-prefix x-initial-cluster-size CC BCC anything
"""
_TEXTS = """
    classic quorum stream drop-head reject-publish reject-publish-dlx lazy at-least-once first last
    next 1h all any-with-x fanout q amq.topic 99999999999999999999999
"""
NAMES = (*_NAMES.split(), "", "a" * 255, "é\x00\r\n")
ARGUMENTS = (*_ARGUMENTS.split(), "")
VALUES: tuple[Any, ...] = (
    *(0, 1, -1, 255, 256, 2**31, 2**63 - 1, -(2**63), 315_360_000_000, 315_360_000_001),
    *(True, False, None, 1.5, -0.0, float("inf"), float("nan"), b"\xff", "", "é"),
    *_TEXTS.split(),
    *(Decimal("1.5"), Decimal(-(2**31) + 1)),
    *(datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)),
    *([], ["q", "p"], [1, None], {}, {"x": {"y": [{}]}}),
    [{"queue": "q", "reason": "rejected", "count": 2**62}],
)
LIMITS = {"octet": 8, "short": 16, "long": 32, "longlong": 64}


def wild_value(domain: str, source: random.Random, before: Any = None) -> Any:
    """A value of a domain of AMQP."""
    if domain == "bit":
        return source.random() < 0.5
    if domain in LIMITS:
        largest = 2 ** LIMITS[domain] - 1
        return source.choice(
            (0, 1, 2, 3, 5, 100, largest, largest >> 1, source.randint(0, largest))
        )
    if domain == "shortstr":
        return source.choice(NAMES)
    if domain == "longstr":
        return source.randbytes(source.choice((0, 1, 30)))
    table = dict(before) if before and source.random() < 0.5 else {}
    for _ in range(source.choice((0, 1, 1, 2, 4))):
        table[source.choice(ARGUMENTS)] = source.choice(VALUES)
    return table


def wild_field(frame: bytes, source: random.Random) -> bytes:
    """The same method with another value in one of its fields; the frame where it is no method."""
    size = int.from_bytes(frame[3:7], "big")
    if frame[:1] != bytes((METHOD,)) or size < 4 or len(frame) != size + 8:
        return frame
    try:
        method = decode_method(frame[7:-1])
    except AMQPError:  # it was damaged before
        return frame
    domains = [domain for domain, reserved in LAYOUTS[type(method)][2]._fields if not reserved]
    if not domains:
        return frame
    at = source.randrange(len(domains))
    values = list(method)
    values[at] = wild_value(domains[at], source, values[at])
    channel = struct.unpack_from(">H", frame, 1)[0]
    return method_frame(channel, type(method)(*values))


def wild_method(source: random.Random) -> MethodRecord:
    """Any method; its fields are mostly such as somebody might mean, and sometimes anything."""
    rare = source.random() < 0.01
    record = source.choice(list(LAYOUTS) if rare else _ASKED)
    fields: tuple[str, ...] = record._fields  # type: ignore[attr-defined]  # a NamedTuple
    domains = [word for word, reserved in LAYOUTS[record][2]._fields if not reserved]
    values = []
    for name, domain in zip(fields, domains, strict=True):
        usual = _USUAL.get((record, name)) or _USUAL.get(name)
        if rare or usual is None or source.random() < 0.1:
            values.append(wild_value(domain, source))
        else:
            values.append(source.choice(usual))
    return record(*values)


QUEUES = ("q", "p", "c", "tx", "qq", "ss", "pp", "full", "")
EXCHANGES = ("t", "f", "h", "hash", "late", "amq.direct", "amq.topic", "amq.match")
KEYS = ("", "q", "p", "a.b", "a.#", "*.b", "1", "10")
_TAGS: tuple[Any, ...] = ("", *map(str, range(20)))
_QUEUE_ARGUMENTS: tuple[Any, ...] = (
    *({}, {}, {}, {"x-message-ttl": 10}, {"x-max-length": 2}, {"x-expires": 100}),
    *({"x-queue-type": "quorum", "x-delivery-limit": 2}, {"x-queue-type": "stream"}),
    *({"x-max-priority": 5}, {"x-single-active-consumer": True}),
    {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"},
    {"x-overflow": "reject-publish", "x-max-length": 1},
)
_USUAL: dict[Any, tuple[Any, ...]] = {
    "queue": QUEUES,
    "exchange": EXCHANGES,
    "source": EXCHANGES,
    "destination": EXCHANGES,
    "routing_key": KEYS,
    "consumer_tag": _TAGS,
    "delivery_tag": tuple(range(15)),
    "exclusive": (False, False, True),
    "internal": (False, False, True),
    "passive": (False, False, True),
    "durable": (True, True, False),
    "active": (True,),
    "prefetch_size": (0,),
    "prefetch_count": (0, 1, 3, 100),
    "type": ("direct", "fanout", "topic", "headers", "x-consistent-hash", "x-delayed-message"),
    "arguments": ({}, {"x-match": "any", "k": "v"}, {"x-match": "all"}),
    (spec.BasicRecover, "requeue"): (True,),
    (spec.BasicRecoverAsync, "requeue"): (True,),
    (spec.QueueDeclare, "arguments"): _QUEUE_ARGUMENTS,
    (spec.BasicConsume, "arguments"): ({}, {"x-priority": 2}, {"x-stream-offset": "first"}),
    (spec.ExchangeDeclare, "arguments"): (
        *({}, {"alternate-exchange": "f"}, {"x-delayed-type": "direct"}),
        {"hash-header": "n"},
    ),
}
"""What is usual in a field, of one method or of all."""
_ASKED: list[type[MethodRecord]] = [
    spec.AccessRequest, spec.BasicAck, spec.BasicCancel, spec.BasicConsume, spec.BasicGet,
    spec.BasicNack, spec.BasicQos, spec.BasicRecover, spec.BasicRecoverAsync, spec.BasicReject,
    spec.ChannelFlow, spec.ConfirmSelect, spec.ExchangeBind, spec.ExchangeDeclare,
    spec.ExchangeDelete, spec.ExchangeUnbind, spec.QueueBind, spec.QueueDeclare, spec.QueueDelete,
    spec.QueuePurge, spec.QueueUnbind, spec.TxCommit, spec.TxRollback, spec.TxSelect,
    spec.BasicConsume, spec.QueueDeclare, spec.QueueBind, spec.QueueDeclare, spec.BasicAck,
    spec.ConnectionUpdateSecret,
]  # fmt: skip
