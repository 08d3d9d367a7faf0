"""Deliveries as frames: as the generic codec writes them, whatever is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker import Broker, ManualClock, Properties
from minibroker.queues import Entry
from minibroker.server.amqp.deliveries import REMEMBERED, Deliveries, encoded_header
from minibroker.wire.amqp import encode_properties, spec
from minibroker.wire.amqp.frames import content_frames

from ..pair import Client, Frames, Said, publishing

if TYPE_CHECKING:
    from minibroker.wire.amqp.frames import Piece

NAMES = st.text(max_size=40).filter(lambda text: len(text.encode()) < 250)


def entries(broker: Broker) -> list[Entry]:
    """What lies in the outbox of the one connection of a broker."""
    (connection,) = broker.vhosts["/"].connections
    taken = [item for item in connection.outbox if isinstance(item, Entry)]
    connection.outbox.clear()
    return taken


@given(NAMES.filter(bool), st.integers(1, 65535), NAMES, st.binary(max_size=60), st.integers(9, 60))
def test_a_delivery_has_the_bytes_of_the_generic_codec(
    tag: str, number: int, key: str, body: bytes, frame_max: int
) -> None:
    with Broker(clock=ManualClock()) as broker:
        channel = broker.connect().channel(number)
        channel.declare_queue("q", durable=True)
        channel.bind_queue("q", "amq.fanout", "")
        channel.consume("q", tag=tag)
        properties = Properties(priority=5)
        channel.publish("amq.fanout", key, body, properties)
        channel.publish("amq.fanout", key, body, properties)
        first, second = entries(broker)
        channel.reject(first.tag)
        (again,) = entries(broker)
        deliveries = Deliveries(frame_max)
        for entry in (first, second, again):
            out: list[Piece] = []
            deliveries.deliver(entry, out)
            method = spec.BasicDeliver(tag, entry.tag, entry is again, "amq.fanout", key)
            header = encode_properties(properties)
            expected = content_frames(number, method, header, body, frame_max)
            assert b"".join(out) == b"".join(expected)


@pytest.mark.parametrize("frame_max", [0, 4096, 131_072])
@pytest.mark.parametrize("size", [0, 1, 4088, 4089, 200_000])
def test_bodies_are_cut_at_the_size_that_was_negotiated(
    broker: Broker, frame_max: int, size: int
) -> None:
    channel = broker.connect().channel()
    channel.declare_queue("q", durable=True)
    channel.consume("q", tag="t")
    channel.publish("", "q", bytes(size))
    out: list[Piece] = []
    (entry,) = entries(broker)
    Deliveries(frame_max).deliver(entry, out)
    frames = Frames()
    frames.frame_max = frame_max
    (said,) = frames.read(b"".join(out))
    assert said.method == spec.BasicDeliver("t", 1, False, "", "q")
    assert said.body == bytes(size)


def test_properties_are_encoded_once_for_all_who_get_them() -> None:
    properties = Properties(content_type="a")
    first = encoded_header(properties)
    assert encoded_header(properties) is first
    assert properties.encoded is first


def test_a_new_consumer_with_the_tag_of_one_that_is_gone_is_not_taken_for_it(
    client: Client,
) -> None:
    client.ask(2, spec.ChannelOpen(), spec.ChannelOpenOk)
    client.declare(1, "q")
    for channel in (1, 2, 1):
        client.ask(channel, spec.BasicConsume("q", "t"), spec.BasicConsumeOk)
        (said,) = client.publish(channel, b"m", key="q")
        assert said.channel == channel
        client.ask(channel, spec.BasicCancel("t"), spec.BasicCancelOk)


def test_only_so_many_beginnings_are_remembered(client: Client) -> None:
    client.declare(1, "q")
    client.ask(1, spec.QueueBind("q", "amq.fanout"), spec.QueueBindOk)
    client.ask(1, spec.BasicConsume("q", "t", no_ack=True), spec.BasicConsumeOk)
    count = REMEMBERED + 100
    data = b"".join(
        publishing(1, b"", exchange="amq.fanout", key=str(number)) for number in range(count)
    )
    said = client.feed(data)
    keys = [each.method.routing_key for each in said]  # type: ignore[attr-defined]  # deliveries
    assert keys == list(map(str, range(count)))
    assert isinstance(client.server.deliveries, Deliveries)
    assert len(client.server.deliveries._begun) <= REMEMBERED


def test_one_body_goes_to_all_who_get_it_without_a_copy(broker: Broker) -> None:
    body = bytes(100_000)
    clients = [Client(broker).open(1) for _ in range(3)]
    for number, client in enumerate(clients):
        client.declare(1, f"q{number}")
        client.ask(1, spec.QueueBind(f"q{number}", "amq.fanout"), spec.QueueBindOk)
        client.ask(1, spec.BasicConsume(f"q{number}"), spec.BasicConsumeOk)
    broker.connect().channel().publish("amq.fanout", "", body)
    for client in clients:
        assert any(piece is body for piece in client.server.take())


def test_a_message_that_was_published_here_goes_out_with_the_properties_it_came_with(
    client: Client,
) -> None:
    header = encode_properties(Properties(headers={"a": [1, {"b": None}]}, app_id="me"))
    client.declare(1, "q")
    client.ask(1, spec.BasicConsume("q", "t"), spec.BasicConsumeOk)
    assert client.publish(1, b"m", key="q", header=header) == [
        Said(1, spec.BasicDeliver("t", 1, False, "", "q"), header, b"m")
    ]
