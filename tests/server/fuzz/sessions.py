"""What real clients send, as frames: the sessions that are damaged. Each was answered without an
error when it was made, but for those that are about errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minibroker import Properties
from minibroker.wire.amqp import spec
from minibroker.wire.amqp.constants import HEARTBEAT_FRAME, PROTOCOL_HEADER
from minibroker.wire.amqp.frames import method_frame

from ..pair import publishing

if TYPE_CHECKING:
    from minibroker.fields import Table
    from minibroker.wire.amqp.spec import MethodRecord

__all__ = ["HANDSHAKE", "SESSIONS"]

CAPABILITIES: Table = {
    "capabilities": {
        "consumer_cancel_notify": True,
        "connection.blocked": True,
        "basic.nack": True,
    },
    "product": "a client",
    "version": "1.0",
}
HANDSHAKE = [
    PROTOCOL_HEADER,
    method_frame(0, spec.ConnectionStartOk(CAPABILITIES, "PLAIN", b"\0guest\0guest", "en_US")),
    method_frame(0, spec.ConnectionTuneOk(2047, 131_072, 60)),
    method_frame(0, spec.ConnectionOpen("/")),
]
PERSISTENT = Properties(delivery_mode=2, content_type="text/plain", headers={"n": 1, "t": ["a"]})


def _on(channel: int, *methods: MethodRecord | bytes) -> list[bytes]:
    """Frames of one channel, which is opened first and closed last."""
    between = [each if isinstance(each, bytes) else method_frame(channel, each) for each in methods]
    return [
        method_frame(channel, spec.ChannelOpen()),
        *between,
        method_frame(channel, spec.ChannelClose(200, "bye")),
    ]


def _topology() -> list[bytes]:
    return _on(
        1,
        spec.ExchangeDeclare("t", "topic", durable=True),
        spec.ExchangeDeclare(
            "f", "fanout", auto_delete=True, arguments={"alternate-exchange": "t"}
        ),
        spec.ExchangeDeclare("h", "headers", internal=True, nowait=True),
        spec.QueueDeclare("q", durable=True, arguments={"x-max-length": 100}),
        spec.QueueDeclare("x", exclusive=True, auto_delete=True),
        spec.QueueDeclare(exclusive=True),
        spec.QueueBind("q", "t", "a.*.#"),
        spec.QueueBind("x", "f"),
        spec.QueueBind("", "h", arguments={"x-match": "any", "k": "v"}),
        spec.ExchangeBind("f", "t", "#"),
        publishing(1, b"to all", exchange="t", key="a.b.c", properties=PERSISTENT),
        spec.QueueUnbind("q", "t", "a.*.#"),
        spec.ExchangeUnbind("f", "t", "#"),
        spec.QueuePurge("q"),
        spec.QueueDelete("q", if_unused=True),
        spec.ExchangeDelete("f"),
    )


def _publisher() -> list[bytes]:
    return _on(
        2,
        spec.QueueDeclare("p", durable=True),
        spec.ConfirmSelect(),
        publishing(2, b"one", key="p"),
        publishing(2, b"two" * 50, key="p", properties=PERSISTENT, frame_max=60),
        publishing(2, b"", key="p", properties=Properties(priority=3)),
        publishing(2, b"back", key="nowhere", mandatory=True),
        publishing(2, b"soon", key="p", properties=Properties(expiration="10", message_id="m")),
        publishing(2, b"cc", key="p", properties=Properties(headers={"CC": ["q", "p"]})),
        HEARTBEAT_FRAME,
        spec.QueueDelete("p"),
    )


def _consumer() -> list[bytes]:
    return _on(
        3,
        spec.QueueDeclare("c", durable=True, arguments={"x-dead-letter-exchange": "amq.fanout"}),
        b"".join(publishing(3, bytes((each,)), key="c") for each in range(8)),
        spec.BasicQos(0, 3),
        spec.BasicConsume("c", "tag", arguments={"x-priority": 2}),
        spec.BasicAck(1),
        spec.BasicNack(3, multiple=True, requeue=True),
        spec.BasicReject(4, requeue=False),
        spec.BasicGet("c"),
        spec.BasicRecover(requeue=True),
        spec.BasicCancel("tag"),
        spec.BasicConsume("c", "auto", no_ack=True, exclusive=True, nowait=True),
        spec.BasicRecoverAsync(requeue=True),
        spec.QueueDelete("c"),
    )


def _transaction() -> list[bytes]:
    return _on(
        4,
        spec.QueueDeclare("tx", exclusive=True),
        spec.TxSelect(),
        publishing(4, b"kept", key="tx"),
        spec.TxCommit(),
        publishing(4, b"gone", key="tx", mandatory=True),
        spec.TxRollback(),
        spec.BasicGet("tx"),
        spec.BasicAck(0, multiple=True),
        spec.TxCommit(),
    )


def _special_queues() -> list[bytes]:
    return _on(
        5,
        spec.QueueDeclare("qq", durable=True, arguments={"x-queue-type": "quorum"}),
        spec.QueueDeclare("ss", durable=True, arguments={"x-queue-type": "stream"}),
        spec.QueueDeclare("pp", durable=True, arguments={"x-max-priority": 10}),
        spec.QueueDeclare("ee", arguments={"x-expires": 50, "x-message-ttl": 5}, exclusive=True),
        *(publishing(5, b"m", key=key) for key in ("qq", "ss", "pp", "ee")),
        spec.BasicQos(0, 10),
        spec.BasicConsume("qq", "1"),
        spec.BasicConsume("ss", "2", arguments={"x-stream-offset": "first"}),
        spec.BasicConsume("pp", "3"),
        spec.BasicNack(1, requeue=True),
        spec.QueueDelete("qq"),
        spec.QueueDelete("ss"),
        spec.QueueDelete("pp"),
    )


def _requests() -> list[bytes]:
    reply_to = Properties(reply_to="amq.rabbitmq.reply-to", correlation_id="1")
    return _on(
        6,
        spec.BasicConsume("amq.rabbitmq.reply-to", "r", no_ack=True),
        spec.QueueDeclare("rpc", exclusive=True),
        publishing(6, b"ask", key="rpc", properties=reply_to),
        spec.BasicGet("rpc", no_ack=True),
        spec.ChannelFlow(active=True),
        spec.AccessRequest("/data"),
        method_frame(0, spec.ConnectionUpdateSecret(b"secret", "renewed")),
    )


def _errors() -> list[bytes]:
    failing: list[MethodRecord] = [
        spec.BasicGet("nowhere"),
        spec.QueueDeclare("amq.mine"),
        spec.BasicAck(9),
        spec.ExchangeDelete("amq.topic"),
    ]
    frames = []
    for method in failing:
        frames += [*_on(7, method)[:-1], method_frame(7, spec.ChannelCloseOk())]
    return [*frames, *_on(7, publishing(7, b"m", exchange="nowhere"))[:-1]]


SESSIONS: list[list[bytes]] = [
    _topology(),
    _publisher(),
    _consumer(),
    _transaction(),
    _special_queues(),
    _requests(),
    _errors(),
]
"""Frames, or several that belong together, in the order in which they were sent."""
