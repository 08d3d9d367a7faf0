from __future__ import annotations

from typing import Any

import pytest

from minibroker import Broker
from minibroker.server import ServerSettings
from minibroker.wire.native import CREDIT, MAGIC, PUBLISH, Reader
from minibroker_client.exceptions import FrameInvalid, SyntaxInvalid

from ..pair import Pair


def test_the_magic_bytes_come_first(broker: Broker) -> None:
    assert Pair(broker, "native").client.take() == MAGIC


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"MiniBrk\x02", "speaks version 2 of the native protocol, not version 1"),
        (b"AMQP\x00\x00\x09\x01", "not the native protocol: it begins with b'AMQP"),
        (b"H", "not the native protocol"),
    ],
)
def test_another_version_or_protocol_is_named(broker: Broker, data: bytes, text: str) -> None:
    pair = Pair(broker, "native")
    pair.client.receive(data)
    with pytest.raises(FrameInvalid, match=text):
        pair.client.opened.result()


def test_credit_is_granted_as_deliveries_are_taken(broker: Broker) -> None:
    pair = Pair(broker, "native", options={"credit": 1000}).open()
    channel = pair.channel()
    channel.declare_queue("q")
    channel.consume("q", pair.deliveries.append, no_ack=True)
    bodies = [bytes(100)] * 50
    pair.publish(channel, *bodies)
    pair.talk()
    assert len(pair.client.inbox) <= 11
    assert pair.drain() == bodies


def test_publishes_in_a_row_are_one_frame(broker: Broker) -> None:
    pair = Pair(broker, "native").open()
    channel = pair.channel()
    channel.declare_queue("q")
    pair.publish(channel, b"1", b"2", b"3")
    assert Reader(1000).feed(pair.client.take()) == [
        [PUBLISH, 1, [["", "q", b"", False], b"1", b"2", b"3"]]
    ]


def test_a_small_frame_cuts_large_bodies(broker: Broker) -> None:
    pair = Pair(broker, "native", ServerSettings(native_frame_max=100_000)).open()
    channel = pair.channel()
    channel.declare_queue("q")
    body = bytes(range(256)) * 1000
    pair.publish(channel, body, bytes(70_000))
    channel.consume("q", pair.deliveries.append)
    assert pair.drain() == [body, bytes(70_000)]
    assert CREDIT


@pytest.mark.parametrize("payload", [[99, 0], [0, 0], [6, 1, "t"], [[], 0], [2, 0, {}]])
def test_frames_of_another_shape_end_the_connection(broker: Broker, payload: list[Any]) -> None:
    from minibroker.wire.native import frame  # noqa: PLC0415 -- its name is that of a parameter

    pair = Pair(broker, "native").open()
    pair.channel()
    pair.client.receive(frame(payload))
    assert pair.client.closed
    with pytest.raises((FrameInvalid, SyntaxInvalid)):
        pair.client.ensure_open()


def test_what_is_wrong_behind_whole_frames_is_seen_after_them(broker: Broker) -> None:
    from minibroker.wire.native import HEARTBEAT_FRAME  # noqa: PLC0415 -- as above

    pair = Pair(broker, "native").open()
    pair.client.receive(HEARTBEAT_FRAME + b"\xff\xff\xff\xff")
    with pytest.raises(FrameInvalid, match="over the limit"):
        pair.client.ensure_open()
