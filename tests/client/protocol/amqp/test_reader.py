from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker import Broker, Properties
from minibroker.wire.amqp import encode_properties, spec
from minibroker.wire.amqp.frames import content_frames, method_frame
from minibroker_client.exceptions import FrameInvalid, SyntaxInvalid, UnexpectedFrame
from minibroker_client.protocol.amqp.reader import REMEMBERED, Reader, decoded

from ..pair import Pair

if TYPE_CHECKING:
    from minibroker_client.protocol.channel import ProtocolChannel

PLAIN = encode_properties(Properties())


@pytest.fixture
def pair(broker: Broker) -> Pair:
    return Pair(broker).open()


@pytest.fixture
def channel(pair: Pair) -> ProtocolChannel:
    channel = pair.channel()
    channel.declare_queue("q")
    channel.consume("q", pair.deliveries.append, tag="t")
    return channel


def delivery(body: bytes, tag: int = 1, consumer: str = "t", frame_max: int = 131_072) -> bytes:
    method = spec.BasicDeliver(consumer, tag, False, "e", "k")
    return b"".join(content_frames(1, method, PLAIN, body, frame_max))


def bodies(pair: Pair) -> list[bytes]:
    return [each.body for each in pair.client.inbox]  # type: ignore[union-attr]  # deliveries


@given(st.data())
def test_deliveries_are_read_however_they_are_cut(data: st.DataObject) -> None:
    with Broker() as broker:
        pair = Pair(broker).open()
        channel = pair.channel()
        channel.declare_queue("q")
        channel.consume("q", pair.deliveries.append, tag="t")
        bodies_ = [b"", b"one", bytes(5000), b"\xce" * 30]
        stream = b"".join(
            delivery(body, tag, frame_max=data.draw(st.sampled_from([64, 131_072])))
            for tag, body in enumerate(bodies_, 1)
        )
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
        for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            pair.client.receive(stream[begin:end])
        assert bodies(pair) == bodies_
        assert [each.tag for each in pair.client.inbox] == [1, 2, 3, 4]  # type: ignore[union-attr]  # deliveries


def test_routes_that_repeat_are_one(pair: Pair, channel: ProtocolChannel) -> None:
    pair.client.receive(delivery(b"1") + delivery(b"2", 2))
    first, second = pair.client.inbox
    assert first.route is second.route  # type: ignore[union-attr]  # deliveries
    assert first.properties == Properties()  # type: ignore[union-attr]  # deliveries


def test_only_so_many_routes_are_remembered_and_long_ones_not(
    pair: Pair, channel: ProtocolChannel
) -> None:
    reader: Any = pair.client
    for number in range(REMEMBERED + 10):
        method = spec.BasicDeliver("t", number + 1, False, "e", str(number))
        pair.client.receive(b"".join(content_frames(1, method, PLAIN, b"x", 131_072)))
    assert len(reader.reader._routes) <= REMEMBERED
    known = len(reader.reader._routes)
    long = encode_properties(Properties(headers={"h": "x" * 200}))
    method = spec.BasicDeliver("t", 9999, False, "e", "k")
    pair.client.receive(b"".join(content_frames(1, method, long, b"x", 131_072)))
    assert len(reader.reader._routes) == known


def test_a_delivery_for_nobody_is_dropped(pair: Pair, channel: ProtocolChannel) -> None:
    pair.client.receive(delivery(b"1", consumer="nobody"))
    pair.client.receive(delivery(bytes(300), 2, consumer="nobody", frame_max=64))
    other = delivery(b"x").replace(b"\x01\x00\x01\x00\x00", b"\x01\x00\x07\x00\x00", 1)
    pair.client.receive(other)
    assert bodies(pair) == []
    assert not pair.client.closed


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (b"\x09\x00\x00\x00\x00\x00\x00\xce", FrameInvalid, "unknown type 9"),
        (b"\x01\x00\x00\x00\x00\x00\x00\x00", FrameInvalid, "does not end as one"),
        (b"\x01\x00\x00\x7f\xff\xff\xff\x00", FrameInvalid, "over the limit"),
        (b"\x01\x00\x00\x00\x00\x00\x04\xff\xff\xff\xff\xce", Exception, "unknown method"),
        (b"AMQP\x00\x00\x09\x01", FrameInvalid, "another protocol"),
    ],
)
def test_what_is_no_frame_ends_the_connection(
    pair: Pair, data: bytes, kind: type[Exception], text: str
) -> None:
    pair.client.receive(data)
    assert pair.client.closed
    with pytest.raises(kind, match=text):
        pair.client.ensure_open()


def test_something_else_at_the_port_is_named(broker: Broker) -> None:
    pair = Pair(broker)
    pair.client.receive(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(FrameInvalid, match="this is not AMQP 0-9-1: it begins with b'HTTP/1.1'"):
        pair.client.opened.result()


@pytest.mark.parametrize(
    ("payload", "kind", "text"),
    [
        (struct.pack(">BHI", 2, 1, 3) + b"abc\xce", FrameInvalid, "too short"),
        (struct.pack(">BHI", 3, 1, 3) + b"abc\xce", UnexpectedFrame, "before its header"),
    ],
)
def test_broken_content_ends_the_connection(
    pair: Pair, channel: ProtocolChannel, payload: bytes, kind: type[Exception], text: str
) -> None:
    pair.client.receive(method_frame(1, spec.BasicDeliver("t", 1, False, "e", "k")) + payload)
    assert pair.client.closed
    with pytest.raises(kind, match=text):
        pair.client.ensure_open()


def test_content_for_a_channel_that_is_closed_is_ignored(pair: Pair) -> None:
    pair.client.receive(delivery(bytes(200), frame_max=64))
    assert not pair.client.closed


def test_a_get_ok_nobody_asked_for_is_dropped(pair: Pair, channel: ProtocolChannel) -> None:
    method = spec.BasicGetOk(5, False, "e", "k", 0)
    pair.client.receive(b"".join(content_frames(1, method, PLAIN, b"x", 131_072)))
    assert not pair.client.closed


def test_properties_are_decoded_or_refused() -> None:
    assert decoded(b"") == Properties()
    assert decoded(encode_properties(Properties(type="x"))).type == "x"
    with pytest.raises(SyntaxInvalid):
        decoded(b"\xff")


def test_nothing_is_read_behind_the_end(pair: Pair) -> None:
    close = method_frame(0, spec.ConnectionClose(320, "bye"))
    pair.client.receive(close + b"\xff" * 20)
    assert isinstance(pair.client.error, Exception)
    assert "bye" in str(pair.client.error)
    assert isinstance(Reader, type)
