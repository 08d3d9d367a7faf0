from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker import Broker, Properties
from minibroker.properties import PLAIN
from minibroker.server import ServerSettings
from minibroker.wire.amqp import spec
from minibroker.wire.native import ACK, GOT, METHOD, PART, PUBLISH, RETURN, pack_properties

from .native_pair import NativeClient

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_batch_has_routes_and_bodies_of_the_last_route(native: NativeClient) -> None:
    native.declare("r")
    packed = pack_properties(Properties(priority=3))
    native.send([
        PUBLISH, 1, [["", "q", b"", False], b"1", b"2", ["", "r", packed, False], b"3"],
    ])  # fmt: skip
    assert (native.ready("q"), native.ready("r")) == (2, 1)
    [[kind, _, tag, left, route, body]] = native.tell(1, spec.BasicGet("r", no_ack=True))
    assert (kind, tag, left, body) == (GOT, 1, 0, b"3")
    assert route == ["", "r", packed, False]


def test_confirms_are_cumulative(native: NativeClient) -> None:
    native.ask(1, spec.ConfirmSelect())
    said = native.publish(1, b"1", b"2", b"3")
    assert said == [[METHOD, 1, spec.BasicAck(3, multiple=True)]]


def test_a_mandatory_message_comes_back_before_its_confirm(native: NativeClient) -> None:
    native.ask(1, spec.ConfirmSelect())
    said = native.publish(1, b"back", key="nowhere", mandatory=True)
    assert said == [
        [RETURN, 1, 312, "NO_ROUTE", ["", "nowhere", b"", False], b"back"],
        [METHOD, 1, spec.BasicAck(1)],
    ]


def test_those_before_a_refused_one_stand_and_those_behind_it_do_not(native: NativeClient) -> None:
    said = native.send([
        PUBLISH, 1,
        [["", "q", b"", False], b"1", ["no", "q", b"", False], b"2", ["", "q", b"", False], b"3"],
    ])  # fmt: skip
    assert said[0][2].reply_code == 404
    native.tell(1, spec.ChannelCloseOk())
    native.ask(1, spec.ChannelOpen())
    assert native.ready() == 1


@pytest.mark.parametrize("size", [0, 1, 7999, 8000, 20_000])
def test_a_body_may_come_in_parts(broker: Broker, size: int) -> None:
    client = NativeClient(broker, ServerSettings(native_frame_max=8192)).open(1)
    client.declare()
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    client.send([PUBLISH, 1, [["", "q", b"", False], size]])
    for at in range(0, size, 3000):
        client.send([PART, 1, body[at : at + 3000]])
    said = client.tell(1, spec.BasicGet("q", no_ack=True))
    parts = b"".join(each[2] for each in said[1:])
    got = said[0][-1]
    assert (got if isinstance(got, bytes) else parts) == body
    assert isinstance(got, bytes) or got == size


def test_between_parts_nothing_else_may_come(native: NativeClient, broker: Broker) -> None:
    native.send([PUBLISH, 1, [["", "q", b"", False], 10]])
    assert native.publish(1, b"x")[0][2].reply_code == 505
    other = NativeClient(broker).open(1)
    other.send([PUBLISH, 1, [["", "q", b"", False], 10]])
    assert other.tell(1, spec.BasicQos())[0][2].reply_code == 505


def test_more_bytes_than_announced_are_refused(native: NativeClient) -> None:
    native.send([PUBLISH, 1, [["", "q", b"", False], 10]])
    assert native.send([PART, 1, bytes(11)])[0][2].reply_code == 501


@pytest.mark.parametrize("payload", [[PART, 1, "text"], [PART, 1], [PART, 1, b"", b""]])
def test_a_part_is_one_bin(native: NativeClient, payload: list[Any]) -> None:
    native.send([PUBLISH, 1, [["", "q", b"", False], 10]])
    assert native.send(payload)[0][2].reply_code == 502


def test_a_message_that_is_too_long_is_refused_when_it_is_announced(broker: Broker) -> None:
    client = NativeClient(broker).open(1)
    client.declare()
    most = client.server.channels[1].model.max_message_size
    [[_, number, close]] = client.send([PUBLISH, 1, [["", "q", b"", False], most + 1]])
    assert (number, close.reply_code) == (1, 406)
    assert client.send([PART, 1, b"ignored"]) == []


def test_names_are_counted_in_bytes(native: NativeClient) -> None:
    assert native.publish(1, b"x", key="q" * 255) == []
    [[_, _, close]] = native.publish(1, b"x", key="é" * 128)
    assert close.reply_code == 502


def test_properties_that_the_log_cannot_carry_are_refused(
    make_broker: Callable[..., Broker], tmp_path: Any
) -> None:
    broker = make_broker(data=tmp_path / "data")
    client = NativeClient(broker).open(1)
    client.declare(durable=True)
    packed = pack_properties(Properties(delivery_mode=2, headers={"a": [1]}))
    assert client.publish(1, b"x", properties=packed) == []
    assert client.ready() == 1


@given(st.data())
def test_acks_of_any_ranges_settle_what_they_name(data: st.DataObject) -> None:
    with Broker() as broker:
        client = NativeClient(broker).open(1)
        client.declare()
        client.publish(1, *[b"%d" % number for number in range(12)])
        client.ask(1, spec.BasicQos())
        client.tell(1, spec.BasicConsume("q", "t"))
        left = list(range(1, 13))
        while left:
            first = data.draw(st.sampled_from(left))
            last = first
            while last + 1 in left and data.draw(st.booleans()):
                last += 1
            assert client.send([ACK, 1, [first, last]]) == []
            left = [tag for tag in left if not first <= tag <= last]
            assert list(client.server.channels[1].model.unacked) == left
        broker._check()


def test_an_unknown_tag_in_a_range_ends_the_channel(native: NativeClient) -> None:
    native.publish(1, b"1", b"2")
    native.tell(1, spec.BasicConsume("q", "t"))
    [[_, number, close]] = native.send([ACK, 1, [1, 7]])
    assert (number, close.reply_code, close.method_id) == (1, 406, 80)
    assert "unknown delivery tag 3" in close.reply_text


def test_properties_that_repeat_are_decoded_once(native: NativeClient, broker: Broker) -> None:
    packed = pack_properties(Properties(message_id="1"))
    native.publish(1, b"1", properties=packed)
    native.publish(1, b"2", properties=bytes(bytearray(packed)))
    queue = broker.vhosts["/"].queues["q"]
    first = queue.get()
    second = queue.get()
    assert first is not None
    assert second is not None
    assert first.message.properties is second.message.properties
    assert PLAIN.packed in {None, b""}
    for entry in (first, second):
        queue.unacked += 1
        entry.consumer = None
        queue.unacked -= 1
