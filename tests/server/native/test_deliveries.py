from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker import Properties
from minibroker.lettered import Short
from minibroker.server import ServerSettings
from minibroker.wire.amqp import encode_properties, spec
from minibroker.wire.native import ACK, CREDIT, DELIVER, METHOD, PART, pack_properties

from ..pair import Client
from .native_pair import NativeClient, Said

if TYPE_CHECKING:
    from minibroker import Broker


def bodies(said: list[Said]) -> list[bytes]:
    """The bodies of deliveries, in order."""
    return [
        item for payload in said if payload[0] == DELIVER for item in payload[4]
        if isinstance(item, bytes)
    ]  # fmt: skip


def test_what_comes_in_one_turn_is_one_frame(native: NativeClient) -> None:
    native.publish(1, b"1", b"2", b"3")
    said = native.tell(1, spec.BasicConsume("q", "t"))
    assert said[-1] == [DELIVER, 1, "t", 1, [["", "q", b"", False], b"1", b"2", b"3"]]


def test_another_route_is_said_and_redelivery_is_part_of_it(native: NativeClient) -> None:
    packed = pack_properties(Properties(type="x"))
    native.publish(1, b"1")
    native.tell(1, spec.BasicGet("q"))
    native.tell(1, spec.BasicReject(1, requeue=True))
    native.publish(1, b"2", properties=packed)
    said = native.tell(1, spec.BasicConsume("q", "t"))
    assert said[-1] == [
        DELIVER, 1, "t", 2, [["", "q", b"", True], b"1", ["", "q", packed, False], b"2"],
    ]  # fmt: skip


def test_consumers_have_frames_of_their_own(native: NativeClient) -> None:
    native.tell(1, spec.BasicConsume("q", "a"))
    native.tell(1, spec.BasicConsume("q", "b"))
    said = native.publish(1, b"1", b"2", b"3")
    assert [(each[2], each[3]) for each in said] == [("a", 1), ("b", 2), ("a", 3)]


def test_a_frame_is_not_longer_than_agreed(broker: Broker) -> None:
    client = NativeClient(broker, ServerSettings(native_frame_max=8192)).open(1)
    client.declare()
    client.publish(1, *[bytes(1000)] * 3)
    client.publish(1, *[bytes(3000)] * 2)
    client.publish(1, *[bytes(10)] * 500)
    client.reader.limit = 8192
    said = client.tell(1, spec.BasicConsume("q", "t", no_ack=True))
    assert len(bodies(said)) == 505


def test_routes_that_fill_a_frame_begin_another(broker: Broker) -> None:
    client = NativeClient(broker, ServerSettings(native_frame_max=8192)).open(1)
    client.declare()
    for number in range(20):
        packed = pack_properties(Properties(headers={"h": "x" * 1500, "n": number}))
        client.publish(1, b"%d" % number, properties=packed)
    client.reader.limit = 8192
    said = client.tell(1, spec.BasicConsume("q", "t", no_ack=True))
    assert bodies(said) == [b"%d" % number for number in range(20)]
    tags = [payload[3] for payload in said if payload[0] == DELIVER]
    assert tags == sorted(set(tags))


@pytest.mark.parametrize("size", [7168, 7169, 30_000])
def test_a_large_body_comes_in_parts(broker: Broker, size: int) -> None:
    client = NativeClient(broker, ServerSettings(native_frame_max=8192)).open(1)
    client.declare()
    broker.connect().channel().publish("", "q", b"before")
    broker.connect().channel().publish("", "q", bytes(size))
    broker.connect().channel().publish("", "q", b"after")
    client.reader.limit = 8192
    said = client.tell(1, spec.BasicConsume("q", "t", no_ack=True))
    parts = [payload[2] for payload in said if payload[0] == PART]
    if size > 7168:
        assert b"".join(parts) == bytes(size)
        assert bodies(said) == [b"before", b"after"]
    else:
        assert bodies(said) == [b"before", bytes(size), b"after"]


def test_a_large_body_that_comes_back_comes_in_parts(broker: Broker) -> None:
    client = NativeClient(broker, ServerSettings(native_frame_max=8192)).open(1)
    client.send([5, 1, [["", "nowhere", b"", True], 20_000]])
    said = client.send(*[[PART, 1, bytes(4000)]] * 5)
    assert said[0][:3] == [8, 1, 312]
    assert said[0][-1] == 20_000
    assert b"".join(each[2] for each in said[1:]) == bytes(20_000)


def test_without_credit_nothing_is_delivered_and_answers_are(broker: Broker) -> None:
    client = NativeClient(broker).open(1, credit=10)
    client.declare()
    said = client.tell(1, spec.BasicConsume("q", "t", no_ack=True))
    assert said == [[METHOD, 1, spec.BasicConsumeOk("t")]]
    client.ask(1, spec.ConfirmSelect())
    said = client.publish(1, b"123456", b"123456", b"123456") + client.settle()
    assert bodies(said) == [b"123456", b"123456"]
    assert [METHOD, 1, spec.BasicAck(3, multiple=True)] in said
    assert bodies(client.send([CREDIT, 0, 1])) == []
    assert bodies(client.send([CREDIT, 0, 2]) + client.settle()) == [b"123456"]


def test_a_consumer_that_grants_nothing_makes_nothing_grow(broker: Broker) -> None:
    client = NativeClient(broker).open(1, credit=1000)
    client.declare()
    client.tell(1, spec.BasicConsume("q", "t", no_ack=True))
    publisher = NativeClient(broker).open(1)
    got = 0
    for _ in range(50):
        publisher.publish(1, *[bytes(100)] * 20)
        got += len(bodies(client.said()))
    assert got == 10
    held = len(client.server.batches.held) + len(client.server.model.outbox)  # type: ignore[union-attr]  # open
    assert held <= 20
    assert publisher.ready() + held + got == 1000


def test_what_waits_for_credit_goes_back_when_its_channel_closes(broker: Broker) -> None:
    client = NativeClient(broker).open(1, 2, credit=1)
    client.declare()
    client.publish(2, b"12", b"34", b"56")
    client.tell(1, spec.BasicConsume("q", "t"))
    assert client.ready("q", 2) == 0 or client.ready("q", 2) == 2
    client.ask(1, spec.ChannelClose(200, "", 0, 0))
    assert client.ready("q", 2) == 3
    assert bodies(client.send([CREDIT, 0, 100])) == []


def test_what_was_recovered_while_it_waited_comes_once(broker: Broker) -> None:
    client = NativeClient(broker).open(1, credit=1)
    client.declare()
    client.tell(1, spec.BasicConsume("q", "t"))
    assert bodies(client.publish(1, b"12", b"34")) == [b"12"]
    said = client.tell(1, spec.BasicRecover(requeue=True))
    said += client.send([CREDIT, 0, 100]) + client.settle()
    assert sorted(bodies(said)) == [b"12", b"34"]
    tags = [payload[3] + index for payload in said if payload[0] == DELIVER
            for index, _ in enumerate(bodies([payload]))]  # fmt: skip
    assert client.send([ACK, 1, [min(tags), max(tags)]]) == []


def test_a_message_goes_from_an_amqp_client_to_a_native_one_and_back(broker: Broker) -> None:
    amqp = Client(broker).open(1)
    native = NativeClient(broker).open(1)
    native.declare()
    native.declare("back")
    header = encode_properties(Properties(headers={"n": Short(5)}, priority=1))
    amqp.publish(1, b"x", key="q", header=header)
    [[_, _, _, _, route, body]] = native.tell(1, spec.BasicGet("q", no_ack=True))
    native.publish(1, body, key="back", properties=route[2])
    [said] = amqp.send(1, spec.BasicGet("back", no_ack=True))
    assert (said.header, said.body) == (header, b"x")


def test_what_cannot_be_carried_is_dropped_and_told(native: NativeClient, broker: Broker) -> None:
    channel = broker.connect().channel()
    native.tell(1, spec.BasicConsume("q", "t"))
    odd: Any = {"text": "\ud800"}
    channel.publish("", "q", b"1")
    channel.publish("", "q", b"odd", Properties(message_id=odd["text"]))
    channel.publish("", "q", b"2")
    assert bodies(native.said()) == [b"1", b"2"]
    assert [event for event, _ in native.outlet.events if event == "dropped"] == ["dropped"]


def test_a_queue_that_is_deleted_cancels_its_consumer(native: NativeClient) -> None:
    native.tell(1, spec.BasicConsume("q", "t"))
    said = native.tell(1, spec.QueueDelete("q"))
    assert [METHOD, 1, spec.BasicCancel("t", nowait=True)] in said
