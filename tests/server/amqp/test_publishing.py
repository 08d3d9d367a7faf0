"""The quick way in of messages does what the general one does, and leaves the rest to it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from minibroker import Properties
from minibroker.server.amqp.channel import decoded
from minibroker.server.amqp.publishing import REMEMBERED, SHORT, Publisher
from minibroker.wire.amqp import encode_properties, spec
from minibroker.wire.amqp.constants import BODY, HEADER, HEARTBEAT_FRAME
from minibroker.wire.amqp.frames import header_frame, method_frame

from ..pair import PLAIN, Client, Said, frame, publishing, raw_method

if TYPE_CHECKING:
    from minibroker import Broker

GET = spec.BasicGet("q", no_ack=True)
HEADERS = Properties(headers={"n": 1}, delivery_mode=2, content_type="text/plain")


def slowly(client: Client, data: bytes) -> list[Said]:
    """The same bytes one by one: that is never the quick way."""
    return [said for at in range(len(data)) for said in client.feed(data[at : at + 1])]


PUBLISHES: dict[str, bytes] = {
    "plain": publishing(1, b"body", key="q"),
    "empty": publishing(1, b"", key="q"),
    "with properties": publishing(1, b"body", key="q", properties=HEADERS),
    "to an exchange": publishing(1, b"body", exchange="amq.fanout", key="any"),
    "unroutable": publishing(1, b"body", key="nowhere"),
    "returned": publishing(1, b"body", key="nowhere", mandatory=True),
    "returned with properties": publishing(
        1, b"", exchange="amq.direct", key="k", mandatory=True, properties=HEADERS
    ),
    "immediate": publishing(1, b"body", key="q", immediate=True),
    "no exchange": publishing(1, b"body", exchange="nowhere"),
    "a wrong expiration": publishing(1, b"b", key="q", properties=Properties(expiration="soon")),
    "of another user": publishing(1, b"b", key="q", properties=Properties(user_id="root")),
    "CC": publishing(1, b"b", key="nowhere", properties=Properties(headers={"CC": ["q"]})),
    "a wrong CC": publishing(1, b"b", key="q", properties=Properties(headers={"CC": 5})),
    "no properties at all": publishing(1, b"b", key="q", header=b""),
    "half properties": publishing(1, b"b", key="q", header=b"\x80\x00\x05a"),
    "too many properties": publishing(1, b"b", key="q", header=PLAIN + b"x"),
    "a name that is not UTF-8": raw_method(1, 60, 40, b"\0\0\0\x01\xff\0")
    + header_frame(1, 1, PLAIN)
    + frame(BODY, 1, b"b"),
    "a field too much": raw_method(1, 60, 40, b"\0\0\0\x01q\0\0")
    + header_frame(1, 1, PLAIN)
    + frame(BODY, 1, b"b"),
    "a header of another class": method_frame(1, spec.BasicPublish("", "q"))
    + frame(HEADER, 1, b"\x00\x32" + bytes(12))
    + frame(BODY, 1, b"b"),
    "a header of another channel": method_frame(1, spec.BasicPublish("", "q"))
    + header_frame(2, 1, PLAIN)
    + frame(BODY, 1, b"b"),
    "a body of another channel": method_frame(1, spec.BasicPublish("", "q"))
    + header_frame(1, 1, PLAIN)
    + frame(BODY, 2, b"b"),
    "a body that is too long": method_frame(1, spec.BasicPublish("", "q"))
    + header_frame(1, 1, PLAIN)
    + frame(BODY, 1, b"bb"),
    "a heartbeat within": method_frame(1, spec.BasicPublish("", "q"))
    + header_frame(1, 1, PLAIN)
    + HEARTBEAT_FRAME
    + frame(BODY, 1, b"b"),
}


@pytest.mark.semantics(19)
@pytest.mark.parametrize("name", PUBLISHES)
def test_a_publish_in_one_piece_is_as_one_byte_by_byte(broker: Broker, name: str) -> None:
    seen = []
    for way in (slowly, Client.feed):
        client = Client(broker).open(1)
        client.ask(1, spec.ConfirmSelect(), spec.ConfirmSelectOk)
        client.declare(1, "q")
        client.ask(1, spec.QueueBind("q", "amq.fanout"), spec.QueueBindOk)
        said = way(client, PUBLISHES[name] + PUBLISHES["plain"])
        other = Client(broker).open(1)
        got = [each for _ in range(3) for each in other.send(1, GET)]
        seen.append((answered(said), got))
    assert seen[0] == seen[1]


def answered(said: list[Said]) -> list[object]:
    """What was said, and confirms as what they mean: byte by byte they cannot be put together."""
    tags: set[int] = set()
    rest: list[object] = []
    for each in said:
        if isinstance(each.method, spec.BasicAck):
            first = max(tags, default=0) + 1 if each.method.multiple else each.method.delivery_tag
            tags.update(range(first, each.method.delivery_tag + 1))
        else:
            rest.append(each)
    return [*rest, tags]


def test_confirms_of_one_piece_are_one_frame(client: Client) -> None:
    client.ask(1, spec.ConfirmSelect(), spec.ConfirmSelectOk)
    client.declare(1, "q")
    said = client.feed(PUBLISHES["plain"] * 100)
    assert said == [Said(1, spec.BasicAck(100, multiple=True))]


def test_a_refused_message_is_read_to_its_end_and_the_next_frames_count(client: Client) -> None:
    client.ask(2, spec.ChannelOpen(), spec.ChannelOpenOk)
    client.declare(1, "q")
    said = client.feed(
        PUBLISHES["plain"]
        + PUBLISHES["no exchange"]
        + PUBLISHES["plain"]
        + publishing(2, b"after", key="q")
        + method_frame(2, spec.QueueDeclare("q", passive=True))
    )
    text = "NOT_FOUND - no exchange 'nowhere' in vhost '/'"
    assert said == [
        Said(1, spec.ChannelClose(404, text, 60, 40)), Said(2, spec.QueueDeclareOk("q", 2, 0)),
    ]  # fmt: skip


@pytest.mark.semantics(6)
def test_a_body_longer_than_a_frame_may_be_is_refused_in_the_quick_way_too(broker: Broker) -> None:
    client = Client(broker).open(1, frame_max=4096)
    client.declare(1, "q")
    most = publishing(1, bytes(4088), key="q")
    (said,) = client.feed(most + publishing(1, bytes(4097), key="q"))
    assert isinstance(said.method, spec.ConnectionClose)
    assert said.method.reply_code == 501
    other = Client(broker).open(1)
    assert other.ask(1, spec.QueueDeclare("q", passive=True), spec.QueueDeclareOk)[1] == 1


@pytest.mark.semantics(6)
@pytest.mark.parametrize("longer", [0, 1])
def test_a_content_header_longer_than_a_frame_may_be_is_refused_in_the_quick_way_too(
    broker: Broker, longer: int
) -> None:
    client = Client(broker).open(1, frame_max=4096)
    client.declare(1, "q")
    filling = 4096 - 12 - 2 - 4 - 2 - 1 - 4 + longer
    value = struct.pack(">I", filling) + bytes(filling)
    header = b"\x20\x00" + struct.pack(">I", len(value) + 3) + b"\x01kS" + value
    assert len(header) + 12 == 4096 + longer
    said = client.publish(1, b"m", key="q", header=header)
    assert [each.method.reply_code for each in said] == [501] * longer  # type: ignore[attr-defined]  # a close


def test_names_with_every_byte_that_utf_8_has(client: Client) -> None:
    names = ["".join(map(chr, range(first, first + 100))) for first in range(0, 300, 100)]
    names += ["\U0001f430" * 63, "a" * 255, "", " ", "\x00", "/", "é" * 127]
    for name in names:
        key = name.replace("\r", "").replace("\n", "")
        assert len(key.encode()) <= 255
        queue = client.ask(1, spec.QueueDeclare(key, durable=True), spec.QueueDeclareOk).queue
        body = queue.encode()
        assert client.publish(1, body, key=queue) == []
        (got,) = client.send(1, spec.BasicGet(queue, no_ack=True))
        assert isinstance(got.method, spec.BasicGetOk)
        assert (got.method.routing_key, got.body) == (queue, body)


# -- what is remembered


def test_short_properties_are_shared_between_messages_and_long_ones_are_not() -> None:
    publisher = Publisher(decoded)
    short = encode_properties(Properties(content_type="a" * 50))
    long = encode_properties(Properties(content_type="a" * SHORT))
    assert publisher.properties(short) is publisher.properties(short)
    assert publisher.properties(long) is not publisher.properties(long)


def test_only_so_many_are_remembered_at_one_time(client: Client) -> None:
    client.declare(1, "q")
    for number in range(2 * REMEMBERED + 10):
        properties = Properties(message_id=str(number))
        client.server.receive(publishing(1, b"", key=f"k{number}", properties=properties))
    publisher = client.server.publisher
    assert len(publisher._methods) <= REMEMBERED
    assert len(publisher._properties) <= REMEMBERED
    assert client.said() == []


def test_a_message_of_a_publisher_that_changes_its_mind_about_immediate(client: Client) -> None:
    client.declare(1, "q")
    said = client.feed(PUBLISHES["plain"] * 2 + PUBLISHES["immediate"] + PUBLISHES["plain"])
    assert said == [Said(0, spec.ConnectionClose(540, "NOT_IMPLEMENTED - immediate=true", 60, 40))]


def test_a_channel_in_transaction_mode_keeps_what_comes_the_quick_way(client: Client) -> None:
    client.declare(1, "q")
    client.ask(1, spec.TxSelect(), spec.TxSelectOk)
    assert client.feed(PUBLISHES["plain"] * 3) == []
    assert client.send(1, GET) == [Said(1, spec.BasicGetEmpty())]
    client.ask(1, spec.TxCommit(), spec.TxCommitOk)
    assert client.ask(1, spec.QueueDeclare("q", passive=True), spec.QueueDeclareOk)[1] == 3
