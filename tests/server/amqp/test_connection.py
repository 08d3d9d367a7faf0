"""One connection: what belongs to channel 0, which channels there are, and its end."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from minibroker.errors import ConnectionForced
from minibroker.server import ServerSettings
from minibroker.server.amqp.base import BACKLOG
from minibroker.server.amqp.states import CLOSED, CLOSING
from minibroker.wire.amqp import encode_method, spec
from minibroker.wire.amqp.constants import BODY, HEADER
from minibroker.wire.amqp.frames import header_frame, method_frame
from minibroker.wire.amqp.spec import LAYOUTS

from ..pair import PLAIN, Client, Said, frame, publishing, raw_method

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock
    from minibroker.wire.amqp.spec import MethodRecord


def closed(said: list[Said], code: int, text: str, class_id: int, method_id: int) -> None:
    """The one thing that was said is why the connection closes."""
    assert said == [Said(0, spec.ConnectionClose(code, text, class_id, method_id))]


# -- closing


@pytest.mark.semantics(15)
def test_a_close_is_answered_when_the_exclusive_queues_are_gone(
    broker: Broker, client: Client
) -> None:
    client.declare(1, "mine", exclusive=True, durable=False)
    client.server.receive(method_frame(0, spec.ConnectionClose(200, "bye")))
    assert "mine" not in broker.vhosts["/"].queues
    assert client.said() == [Said(0, spec.ConnectionCloseOk())]
    assert client.server.ending
    assert client.server.state is CLOSED
    assert broker.vhosts["/"].connections == set()


def test_what_was_unacked_goes_back_when_a_connection_ends(broker: Broker) -> None:
    for end in ("close", "lost", "abort"):
        client, other = Client(broker).open(1), Client(broker).open(1)
        client.declare(1, "q")
        client.publish(1, end.encode(), key="q")
        client.send(1, spec.BasicGet("q"))
        if end == "close":
            client.send(0, spec.ConnectionClose())
        elif end == "lost":
            client.server.lost()
        else:
            client.server.abort("why not")
        (got,) = other.send(1, spec.BasicGet("q", no_ack=True))
        assert got.body == end.encode()
        assert isinstance(got.method, spec.BasicGetOk)
        assert got.method.redelivered


def test_what_was_delivered_before_a_close_comes_before_the_answer_to_it(client: Client) -> None:
    client.declare(1, "q")
    client.send(1, spec.BasicConsume("q", "tag"))
    piece = publishing(1, b"m", key="q") + method_frame(0, spec.ConnectionClose())
    said = client.feed(piece)
    assert [type(each.method) for each in said] == [spec.BasicDeliver, spec.ConnectionCloseOk]


def test_both_sides_may_close_at_the_same_time(client: Client) -> None:
    client.server.fail(ConnectionForced("shutdown"))
    said = client.send(0, spec.ConnectionClose())
    assert [type(each.method) for each in said] == [spec.ConnectionClose, spec.ConnectionCloseOk]
    assert client.server.ending


# -- what may come where


@pytest.mark.semantics(7)
@pytest.mark.parametrize("record", LAYOUTS, ids=lambda record: record.__name__)
def test_on_a_channel_that_is_not_open_nothing_may_come_but_opening_it(
    client: Client, record: type[MethodRecord]
) -> None:
    said = client.feed(method_frame(2, record()))
    if record is spec.ChannelOpen:
        assert said == [Said(2, spec.ChannelOpenOk())]
        return
    class_id, method_id, _ = LAYOUTS[record]
    closed(said, 504, "CHANNEL_ERROR - expected 'channel.open'", class_id, method_id)


OF_CONNECTION = {spec.ConnectionClose, spec.ConnectionUpdateSecret}


@pytest.mark.semantics(7)
@pytest.mark.parametrize("record", LAYOUTS, ids=lambda record: record.__name__)
def test_on_channel_0_nothing_may_come_but_what_is_of_the_connection(
    client: Client, record: type[MethodRecord]
) -> None:
    said = client.feed(method_frame(0, record()))
    if record in OF_CONNECTION:
        assert isinstance(said[0].method, spec.ConnectionCloseOk | spec.ConnectionUpdateSecretOk)
        return
    class_id, method_id, _ = LAYOUTS[record]
    text = "CHANNEL_ERROR - unexpected method in connection state running"
    closed(said, 504, text, class_id, method_id)


@pytest.mark.semantics(7)
def test_a_channel_that_is_open_cannot_be_opened(client: Client) -> None:
    said = client.send(1, spec.ChannelOpen())
    closed(said, 504, "CHANNEL_ERROR - second 'channel.open' seen", 20, 10)


@pytest.mark.semantics(6)
def test_content_where_no_channel_is_may_not_come(broker: Broker) -> None:
    for kind, payload in ((HEADER, bytes(14)), (BODY, b"x")):
        said = Client(broker).open(1).feed(frame(kind, 0, payload))
        octets = ",".join(map(str, payload)) if kind == HEADER else '"x"'
        text = f"UNEXPECTED_FRAME - type {kind}, all octets = <<{octets}>>"
        closed(said, 505, text, 0, 0)
        said = Client(broker).open(1).feed(frame(kind, 2, payload))
        text = "UNEXPECTED_FRAME - expected method frame, got non method frame instead"
        closed(said, 505, text, 0, 0)


def test_a_method_that_there_is_not_ends_the_connection(broker: Broker) -> None:
    for channel in (0, 1, 2):
        (said,) = Client(broker).open(1).feed(raw_method(channel, 60, 99, b"x"))
        assert isinstance(said.method, spec.ConnectionClose)
        assert said.method.reply_code == 503
        assert said.method[2:] == (60, 99)


def test_fields_that_cannot_be_read_end_the_connection_and_name_the_method(
    broker: Broker, client: Client
) -> None:
    whole = encode_method(spec.QueueDeclare("q", arguments={"x-max-length": 5}))
    for cut in range(4, len(whole)):
        (said,) = Client(broker).open(1).feed(frame(1, 1, whole[:cut]))
        assert isinstance(said.method, spec.ConnectionClose)
        assert said.method.reply_code in {501, 502}
        assert said.method[2:] == (50, 10)
    assert broker.vhosts["/"].queues == {}


# -- channels


@pytest.mark.semantics(8)
def test_one_channel_more_than_was_negotiated_ends_the_connection(broker: Broker) -> None:
    client = Client(broker).open(7, 65535, channel_max=2)
    text = "number of channels opened (2) has reached the negotiated channel_max (2)"
    closed(client.send(1, spec.ChannelOpen()), 530, f"NOT_ALLOWED - {text}", 0, 0)


@pytest.mark.semantics(8)
def test_it_is_the_count_of_channels_that_is_limited_not_their_number(broker: Broker) -> None:
    client = Client(broker).open(60000, 3, channel_max=2)
    client.ask(3, spec.ChannelClose(), spec.ChannelCloseOk)
    client.ask(9, spec.ChannelOpen(), spec.ChannelOpenOk)
    client.ask(60000, spec.BasicQos(), spec.BasicQosOk)


def test_all_65535_channels_can_be_open_at_one_time(broker: Broker) -> None:
    client = Client(broker, ServerSettings(channel_max=0)).open(channel_max=0)
    opening = b"".join(method_frame(number, spec.ChannelOpen()) for number in range(1, 65536))
    said = client.feed(opening)
    assert [each.channel for each in said] == list(range(1, 65536))
    client.declare(65535, "q")
    client.send(65535, spec.BasicConsume("q", "t", no_ack=True))
    (delivered,) = client.publish(1, b"m", key="q")
    assert (delivered.channel, delivered.body) == (65535, b"m")
    client.ask(0, spec.ConnectionClose(), spec.ConnectionCloseOk)


# -- permissions


@pytest.mark.semantics(14)
def test_a_new_secret_makes_permissions_count_again(make_broker: Callable[..., Broker]) -> None:
    broker = make_broker(profile="rabbitmq-3.10")
    broker.add_user("guest", password="guest")
    broker.set_permissions("guest", "/")
    client = Client(broker).open(1)
    client.declare(1, "q")
    client.declare(1, "open")
    client.send(1, spec.BasicConsume("q", "A"), spec.BasicConsume("open", "B"))
    broker.set_permissions("guest", "/", read="open")
    said = client.send(0, spec.ConnectionUpdateSecret(b"new", "because"))
    assert sorted(said, key=lambda each: each.channel) == [
        Said(0, spec.ConnectionUpdateSecretOk()), Said(1, spec.BasicCancel("A", nowait=True))
    ]  # fmt: skip
    said = client.send(1, spec.BasicGet("q"))
    assert isinstance(said[0].method, spec.ChannelClose)
    assert said[0].method.reply_code == 403


@pytest.mark.semantics(14)
def test_a_user_who_may_not_connect_any_more_is_told_so(make_broker: Callable[..., Broker]) -> None:
    broker = make_broker()
    broker.add_user("guest", password="guest")
    broker.set_permissions("guest", "/")
    client = Client(broker).open(1)
    broker.users.get("guest").permissions.clear()
    (said,) = client.send(0, spec.ConnectionUpdateSecret(b"new", "because"))
    assert isinstance(said.method, spec.ConnectionClose)
    assert said.method.reply_code == 530


def test_update_secret_on_a_channel_is_no_method_of_one(client: Client) -> None:
    said = client.send(1, spec.ConnectionUpdateSecret())
    closed(said, 503, "COMMAND_INVALID - unimplemented method", 10, 70)


# -- output


def test_who_has_much_to_be_told_is_not_read_until_it_was_told(client: Client) -> None:
    client.declare(1, "q")
    body = bytes(100_000)
    client.publish(1, body, key="q")
    get = method_frame(1, spec.BasicGet("q")) + method_frame(1, spec.BasicRecoverAsync(True))
    for _ in range(BACKLOG // len(body) + 1):
        assert client.server.reading
        client.server.receive(get)
    assert not client.server.reading
    client.said()
    assert client.server.reading


def test_the_answers_to_one_piece_are_bounded_and_all_of_them_come(client: Client) -> None:
    client.declare(1, "q")
    size, count = 1 << 16, 500
    client.publish(1, bytes(size), key="q")
    piece = b"".join(
        method_frame(1, spec.BasicGet("q")) + method_frame(1, spec.BasicReject(tag, requeue=True))
        for tag in range(1, count + 1)
    )
    client.server.receive(piece + method_frame(1, spec.BasicQos()))
    assert not client.server.reading
    said: list[Said] = []
    woken = -1
    while client.outlet.woken_times > woken:
        woken = client.outlet.woken_times
        answers = client.said()
        assert sum(len(each.body) for each in answers) <= BACKLOG + 2 * size
        said += answers
    assert len(said) == count + 1
    assert said[-1] == Said(1, spec.BasicQosOk())
    assert client.server.reading


def test_a_client_that_has_much_to_be_told_is_not_given_up_for_silence(
    broker: Broker, clock: ManualClock
) -> None:
    client = Client(broker).open(1, heartbeat=10)
    client.declare(1, "q")
    client.publish(1, bytes(BACKLOG), key="q")
    client.server.receive(method_frame(1, spec.BasicGet("q")) * 2)
    clock.advance("1m")
    assert not client.server.ending
    assert [len(each.body) for each in client.said()] == [BACKLOG, 0]
    clock.advance("1m")
    assert client.server.aborted


def test_who_has_much_to_be_told_may_be_closed(client: Client) -> None:
    client.declare(1, "q")
    client.publish(1, bytes(BACKLOG), key="q")
    client.server.receive(method_frame(1, spec.BasicGet("q")) * 3)
    client.server.fail(ConnectionForced("shutdown"))
    kinds = [type(each.method).__name__ for each in (*client.said(), *client.said())]
    assert kinds == ["BasicGetOk", "ConnectionClose"]
    assert client.server.reading
    client.send(0, spec.ConnectionCloseOk())
    assert client.server.ending


def test_output_is_woken_for_once_until_it_is_taken(broker: Broker, client: Client) -> None:
    client.declare(1, "q")
    client.send(1, spec.BasicConsume("q", "t"))
    client.said()
    woken = client.outlet.woken_times
    other = broker.connect().channel()
    for _ in range(5):
        other.publish("", "q", b"m")
    assert client.outlet.woken_times == woken + 1
    assert len(client.said()) == 5
    other.publish("", "q", b"m")
    assert client.outlet.woken_times == woken + 2


def test_two_channels_may_send_their_content_in_turn(broker: Broker) -> None:
    client = Client(broker).open(1, 2)
    client.declare(1, "q")
    pieces = []
    for channel, body in ((1, b"one"), (2, b"two")):
        pieces.append([
            method_frame(channel, spec.BasicPublish("", "q")),
            header_frame(channel, 3, PLAIN),
            *(frame(BODY, channel, body[at : at + 1]) for at in range(3)),
        ])  # fmt: skip
    said = client.feed(b"".join(b"".join(pair) for pair in zip(*pieces, strict=True)))
    assert said == []
    got = client.send(1, spec.BasicGet("q"), spec.BasicGet("q"))
    assert [each.body for each in got] == [b"one", b"two"]


# -- the broker ends


def test_a_closed_broker_tells_its_clients(make_broker: Callable[..., Broker]) -> None:
    broker = make_broker()
    client = Client(broker).open(1)
    broker.close()
    (said,) = client.said()
    assert isinstance(said.method, spec.ConnectionClose)
    assert said.method.reply_code == 320
    late = Client(broker)
    late.login()
    late.send(0, spec.ConnectionTuneOk(2047, 131_072, 0))
    (said,) = late.send(0, spec.ConnectionOpen("/"))
    assert isinstance(said.method, spec.ConnectionClose)
    assert said.method.reply_code == 320


def test_what_comes_on_a_connection_that_the_broker_just_closed_is_ignored(broker: Broker) -> None:
    for method in (spec.BasicQos(), spec.ChannelClose(), spec.QueueDeclare("q", durable=True)):
        broker.add_vhost("v")
        client = Client(broker).open(1, vhost="v")
        broker.delete_vhost("v")
        (said,) = client.send(1, method)
        text = "CONNECTION_FORCED - vhost 'v' is deleted"
        assert said == Said(0, spec.ConnectionClose(320, text, 0, 0))


def test_who_does_not_answer_a_close_is_dropped(client: Client, clock: ManualClock) -> None:
    client.send(1, spec.ChannelOpen())
    assert client.server.state is CLOSING
    clock.advance(29.999)
    assert not client.server.ending
    clock.advance(0.001)
    assert client.server.aborted
    assert client.outlet.events[-1][1]["reason"] == "no answer to connection.close"


def test_numbers_of_the_specification_are_in_each_close(client: Client) -> None:
    said = client.feed(raw_method(1, 60, 10, struct.pack(">IHB", 1, 0, 0)))
    closed(said, 540, "NOT_IMPLEMENTED - prefetch_size!=0 (1)", 60, 10)
