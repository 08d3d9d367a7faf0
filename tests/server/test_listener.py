"""The server on real sockets: turns, slow and hostile clients, what the log is told, the end."""

from __future__ import annotations

import asyncio
import logging
import struct
import threading
from typing import TYPE_CHECKING, Any

import pytest

from minibroker import Broker, ManualClock
from minibroker.server import HostedServer, Server, ServerSettings
from minibroker.server.amqp.connection import WINDOW
from minibroker.server.hosting import Address
from minibroker.server.listener import WRITE_BUFFER, _Socket
from minibroker.wire.amqp import spec
from minibroker.wire.amqp.constants import PROTOCOL_HEADER
from minibroker.wire.amqp.frames import method_frame

from ..interop.needed import needed_module
from .dialing import Caller
from .pair import publishing, raw_method

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOPBACK = Address("127.0.0.1", 0, None, None)
MIB = 1 << 20


@pytest.fixture(params=["asyncio", "uvloop"])
def serve(request: pytest.FixtureRequest) -> Iterator[Callable[..., HostedServer]]:
    """`serve(broker, settings)`: servers on either loop, closed when the test is over."""
    uvloop = request.param == "uvloop"
    if uvloop:
        pytest.importorskip("uvloop")
    servers: list[HostedServer] = []

    def begin(broker: Broker, settings: ServerSettings | None = None) -> HostedServer:
        servers.append(HostedServer(broker, LOOPBACK, settings, uvloop=uvloop))
        return servers[-1]

    yield begin
    for server in servers:
        server.close(timeout=0.2)


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A broker with the time of the system."""
    with Broker(profile="rabbitmq-3.10") as broker:
        yield broker
        broker._check()


@pytest.fixture
def stopped(clock: ManualClock) -> Iterator[Broker]:
    """A broker whose time stands still."""
    with Broker(profile="rabbitmq-3.10", clock=clock) as broker:
        yield broker
        broker._check()


def inside(server: HostedServer, function: Callable[[Server], Any]) -> Any:
    """What a function says of a server, called in the server's thread."""
    inner = server._server
    assert inner is not None

    async def call() -> Any:
        return function(inner)

    return asyncio.run_coroutine_threadsafe(call(), inner.loop).result(30)


# -- turns


def test_a_session_from_beginning_to_end(
    broker: Broker, serve: Callable[..., HostedServer]
) -> None:
    with Caller(serve(broker).url) as caller:
        caller.open(1)
        caller.ask(1, spec.QueueDeclare("q", durable=True), spec.QueueDeclareOk)
        caller.ask(1, spec.BasicConsume("q", "t"), spec.BasicConsumeOk)
        caller.send(publishing(1, b"body", key="q"))
        (said,) = caller.read(1)
        assert (said.method, said.body) == (spec.BasicDeliver("t", 1, False, "", "q"), b"body")
        caller.goodbye()
    assert broker.vhosts["/"].connections == set()


def test_much_at_once_from_one_client_all_arrives_and_others_are_served_meanwhile(
    broker: Broker, serve: Callable[..., HostedServer]
) -> None:
    url = serve(broker).url
    count = 20_000
    with Caller(url) as busy, Caller(url) as other:
        busy.open(1)
        other.open(1)
        busy.ask(1, spec.QueueDeclare("q", durable=True), spec.QueueDeclareOk)
        busy.ask(1, spec.ConfirmSelect(), spec.ConfirmSelectOk)
        data = publishing(1, bytes(300), key="q") * count
        sender = threading.Thread(target=busy.send, args=(data,))
        sender.start()
        for _ in range(20):
            other.ask(1, spec.BasicQos(), spec.BasicQosOk)
        confirmed = 0
        while confirmed < count:
            said = busy.read_at_least(1)[-1]
            assert isinstance(said.method, spec.BasicAck)
            confirmed = said.method.delivery_tag
        sender.join()
        ok = other.ask(1, spec.QueueDeclare("q", passive=True), spec.QueueDeclareOk)
        assert ok.message_count == count


def test_a_message_that_another_thread_publishes_wakes_the_server(
    broker: Broker, serve: Callable[..., HostedServer]
) -> None:
    channel = broker.connect().channel()
    channel.declare_queue("q", durable=True)
    with Caller(serve(broker).url) as caller:
        caller.open(1)
        caller.ask(1, spec.BasicConsume("q", "t"), spec.BasicConsumeOk)
        for number in range(100):
            channel.publish("", "q", str(number).encode())
        bodies = [each.body for each in caller.read(100)]
        assert bodies == [str(number).encode() for number in range(100)]


def test_confirms_of_a_broker_with_a_log_come_soon(
    tmp_path: object, serve: Callable[..., HostedServer]
) -> None:
    with Broker(data=str(tmp_path)) as broker:
        server = serve(broker)
        with Caller(server.url) as caller:
            caller.open(1)
            caller.ask(1, spec.QueueDeclare("q", durable=True), spec.QueueDeclareOk)
            caller.ask(1, spec.ConfirmSelect(), spec.ConfirmSelectOk)
            caller.send(publishing(1, b"m", key="q", header=b"\x10\x00\x02") * 3)
            confirmed = 0
            while confirmed < 3:
                said = caller.read_at_least(1)[-1]
                assert isinstance(said.method, spec.BasicAck)
                confirmed = said.method.delivery_tag
            caller.goodbye()


def test_pika_sees_nothing_unusual(broker: Broker, serve: Callable[..., HostedServer]) -> None:
    pika = needed_module("pika")
    connection = pika.BlockingConnection(pika.URLParameters(serve(broker).url))
    channel = connection.channel()
    channel.queue_declare("q", durable=True)
    channel.confirm_delivery()
    for size in (0, 1, 131_064, 131_065, MIB):
        channel.basic_publish("", "q", bytes(size))
        method, _, body = channel.basic_get("q", auto_ack=True)
        assert (method.routing_key, len(body)) == ("q", size)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="no queue 'nowhere'"):
        channel.basic_get("nowhere")
    connection.close()


# -- clients that do not read


def test_a_slow_reader_of_a_large_backlog_holds_a_window_and_no_more(
    broker: Broker, serve: Callable[..., HostedServer]
) -> None:
    channel = broker.connect().channel()
    channel.declare_queue("q", durable=True)
    body = bytes(MIB)
    count = 128
    for _ in range(count):
        channel.publish("", "q", body)
    server = serve(broker)
    with Caller(server.url, receive_buffer=64 << 10) as slow, Caller(server.url) as other:
        slow.open(1)
        other.open(1)
        slow.send(method_frame(1, spec.BasicConsume("q", "t", no_ack=True)))
        for _ in range(30):  # each of which is a turn of the server at least
            other.ask(1, spec.BasicQos(), spec.BasicQosOk)
            assert inside(server, waiting) <= WRITE_BUFFER + 2 * WINDOW + 2 * MIB
        passive = spec.QueueDeclare("q", passive=True)
        ready = other.ask(1, passive, spec.QueueDeclareOk).message_count
        assert ready >= count - 16  # what the kernel's buffers hold is out of reach
        said = slow.read(1 + count)
        assert [len(each.body) for each in said[1:]] == [MIB] * count


def waiting(server: Server) -> int:
    """Bytes for clients that a server holds, whether encoded or not."""
    total = 0
    for each in server.connections:
        protocol = each.protocol
        total += each.transport.get_write_buffer_size() + sum(map(len, protocol.out))
        if protocol.model is not None:
            items: list[Any] = list(protocol.model.outbox)
            total += sum(len(item.message.body) for item in items if hasattr(item, "message"))
    return total


def test_who_asks_and_does_not_read_the_answers_is_not_read_either(
    broker: Broker, serve: Callable[..., HostedServer]
) -> None:
    channel = broker.connect().channel()
    channel.declare_queue("q", durable=True)
    channel.publish("", "q", bytes(MIB))
    server = serve(broker)
    count = 64
    asked = b"".join(
        method_frame(1, spec.BasicGet("q")) + method_frame(1, spec.BasicReject(tag, requeue=True))
        for tag in range(1, count + 1)
    )
    with Caller(server.url, receive_buffer=64 << 10) as slow, Caller(server.url) as other:
        slow.open(1)
        other.open(1)
        slow.send(asked)
        for _ in range(30):
            other.ask(1, spec.BasicQos(), spec.BasicQosOk)
            assert inside(server, waiting) <= WRITE_BUFFER + 3 * MIB
        assert [len(each.body) for each in slow.read(count)] == [MIB] * count


def test_who_says_goodbye_without_reading_is_dropped_after_a_time(
    broker: Broker, serve: Callable[..., HostedServer]
) -> None:
    channel = broker.connect().channel()
    channel.declare_queue("q", durable=True)
    for _ in range(16):
        channel.publish("", "q", bytes(MIB))
    server = serve(broker, ServerSettings(close_timeout=0.2))
    with Caller(server.url, receive_buffer=64 << 10) as slow:
        slow.open(1)
        slow.send(method_frame(1, spec.BasicConsume("q", "t", no_ack=True)))
        assert isinstance(slow.read(1)[0].method, spec.BasicConsumeOk)
        slow.send(method_frame(0, spec.ConnectionClose()))
        inner = server._server
        assert inner is not None
        asyncio.run_coroutine_threadsafe(inner._empty.wait(), inner.loop).result(30)
    assert broker.vhosts["/"].connections == {channel.connection}


# -- hostile clients


@pytest.mark.semantics(2)
def test_slow_handshakes_are_dropped_and_harm_nobody(
    stopped: Broker, clock: ManualClock, serve: Callable[..., HostedServer]
) -> None:
    server = serve(stopped)
    start_ok = method_frame(0, spec.ConnectionStartOk({}, "PLAIN", b"\0guest\0guest"))
    begun = [b"", b"AMQ", PROTOCOL_HEADER, PROTOCOL_HEADER + start_ok[:20]]
    begun += [PROTOCOL_HEADER + start_ok, PROTOCOL_HEADER + b"\x01\0\0\0\0\x10\0"]
    slow = [Caller(server.url) for _ in range(10) for _ in begun]
    for number, caller in enumerate(slow):
        caller.send(begun[number % len(begun)])
    with Caller(server.url) as healthy:
        healthy.open(1)
        assert inside(server, lambda inner: len(inner.connections)) == len(slow) + 1
        clock.advance(9)
        healthy.ask(1, spec.BasicQos(), spec.BasicQosOk)
        clock.advance(1)
        for caller in slow:
            caller.rest()
            caller.socket.close()
        healthy.ask(1, spec.BasicQos(), spec.BasicQosOk)
        assert inside(server, lambda inner: len(inner.connections)) == 1


def test_anything_that_is_no_amqp_is_answered_with_what_is(
    broker: Broker, serve: Callable[..., HostedServer]
) -> None:
    server = serve(broker)
    for sent in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" + bytes(200)):
        with Caller(server.url) as caller:
            caller.send(sent)
            assert caller.receive() == PROTOCOL_HEADER
            assert caller.receive() == b""


HOSTILE = {
    "a frame without an end": raw_method(1, 60, 70, b"\0\0\x01q\0")[:-1] + b"\x00",
    "a frame that says it is large": b"\x01\x00\x01\xff\xff\xff\xff" + bytes(100),
    "a table that says it is large": raw_method(
        1, 50, 10, b"\0\0\x01q\0\xff\xff\xff\xff" + bytes(9)
    ),
    "deep nesting": raw_method(
        1, 50, 10, b"\0\0\x01q\0" + struct.pack(">I", 9000) + b"\x01kA\0\0\x20\0" * 1280 + bytes(40)
    ),
    "a method of nobody": raw_method(1, 9999, 9999),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_client_gets_its_code_and_the_others_notice_nothing(
    broker: Broker, serve: Callable[..., HostedServer], name: str
) -> None:
    server = serve(broker)
    with Caller(server.url) as hostile, Caller(server.url) as healthy:
        healthy.open(1)
        hostile.open(1)
        hostile.send(HOSTILE[name])
        (said,) = hostile.read(1)
        assert isinstance(said.method, spec.ConnectionClose)
        assert said.method.reply_code in {501, 502, 503}
        hostile.send(method_frame(0, spec.ConnectionCloseOk()))
        healthy.ask(1, spec.BasicQos(), spec.BasicQosOk)


def test_half_a_frame_and_then_nothing_is_no_harm(
    broker: Broker, serve: Callable[..., HostedServer]
) -> None:
    server = serve(broker)
    whole = publishing(1, b"body", key="q")
    for cut in (1, 6, 7, 8, 20, len(whole) - 1):
        with Caller(server.url) as half:
            half.open(1)
            half.send(whole[:cut])
    with Caller(server.url) as caller:
        caller.open(1)
        caller.goodbye()


def test_a_client_that_only_stops_sending_is_gone(
    broker: Broker, serve: Callable[..., HostedServer]
) -> None:
    with Caller(serve(broker).url) as caller:
        caller.open(1)
        caller.socket.shutdown(1)
        assert caller.receive() == b""
    assert broker.vhosts["/"].connections == set()


# -- an error of the broker


def test_an_error_of_the_broker_is_541_and_in_the_log(
    broker: Broker,
    serve: Callable[..., HostedServer],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("on purpose")

    with Caller(serve(broker).url) as caller:
        caller.open(1)
        (connection,) = broker.vhosts["/"].connections
        monkeypatch.setattr(type(connection.channels[0]), "purge_queue", fail)
        caller.send(method_frame(1, spec.QueuePurge("q")))
        (said,) = caller.read(1)
        text = "INTERNAL_ERROR - an error of the broker, see its log"
        assert said.method == spec.ConnectionClose(541, text, 0, 0)
    assert "an error of the broker" in caplog.text
    assert "on purpose" in caplog.text


def test_an_error_while_writing_ends_one_connection_and_not_the_turn(
    broker: Broker,
    serve: Callable[..., HostedServer],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = serve(broker)
    with Caller(server.url) as wrong, Caller(server.url) as right:
        wrong.open(1)
        right.open(1)
        for caller in (wrong, right):
            caller.ask(1, spec.QueueDeclare("q", durable=True), spec.QueueDeclareOk)
        fan = broker.connect().channel()
        for number, caller in enumerate((wrong, right)):
            caller.ask(1, spec.QueueDeclare(f"q{number}", durable=True), spec.QueueDeclareOk)
            caller.ask(1, spec.QueueBind(f"q{number}", "amq.fanout"), spec.QueueBindOk)
            caller.ask(1, spec.BasicConsume(f"q{number}"), spec.BasicConsumeOk)

        def break_first(inner: Server) -> None:
            for each in inner.connections:
                model = each.protocol.model
                assert model is not None
                if any(
                    tag for tag in model.channels[0].consumers.values() if tag.queue.name == "q0"
                ):
                    monkeypatch.setattr(each.protocol, "take", None)

        inside(server, break_first)
        fan.publish("amq.fanout", "", b"m")
        assert right.read(1)[0].body == b"m"
        assert wrong.receive() == b""
    assert "an error of the broker" in caplog.text


# -- the log


def test_the_log_is_told_who_came_and_what_was_refused(
    broker: Broker, serve: Callable[..., HostedServer], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "minibroker.server")
    with Caller(serve(broker).url) as caller:
        caller.open(1)
        caller.ask(1, spec.BasicGet("nowhere"), spec.ChannelClose)
        caller.send(method_frame(1, spec.ChannelCloseOk()) + method_frame(0, spec.TxSelect()))
        caller.read(1)
        caller.send(method_frame(0, spec.ConnectionCloseOk()))
        assert caller.receive() == b""
    told = [
        (record.levelname, record.__dict__["fields"]["event"])
        for record in caplog.records
        if record.name == "minibroker.server"
    ]
    assert told[:3] == [
        ("INFO", "connected"),
        ("WARNING", "channel closed"),
        ("WARNING", "closing"),
    ]
    fields = caplog.records[0].__dict__["fields"]
    assert fields["user"] == "guest"
    assert fields["peer"].startswith("127.0.0.1:")


def test_a_log_that_does_not_want_to_know_is_told_nothing(
    broker: Broker, serve: Callable[..., HostedServer], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "minibroker.server")
    with Caller(serve(broker).url) as caller:
        caller.open(1)
        caller.goodbye()
    assert caplog.records == []


# -- the end


def test_closing_tells_everybody_and_waits_for_their_answers(
    broker: Broker, serve: Callable[..., HostedServer]
) -> None:
    server = serve(broker)
    callers = [Caller(server.url).open(1) for _ in range(5)]
    ending = threading.Thread(target=server.close, args=(20,))
    ending.start()
    text = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"
    for caller in callers:
        (said,) = caller.read(1)
        assert said.method == spec.ConnectionClose(320, text, 0, 0)
    assert ending.is_alive()
    for caller in callers:
        caller.send(method_frame(0, spec.ConnectionCloseOk()))
        assert caller.receive() == b""
        caller.socket.close()
    ending.join()


@pytest.mark.semantics(16)
def test_closing_does_not_wait_for_who_waits_at_the_gate(
    serve: Callable[..., HostedServer],
) -> None:
    with Broker(memory_limit=0) as broker:
        channel = broker.connect().channel()
        channel.declare_queue("q", durable=True)
        channel.publish("", "q", b"too much")
        server = serve(broker)
        with Caller(server.url) as caller:
            caller.open(1)
            caller.send(publishing(1, b"m", key="q"))
            ending = threading.Thread(target=server.close, args=(20,))
            ending.start()
            (said,) = caller.read(1)
            assert isinstance(said.method, spec.ConnectionClose)
            caller.send(method_frame(0, spec.ConnectionCloseOk()))
            assert caller.receive() == b""
            ending.join()


def test_who_comes_while_a_server_closes_is_dropped(
    broker: Broker, serve: Callable[..., HostedServer]
) -> None:
    server = serve(broker)

    def closing(inner: Server, on: bool) -> None:
        inner._closing = on

    inside(server, lambda inner: closing(inner, True))
    with Caller(server.url) as caller:
        assert caller.receive() == b""
    inside(server, lambda inner: closing(inner, False))


def test_a_broker_may_have_something_to_say_after_the_loop_is_closed(broker: Broker) -> None:
    async def application() -> Server:
        async with broker.serve("127.0.0.1", 0) as server:
            return server

    server = asyncio.run(application())
    gone = threading.Thread(target=server.woken, args=(_Socket(server),))
    gone.start()
    gone.join()
    server.close_soon()
