"""Python calls per message from bytes to bytes, counted: they do not depend on the machine."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from minibroker import Broker, ManualClock, Properties
from minibroker.server import ServerSettings
from minibroker.server.amqp import AMQPConnection
from minibroker.server.sasl import Peer
from minibroker.wire.amqp import encode_properties, spec
from minibroker.wire.amqp.frames import content_frames, method_frame

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from minibroker.wire.amqp.spec import MethodRecord

TURN = 100
"""Messages in one turn: what is done once a turn is a part of the budget."""
BUDGET = 11


class Nobody:
    """The owner of a socket that there is not."""

    def woken(self) -> None:
        """Nobody sleeps."""

    def told(self, event: str, **fields: object) -> None:
        """Nobody logs."""


def connected(broker: Broker, *methods: MethodRecord) -> AMQPConnection:
    """A connection with channel 1 open, on which these methods were called."""
    connection = AMQPConnection(broker, ServerSettings(), Peer(loopback=True), Nobody())
    connection.receive(b"AMQP\x00\x00\x09\x01")
    start = spec.ConnectionStartOk({}, "PLAIN", b"\x00guest\x00guest")
    tune: MethodRecord = spec.ConnectionTuneOk(2047, 131_072, 0)
    for method in (start, tune, spec.ConnectionOpen("/")):
        connection.receive(method_frame(0, method))
    for method in (spec.ChannelOpen(), *methods):
        connection.receive(method_frame(1, method))
    connection.take()
    return connection


def calls(function: Callable[[], None]) -> list[str]:
    """The names of the Python functions that `function` calls, without its own."""
    names: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            names.append(frame.f_code.co_qualname)

    before = sys.getprofile()
    gc.disable()
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(before)
        gc.enable()
    return names[1:]


@pytest.mark.parametrize("acked", ["each", "all at once", "by themselves"])
@pytest.mark.parametrize("confirmed", [False, True])
def test_publish_deliver_ack_from_bytes_to_bytes_takes_eleven_python_calls(
    acked: str, confirmed: bool
) -> None:
    no_ack = acked == "by themselves"
    with Broker(clock=ManualClock()) as broker:
        consume = spec.BasicConsume("jobs", "c", no_ack=no_ack)
        consumer = connected(broker, spec.QueueDeclare("jobs"), spec.BasicQos(0, 200), consume)
        publisher = connected(broker, *[spec.ConfirmSelect()] * confirmed)
        header = encode_properties(Properties(content_type="text/plain", delivery_mode=2))
        message = content_frames(1, spec.BasicPublish("", "jobs"), header, b"x" * 100, 131_072)
        block = b"".join(message) * TURN
        tag = 0

        def turn() -> None:
            nonlocal tag
            publisher.receive(block)
            consumer.take()
            publisher.take()
            first, tag = tag + 1, tag + TURN
            if acked == "all at once":
                consumer.receive(method_frame(1, spec.BasicAck(tag, multiple=True)))
            elif acked == "each":
                tags = range(first, tag + 1)
                consumer.receive(b"".join(method_frame(1, spec.BasicAck(each)) for each in tags))

        turn()
        ours = {"method_frame", "encode_method", "Layout.encode", "_write_short_text"}
        counted = [name for name in calls(turn) if name not in ours and "turn.<locals>" not in name]
        most = BUDGET + confirmed  # the confirm itself is a record
        assert len(counted) / TURN <= most, Counter(counted).most_common(14)
