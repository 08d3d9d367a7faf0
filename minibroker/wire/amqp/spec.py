"""The methods of AMQP 0-9-1 as RabbitMQ speaks it, one record each. Knows nothing of frames.

Source: AMQP 0-9-1 section 1.6 to 1.8 and RabbitMQ's extensions to them: class confirm, basic.nack,
exchange.bind and unbind, connection.blocked, unblocked and update-secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol, TypeVar

from ...fields import Table
from .layout import Layout

__all__ = [
    "BY_ID",
    "LAYOUTS",
    "AccessRequest",
    "AccessRequestOk",
    "BasicAck",
    "BasicCancel",
    "BasicCancelOk",
    "BasicConsume",
    "BasicConsumeOk",
    "BasicDeliver",
    "BasicGet",
    "BasicGetEmpty",
    "BasicGetOk",
    "BasicNack",
    "BasicPublish",
    "BasicQos",
    "BasicQosOk",
    "BasicRecover",
    "BasicRecoverAsync",
    "BasicRecoverOk",
    "BasicReject",
    "BasicReturn",
    "ChannelClose",
    "ChannelCloseOk",
    "ChannelFlow",
    "ChannelFlowOk",
    "ChannelOpen",
    "ChannelOpenOk",
    "ConfirmSelect",
    "ConfirmSelectOk",
    "ConnectionBlocked",
    "ConnectionClose",
    "ConnectionCloseOk",
    "ConnectionOpen",
    "ConnectionOpenOk",
    "ConnectionSecure",
    "ConnectionSecureOk",
    "ConnectionStart",
    "ConnectionStartOk",
    "ConnectionTune",
    "ConnectionTuneOk",
    "ConnectionUnblocked",
    "ConnectionUpdateSecret",
    "ConnectionUpdateSecretOk",
    "ExchangeBind",
    "ExchangeBindOk",
    "ExchangeDeclare",
    "ExchangeDeclareOk",
    "ExchangeDelete",
    "ExchangeDeleteOk",
    "ExchangeUnbind",
    "ExchangeUnbindOk",
    "MethodRecord",
    "QueueBind",
    "QueueBindOk",
    "QueueDeclare",
    "QueueDeclareOk",
    "QueueDelete",
    "QueueDeleteOk",
    "QueuePurge",
    "QueuePurgeOk",
    "QueueUnbind",
    "QueueUnbindOk",
    "TxCommit",
    "TxCommitOk",
    "TxRollback",
    "TxRollbackOk",
    "TxSelect",
    "TxSelectOk",
    "method_name",
]


class MethodRecord(Protocol):
    """What every record of a method is: its fields in order."""

    def __iter__(self) -> Iterator[object]: ...


_Record = TypeVar("_Record", bound=type)
BY_ID: dict[tuple[int, int], type[MethodRecord]] = {}
"""The records by class and method id."""
LAYOUTS: dict[type[MethodRecord], tuple[int, int, Layout]] = {}
"""Class id, method id and layout of each record."""
_NONE: Table = {}


def _method(class_id: int, method_id: int, words: str) -> Callable[[_Record], _Record]:
    def register(record: _Record) -> _Record:
        BY_ID[class_id, method_id] = record
        LAYOUTS[record] = (class_id, method_id, Layout(words))
        return record

    return register


def method_name(class_id: int, method_id: int) -> str:
    """As the specification writes it, such as "queue.declare-ok"; the ids where there is none."""
    record = BY_ID.get((class_id, method_id))
    if record is None:
        return f"{class_id}.{method_id}"
    return (record.__doc__ or "").strip("`.")


@_method(10, 10, "octet octet table longstr longstr")
class ConnectionStart(NamedTuple):
    """`connection.start`."""

    version_major: int = 0
    version_minor: int = 9
    server_properties: Table = _NONE
    mechanisms: bytes = b"PLAIN"
    locales: bytes = b"en_US"


@_method(10, 11, "table shortstr longstr shortstr")
class ConnectionStartOk(NamedTuple):
    """`connection.start-ok`."""

    client_properties: Table = _NONE
    mechanism: str = "PLAIN"
    response: bytes = b""
    locale: str = "en_US"


@_method(10, 20, "longstr")
class ConnectionSecure(NamedTuple):
    """`connection.secure`."""

    challenge: bytes = b""


@_method(10, 21, "longstr")
class ConnectionSecureOk(NamedTuple):
    """`connection.secure-ok`."""

    response: bytes = b""


@_method(10, 30, "short long short")
class ConnectionTune(NamedTuple):
    """`connection.tune`."""

    channel_max: int = 0
    frame_max: int = 0
    heartbeat: int = 0


@_method(10, 31, "short long short")
class ConnectionTuneOk(NamedTuple):
    """`connection.tune-ok`."""

    channel_max: int = 0
    frame_max: int = 0
    heartbeat: int = 0


@_method(10, 40, "shortstr -shortstr -bit")
class ConnectionOpen(NamedTuple):
    """`connection.open`."""

    virtual_host: str = "/"


@_method(10, 41, "-shortstr")
class ConnectionOpenOk(NamedTuple):
    """`connection.open-ok`."""


@_method(10, 50, "short shortstr short short")
class ConnectionClose(NamedTuple):
    """`connection.close`."""

    reply_code: int = 200
    reply_text: str = ""
    class_id: int = 0
    method_id: int = 0


@_method(10, 51, "")
class ConnectionCloseOk(NamedTuple):
    """`connection.close-ok`."""


@_method(10, 60, "shortstr")
class ConnectionBlocked(NamedTuple):
    """`connection.blocked`."""

    reason: str = ""


@_method(10, 61, "")
class ConnectionUnblocked(NamedTuple):
    """`connection.unblocked`."""


@_method(10, 70, "longstr shortstr")
class ConnectionUpdateSecret(NamedTuple):
    """`connection.update-secret`."""

    new_secret: bytes = b""
    reason: str = ""


@_method(10, 71, "")
class ConnectionUpdateSecretOk(NamedTuple):
    """`connection.update-secret-ok`."""


@_method(20, 10, "-shortstr")
class ChannelOpen(NamedTuple):
    """`channel.open`."""


@_method(20, 11, "-longstr")
class ChannelOpenOk(NamedTuple):
    """`channel.open-ok`."""


@_method(20, 20, "bit")
class ChannelFlow(NamedTuple):
    """`channel.flow`."""

    active: bool = True


@_method(20, 21, "bit")
class ChannelFlowOk(NamedTuple):
    """`channel.flow-ok`."""

    active: bool = True


@_method(20, 40, "short shortstr short short")
class ChannelClose(NamedTuple):
    """`channel.close`."""

    reply_code: int = 200
    reply_text: str = ""
    class_id: int = 0
    method_id: int = 0


@_method(20, 41, "")
class ChannelCloseOk(NamedTuple):
    """`channel.close-ok`."""


@_method(30, 10, "shortstr bit bit bit bit bit")
class AccessRequest(NamedTuple):
    """`access.request`."""

    realm: str = ""
    exclusive: bool = False
    passive: bool = True
    active: bool = True
    write: bool = True
    read: bool = True


@_method(30, 11, "short")
class AccessRequestOk(NamedTuple):
    """`access.request-ok`."""

    ticket: int = 1


@_method(40, 10, "-short shortstr shortstr bit bit bit bit bit table")
class ExchangeDeclare(NamedTuple):
    """`exchange.declare`."""

    exchange: str = ""
    type: str = "direct"
    passive: bool = False
    durable: bool = False
    auto_delete: bool = False
    internal: bool = False
    nowait: bool = False
    arguments: Table = _NONE


@_method(40, 11, "")
class ExchangeDeclareOk(NamedTuple):
    """`exchange.declare-ok`."""


@_method(40, 20, "-short shortstr bit bit")
class ExchangeDelete(NamedTuple):
    """`exchange.delete`."""

    exchange: str = ""
    if_unused: bool = False
    nowait: bool = False


@_method(40, 21, "")
class ExchangeDeleteOk(NamedTuple):
    """`exchange.delete-ok`."""


@_method(40, 30, "-short shortstr shortstr shortstr bit table")
class ExchangeBind(NamedTuple):
    """`exchange.bind`."""

    destination: str = ""
    source: str = ""
    routing_key: str = ""
    nowait: bool = False
    arguments: Table = _NONE


@_method(40, 31, "")
class ExchangeBindOk(NamedTuple):
    """`exchange.bind-ok`."""


@_method(40, 40, "-short shortstr shortstr shortstr bit table")
class ExchangeUnbind(NamedTuple):
    """`exchange.unbind`."""

    destination: str = ""
    source: str = ""
    routing_key: str = ""
    nowait: bool = False
    arguments: Table = _NONE


@_method(40, 51, "")
class ExchangeUnbindOk(NamedTuple):
    """`exchange.unbind-ok`."""


@_method(50, 10, "-short shortstr bit bit bit bit bit table")
class QueueDeclare(NamedTuple):
    """`queue.declare`."""

    queue: str = ""
    passive: bool = False
    durable: bool = False
    exclusive: bool = False
    auto_delete: bool = False
    nowait: bool = False
    arguments: Table = _NONE


@_method(50, 11, "shortstr long long")
class QueueDeclareOk(NamedTuple):
    """`queue.declare-ok`."""

    queue: str = ""
    message_count: int = 0
    consumer_count: int = 0


@_method(50, 20, "-short shortstr shortstr shortstr bit table")
class QueueBind(NamedTuple):
    """`queue.bind`."""

    queue: str = ""
    exchange: str = ""
    routing_key: str = ""
    nowait: bool = False
    arguments: Table = _NONE


@_method(50, 21, "")
class QueueBindOk(NamedTuple):
    """`queue.bind-ok`."""


@_method(50, 30, "-short shortstr bit")
class QueuePurge(NamedTuple):
    """`queue.purge`."""

    queue: str = ""
    nowait: bool = False


@_method(50, 31, "long")
class QueuePurgeOk(NamedTuple):
    """`queue.purge-ok`."""

    message_count: int = 0


@_method(50, 40, "-short shortstr bit bit bit")
class QueueDelete(NamedTuple):
    """`queue.delete`."""

    queue: str = ""
    if_unused: bool = False
    if_empty: bool = False
    nowait: bool = False


@_method(50, 41, "long")
class QueueDeleteOk(NamedTuple):
    """`queue.delete-ok`."""

    message_count: int = 0


@_method(50, 50, "-short shortstr shortstr shortstr table")
class QueueUnbind(NamedTuple):
    """`queue.unbind`."""

    queue: str = ""
    exchange: str = ""
    routing_key: str = ""
    arguments: Table = _NONE


@_method(50, 51, "")
class QueueUnbindOk(NamedTuple):
    """`queue.unbind-ok`."""


@_method(60, 10, "long short bit")
class BasicQos(NamedTuple):
    """`basic.qos`."""

    prefetch_size: int = 0
    prefetch_count: int = 0
    global_: bool = False


@_method(60, 11, "")
class BasicQosOk(NamedTuple):
    """`basic.qos-ok`."""


@_method(60, 20, "-short shortstr shortstr bit bit bit bit table")
class BasicConsume(NamedTuple):
    """`basic.consume`."""

    queue: str = ""
    consumer_tag: str = ""
    no_local: bool = False
    no_ack: bool = False
    exclusive: bool = False
    nowait: bool = False
    arguments: Table = _NONE


@_method(60, 21, "shortstr")
class BasicConsumeOk(NamedTuple):
    """`basic.consume-ok`."""

    consumer_tag: str = ""


@_method(60, 30, "shortstr bit")
class BasicCancel(NamedTuple):
    """`basic.cancel`."""

    consumer_tag: str = ""
    nowait: bool = False


@_method(60, 31, "shortstr")
class BasicCancelOk(NamedTuple):
    """`basic.cancel-ok`."""

    consumer_tag: str = ""


@_method(60, 40, "-short shortstr shortstr bit bit")
class BasicPublish(NamedTuple):
    """`basic.publish`."""

    exchange: str = ""
    routing_key: str = ""
    mandatory: bool = False
    immediate: bool = False


@_method(60, 50, "short shortstr shortstr shortstr")
class BasicReturn(NamedTuple):
    """`basic.return`."""

    reply_code: int = 312
    reply_text: str = ""
    exchange: str = ""
    routing_key: str = ""


@_method(60, 60, "shortstr longlong bit shortstr shortstr")
class BasicDeliver(NamedTuple):
    """`basic.deliver`."""

    consumer_tag: str = ""
    delivery_tag: int = 0
    redelivered: bool = False
    exchange: str = ""
    routing_key: str = ""


@_method(60, 70, "-short shortstr bit")
class BasicGet(NamedTuple):
    """`basic.get`."""

    queue: str = ""
    no_ack: bool = False


@_method(60, 71, "longlong bit shortstr shortstr long")
class BasicGetOk(NamedTuple):
    """`basic.get-ok`."""

    delivery_tag: int = 0
    redelivered: bool = False
    exchange: str = ""
    routing_key: str = ""
    message_count: int = 0


@_method(60, 72, "-shortstr")
class BasicGetEmpty(NamedTuple):
    """`basic.get-empty`."""


@_method(60, 80, "longlong bit")
class BasicAck(NamedTuple):
    """`basic.ack`."""

    delivery_tag: int = 0
    multiple: bool = False


@_method(60, 90, "longlong bit")
class BasicReject(NamedTuple):
    """`basic.reject`."""

    delivery_tag: int = 0
    requeue: bool = True


@_method(60, 100, "bit")
class BasicRecoverAsync(NamedTuple):
    """`basic.recover-async`."""

    requeue: bool = False


@_method(60, 110, "bit")
class BasicRecover(NamedTuple):
    """`basic.recover`."""

    requeue: bool = False


@_method(60, 111, "")
class BasicRecoverOk(NamedTuple):
    """`basic.recover-ok`."""


@_method(60, 120, "longlong bit bit")
class BasicNack(NamedTuple):
    """`basic.nack`."""

    delivery_tag: int = 0
    multiple: bool = False
    requeue: bool = True


@_method(90, 10, "")
class TxSelect(NamedTuple):
    """`tx.select`."""


@_method(90, 11, "")
class TxSelectOk(NamedTuple):
    """`tx.select-ok`."""


@_method(90, 20, "")
class TxCommit(NamedTuple):
    """`tx.commit`."""


@_method(90, 21, "")
class TxCommitOk(NamedTuple):
    """`tx.commit-ok`."""


@_method(90, 30, "")
class TxRollback(NamedTuple):
    """`tx.rollback`."""


@_method(90, 31, "")
class TxRollbackOk(NamedTuple):
    """`tx.rollback-ok`."""


@_method(85, 10, "bit")
class ConfirmSelect(NamedTuple):
    """`confirm.select`."""

    nowait: bool = False


@_method(85, 11, "")
class ConfirmSelectOk(NamedTuple):
    """`confirm.select-ok`."""
