from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker.errors import ConnectionForced
from minibroker.gate import DISK
from minibroker.server import ServerSettings
from minibroker.server.amqp.base import BACKLOG
from minibroker.server.amqp.states import CLOSED, CLOSING
from minibroker.wire.amqp import spec
from minibroker.wire.native import ACK, CREDIT, HEARTBEAT, HEARTBEAT_FRAME, METHOD, PART, PUBLISH
from minibroker.wire.native.frames import frame

from .native_pair import NativeClient

if TYPE_CHECKING:
    from minibroker import Broker, ManualClock


@pytest.mark.parametrize(
    ("payload", "code", "text"),
    [
        ([99, 0], 503, "frame of unknown kind 99"),
        (["x", 0], 503, "frame of unknown kind 'x'"),
        ([[], 0], 503, "frame of unknown kind []"),
        ([True, 0], 503, "unknown kind True"),
        ([PUBLISH, "1"], 502, "'1' is no number of a channel"),
        ([PUBLISH, -1, []], 502, "-1 is no number"),
        ([PUBLISH, 70_000, []], 502, "70000 is no number"),
        ([PUBLISH, 9, []], 504, "expected 'channel.open'"),
        ([ACK, 9, []], 504, "expected 'channel.open'"),
        ([PART, 9, b""], 504, "expected 'channel.open'"),
        ([PART, 1, b""], 505, "not announced"),
        ([HEARTBEAT, 1], 505, "a heartbeat"),
        ([HEARTBEAT, 0, 1], 505, "a heartbeat"),
        ([CREDIT, 0, -1], 502, "credit is a number of bytes"),
        ([CREDIT, 0], 502, "credit is a number of bytes"),
        ([METHOD, 1], 502, "a method without its number"),
        ([METHOD, 1, "x"], 502, "no number of a method"),
        ([METHOD, 1, 1 << 40], 502, "no number of a method"),
        ([METHOD, 1, -1], 502, "no number of a method"),
        ([METHOD, 1, 99 << 16 | 1], 503, "unknown method 99.1"),
        ([METHOD, 1, 60 << 16 | 40, "", "q", False, False], 503, "unimplemented method"),
        ([METHOD, 0, 10 << 16 | 40, "/"], 503, "unimplemented method"),
        ([PUBLISH, 1, 5], 502, "PUBLISH has one array"),
        ([PUBLISH, 1], 502, "PUBLISH has one array"),
        ([PUBLISH, 1, [b"x"]], 502, "item 0 of PUBLISH is out of place"),
        ([PUBLISH, 1, [["", "q", b""], b"x"]], 502, "a route has 4 fields, not 3"),
        ([PUBLISH, 1, [["", "q", "", False], b"x"]], 502, "not exchange, routing key"),
        ([PUBLISH, 1, [["", "q" * 256, b"", False]]], 502, "longer than 255 bytes"),
        ([PUBLISH, 1, [["", "q", b"\xc1", False]]], 502, "not msgpack"),
        ([PUBLISH, 1, [["", "q", b"", False], 5, b"x"]], 502, "out of place"),
        ([PUBLISH, 1, [["", "q", b"", False], True]], 502, "out of place"),
        ([PUBLISH, 1, [["", "q", b"", False], 1 << 40]], 501, "is over"),
        ([ACK, 1, 5], 502, "ACK has one array"),
        ([ACK, 1, [1]], 502, "ACK has one array"),
        ([ACK, 1, [0, 1]], 502, "no range of delivery tags"),
        ([ACK, 1, [2, 1]], 502, "no range of delivery tags"),
        ([ACK, 1, [1, "x"]], 502, "no range of delivery tags"),
    ],
)
def test_what_may_not_come_ends_the_connection_and_is_told(
    native: NativeClient, payload: list[Any], code: int, text: str
) -> None:
    said = native.send(payload)
    [[_, number, close]] = said
    assert (number, type(close)) == (0, spec.ConnectionClose)
    assert close.reply_code == code
    assert text in close.reply_text
    assert native.server.state is CLOSING
    assert native.send([PUBLISH, 1, [["", "q", b"", False], b"ignored"]]) == []
    native.tell(0, spec.ConnectionCloseOk())
    assert native.server.state is CLOSED
    assert native.server.ending


def test_a_frame_that_is_too_long_is_refused_by_its_size(native: NativeClient) -> None:
    [[_, _, close]] = native.raw(b"\x7f\xff\xff\xff")
    assert close.reply_code == 501


def test_bytes_that_are_no_msgpack_are_refused(native: NativeClient) -> None:
    [[_, _, close]] = native.raw(b"\x00\x00\x00\x01\xc1")
    assert (close.reply_code, "not msgpack" in close.reply_text) == (502, True)


def test_what_comes_behind_a_close_of_the_client_is_not_read(native: NativeClient) -> None:
    close = frame([METHOD, 0, 10 << 16 | 50, 200, "", 0, 0])
    said = native.raw(close + b"\xff" * 100)
    assert said == [[METHOD, 0, spec.ConnectionCloseOk()]]
    assert native.server.ending


def test_a_channel_error_closes_the_channel_and_leaves_the_connection(native: NativeClient) -> None:
    [[_, number, close]] = native.publish(1, b"x", exchange="nowhere")
    assert (number, type(close), close.reply_code) == (1, spec.ChannelClose, 404)
    assert (close.class_id, close.method_id) == (60, 40)
    assert native.publish(1, b"ignored") == []
    assert native.send([ACK, 1, [1, 1]], [PART, 1, b"x"]) == []
    assert native.tell(1, spec.ChannelCloseOk()) == []
    assert native.ask(1, spec.ChannelOpen()) == spec.ChannelOpenOk()
    assert native.ready() == 0


def test_methods_have_the_answers_and_errors_of_amqp(native: NativeClient) -> None:
    assert native.ask(1, spec.ExchangeDeclare("e", "topic")) == spec.ExchangeDeclareOk()
    assert native.ask(1, spec.QueueBind("q", "e", "a.#")) == spec.QueueBindOk()
    native.publish(1, b"1", b"2", exchange="e", key="a.b")
    assert native.ask(1, spec.QueuePurge("q")) == spec.QueuePurgeOk(2)
    close = native.ask(1, spec.QueueDeclare("q", durable=True))
    assert (close.reply_code, close.class_id, close.method_id) == (406, 50, 10)


def test_transactions_publish_and_settle_at_their_commit(native: NativeClient) -> None:
    native.ask(1, spec.TxSelect())
    native.publish(1, b"1")
    assert native.ready() == 0
    native.ask(1, spec.TxCommit())
    assert native.ready() == 1
    got = native.tell(1, spec.BasicGet("q"))[0]
    native.send([ACK, 1, [got[2], got[2]]])
    native.ask(1, spec.TxRollback())
    native.tell(1, spec.BasicReject(got[2], requeue=True))
    native.ask(1, spec.TxCommit())
    assert native.ready() == 1


def test_heartbeats_go_both_ways(broker: Broker, clock: ManualClock) -> None:
    client = NativeClient(broker).open(1, heartbeat=10)
    client.said()
    clock.advance(10.1)
    assert client.said() == [[HEARTBEAT, 0]]
    client.raw(HEARTBEAT_FRAME)
    clock.advance(10)
    assert not client.server.aborted
    clock.advance(25)
    assert client.server.aborted


def test_who_publishes_over_the_limit_is_told_and_held_and_goes_on_later(
    native: NativeClient, broker: Broker
) -> None:
    gate, guard = broker.host.gate, broker.host.guard
    with guard:
        gate.shut(DISK, lambda: "")
    assert native.publish(1, b"1", b"2") == [[METHOD, 0, spec.ConnectionBlocked("low on disk")]]
    assert not native.server.reading
    assert native.publish(1, b"3") == []
    with guard:
        gate.open(DISK)
    assert native.said() == [[METHOD, 0, spec.ConnectionUnblocked()]]
    assert native.ready() == 3


def test_a_batch_stops_where_the_limit_is_reached_and_goes_on_later(
    make_broker: Any, native: NativeClient
) -> None:
    broker = make_broker(memory_limit=10_000)
    client = NativeClient(broker).open(1)
    client.declare()
    bodies = [bytes(4000)] * 8
    client.publish(1, *bodies)
    queue = broker.vhosts["/"].queues["q"]
    assert 2 <= queue.message_count < 8
    for _ in range(8):
        broker.connect().channel().purge_queue("q")
        client.said()
    client.publish(1, b"end")
    assert client.ready() <= 2
    assert client.server.reading


def test_answers_that_are_not_taken_hold_what_asks_for_more(native: NativeClient) -> None:
    native.publish(1, bytes(BACKLOG // 2))
    get = frame([METHOD, 1, 60 << 16 | 70, "q", False])
    reject = frame([METHOD, 1, 60 << 16 | 90, 1, True])
    native.server.receive((get + reject) * 1)
    native.server.receive(get * 6)
    native.server.receive(b"")
    assert native.server.weight < 2 * BACKLOG + 1000
    while not native.server.reading:
        native.said()


def test_the_broker_may_end_the_connection(native: NativeClient) -> None:
    native.server.fail(ConnectionForced("shutdown"))
    [[_, _, close]] = native.said()
    assert close.reply_code == 320


def test_channels_have_their_limit(broker: Broker) -> None:
    client = NativeClient(broker, ServerSettings(channel_max=2)).open(1, 2)
    assert client.hello["channel_max"] == 2
    [[_, _, close]] = client.tell(3, spec.ChannelOpen())
    assert close.reply_code == 530


def test_a_client_that_is_gone_gives_back_what_it_had(native: NativeClient, broker: Broker) -> None:
    native.publish(1, b"1")
    native.tell(1, spec.BasicGet("q"))
    native.server.lost()
    assert broker.vhosts["/"].queues["q"].message_count == 1
