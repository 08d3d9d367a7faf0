"""What a native client may send, as frames: the corpus that damage starts from."""

from __future__ import annotations

from typing import Any

from minibroker import Properties
from minibroker.wire.amqp import spec
from minibroker.wire.native import (
    ACK,
    CREDIT,
    HEARTBEAT,
    LOGIN,
    MAGIC,
    PART,
    PUBLISH,
    frame,
    method_frame,
    pack_properties,
)

__all__ = ["HANDSHAKE", "SESSIONS"]

_LOGIN: dict[str, Any] = {"mechanism": "PLAIN", "response": b"\0guest\0guest", "vhost": "/"}
_ROUTE = ["", "q", b"", False]
_RICH = [
    "amq.topic",
    "a.b",
    pack_properties(
        Properties(
            content_type="text/plain", headers={"a": [1, {"b": None}]}, delivery_mode=2,
            priority=3, expiration="60000", message_id="m", reply_to="r",
        )
    ),
    True,
]  # fmt: skip
HANDSHAKE = [MAGIC, frame([LOGIN, 0, {**_LOGIN, "credit": 5000, "heartbeat": 30}])]
SESSIONS: list[list[bytes]] = [
    [
        method_frame(1, spec.ChannelOpen()),
        method_frame(1, spec.QueueDeclare("q", durable=True, arguments={"x-max-length": 50})),
        method_frame(1, spec.ConfirmSelect()),
        frame([PUBLISH, 1, [_ROUTE, b"one", b"two", _RICH, b"three"]]),
        method_frame(1, spec.BasicQos(0, 10)),
        method_frame(1, spec.BasicConsume("q", "t")),
        frame([ACK, 1, [1, 1, 2, 2]]),
        frame([CREDIT, 0, 1000]),
        frame([HEARTBEAT, 0]),
        method_frame(1, spec.BasicCancel("t")),
        method_frame(1, spec.ChannelClose(200, "bye")),
        method_frame(0, spec.ConnectionClose(200, "bye")),
    ],
    [
        method_frame(2, spec.ChannelOpen()),
        method_frame(2, spec.ExchangeDeclare("e", "topic")),
        method_frame(2, spec.QueueDeclare("q", auto_delete=True)),
        method_frame(2, spec.QueueBind("q", "e", "a.#", arguments={"x": 1})),
        frame([PUBLISH, 2, [["e", "a.b", b"", False], 40]]),
        frame([PART, 2, bytes(30)]),
        frame([PART, 2, bytes(10)]),
        method_frame(2, spec.BasicGet("q")),
        method_frame(2, spec.BasicReject(1, requeue=True)),
        method_frame(2, spec.BasicGet("q", no_ack=True)),
        method_frame(2, spec.QueuePurge("q")),
        method_frame(2, spec.QueueDelete("q")),
        method_frame(2, spec.ExchangeDelete("e")),
    ],
    [
        method_frame(1, spec.ChannelOpen()),
        method_frame(1, spec.QueueDeclare("q", arguments={"x-queue-type": "classic"})),
        method_frame(1, spec.TxSelect()),
        frame([PUBLISH, 1, [_ROUTE, *[b"%d" % number for number in range(20)]]]),
        method_frame(1, spec.TxCommit()),
        method_frame(1, spec.BasicConsume("q", "t", no_ack=True)),
        method_frame(1, spec.BasicRecover(requeue=True)),
        method_frame(1, spec.TxRollback()),
    ],
]
