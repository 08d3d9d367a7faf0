"""The server on real sockets: its turns, errors of the broker, what the log is told, the end."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING

import pytest

from minibroker import Broker
from minibroker.server import HostedServer, Server
from minibroker.server.listener import _Socket
from minibroker.wire.amqp import spec
from minibroker.wire.amqp.frames import method_frame

from .dialing import Caller, inside
from .pair import publishing

if TYPE_CHECKING:
    from collections.abc import Callable

# -- turns


def test_a_session_from_beginning_to_end(
    running: Broker, serve: Callable[..., HostedServer]
) -> None:
    with Caller(serve(running).url) as caller:
        caller.open(1)
        caller.ask(1, spec.QueueDeclare("q", durable=True), spec.QueueDeclareOk)
        caller.ask(1, spec.BasicConsume("q", "t"), spec.BasicConsumeOk)
        caller.send(publishing(1, b"body", key="q"))
        (said,) = caller.read(1)
        assert (said.method, said.body) == (spec.BasicDeliver("t", 1, False, "", "q"), b"body")
        caller.goodbye()
    assert running.vhosts["/"].connections == set()


def test_much_at_once_from_one_client_all_arrives_and_others_are_served_meanwhile(
    running: Broker, serve: Callable[..., HostedServer]
) -> None:
    url = serve(running).url
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
    running: Broker, serve: Callable[..., HostedServer]
) -> None:
    channel = running.connect().channel()
    channel.declare_queue("q", durable=True)
    with Caller(serve(running).url) as caller:
        caller.open(1)
        caller.ask(1, spec.BasicConsume("q", "t"), spec.BasicConsumeOk)
        for number in range(100):
            channel.publish("", "q", str(number).encode())
        bodies = [each.body for each in caller.read(100)]
        assert bodies == [str(number).encode() for number in range(100)]


def test_confirms_of_a_broker_with_a_log_come_soon(
    tmp_path: object, serve: Callable[..., HostedServer]
) -> None:
    with Broker(data=str(tmp_path)) as running:
        server = serve(running)
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


def test_pika_sees_nothing_unusual(running: Broker, serve: Callable[..., HostedServer]) -> None:
    pika = pytest.importorskip("pika")
    connection = pika.BlockingConnection(pika.URLParameters(serve(running).url))
    channel = connection.channel()
    channel.queue_declare("q", durable=True)
    channel.confirm_delivery()
    for size in (0, 1, 131_064, 131_065, 1 << 20):
        channel.basic_publish("", "q", bytes(size))
        method, _, body = channel.basic_get("q", auto_ack=True)
        assert (method.routing_key, len(body)) == ("q", size)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="no queue 'nowhere'"):
        channel.basic_get("nowhere")
    connection.close()


# -- an error of the broker


def test_an_error_of_the_broker_is_541_and_in_the_log(
    running: Broker,
    serve: Callable[..., HostedServer],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("on purpose")

    with Caller(serve(running).url) as caller:
        caller.open(1)
        (connection,) = running.vhosts["/"].connections
        monkeypatch.setattr(type(connection.channels[0]), "purge_queue", fail)
        caller.send(method_frame(1, spec.QueuePurge("q")))
        (said,) = caller.read(1)
        text = "INTERNAL_ERROR - an error of the broker, see its log"
        assert said.method == spec.ConnectionClose(541, text, 0, 0)
    assert "an error of the broker" in caplog.text
    assert "on purpose" in caplog.text


def test_an_error_while_writing_ends_one_connection_and_not_the_turn(
    running: Broker,
    serve: Callable[..., HostedServer],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = serve(running)
    with Caller(server.url) as wrong, Caller(server.url) as right:
        wrong.open(1)
        right.open(1)
        for caller in (wrong, right):
            caller.ask(1, spec.QueueDeclare("q", durable=True), spec.QueueDeclareOk)
        fan = running.connect().channel()
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
    running: Broker, serve: Callable[..., HostedServer], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "minibroker.server")
    with Caller(serve(running).url) as caller:
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
    running: Broker, serve: Callable[..., HostedServer], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "minibroker.server")
    with Caller(serve(running).url) as caller:
        caller.open(1)
        caller.goodbye()
    assert caplog.records == []


# -- the end


def test_closing_tells_everybody_and_waits_for_their_answers(
    running: Broker, serve: Callable[..., HostedServer]
) -> None:
    server = serve(running)
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
    with Broker(memory_limit=0) as running:
        channel = running.connect().channel()
        channel.declare_queue("q", durable=True)
        channel.publish("", "q", b"too much")
        server = serve(running)
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
    running: Broker, serve: Callable[..., HostedServer]
) -> None:
    server = serve(running)

    def closing(inner: Server, on: bool) -> None:
        inner._closing = on

    inside(server, lambda inner: closing(inner, True))
    with Caller(server.url) as caller:
        assert caller.receive() == b""
    inside(server, lambda inner: closing(inner, False))


def test_a_broker_may_have_something_to_say_after_the_loop_is_closed(running: Broker) -> None:
    async def application() -> Server:
        async with running.serve("127.0.0.1", 0) as server:
            return server

    server = asyncio.run(application())
    gone = threading.Thread(target=server.woken, args=(_Socket(server),))
    gone.start()
    gone.join()
    server.close_soon()


def test_closing_tells_also_those_who_came_when_all_others_had_gone(
    running: Broker, serve: Callable[..., HostedServer]
) -> None:
    server = serve(running)
    with Caller(server.url) as first:
        first.open().goodbye()
    with Caller(server.url) as second:
        second.open()
        ending = threading.Thread(target=server.close, args=(20,))
        ending.start()
        (said,) = second.read(1)
        assert isinstance(said.method, spec.ConnectionClose)
        ending.join(0.1)
        assert ending.is_alive()  # it waits for the answer
        second.send(method_frame(0, spec.ConnectionCloseOk()))
        assert second.receive() == b""
        ending.join()
