"""Clients that do not read, say nothing, or say what is no AMQP: none harms the others."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any

import pytest

from minibroker.server import ServerSettings
from minibroker.server.amqp.shared import WINDOW
from minibroker.server.listener import WRITE_BUFFER
from minibroker.wire.amqp import spec
from minibroker.wire.amqp.constants import PROTOCOL_HEADER
from minibroker.wire.amqp.frames import method_frame

from .dialing import Caller, inside
from .pair import publishing, raw_method

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock
    from minibroker.server import HostedServer, Server

MIB = 1 << 20


# -- clients that do not read


def test_a_slow_reader_of_a_large_backlog_holds_a_window_and_no_more(
    running: Broker, serve: Callable[..., HostedServer]
) -> None:
    channel = running.connect().channel()
    channel.declare_queue("q", durable=True)
    body = bytes(MIB)
    count = 128
    for _ in range(count):
        channel.publish("", "q", body)
    server = serve(running)
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
    running: Broker, serve: Callable[..., HostedServer]
) -> None:
    channel = running.connect().channel()
    channel.declare_queue("q", durable=True)
    channel.publish("", "q", bytes(MIB))
    server = serve(running)
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
    running: Broker, serve: Callable[..., HostedServer]
) -> None:
    channel = running.connect().channel()
    channel.declare_queue("q", durable=True)
    for _ in range(16):
        channel.publish("", "q", bytes(MIB))
    server = serve(running, ServerSettings(close_timeout=0.2))
    with Caller(server.url, receive_buffer=64 << 10) as slow:
        slow.open(1)
        slow.send(method_frame(1, spec.BasicConsume("q", "t", no_ack=True)))
        assert isinstance(slow.read(1)[0].method, spec.BasicConsumeOk)
        slow.send(method_frame(0, spec.ConnectionClose()))
        inner = server._server
        assert inner is not None
        asyncio.run_coroutine_threadsafe(inner.empty.wait(), inner.loop).result(30)
    assert running.vhosts["/"].connections == {channel.connection}


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
    running: Broker, serve: Callable[..., HostedServer]
) -> None:
    server = serve(running)
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
    running: Broker, serve: Callable[..., HostedServer], name: str
) -> None:
    server = serve(running)
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
    running: Broker, serve: Callable[..., HostedServer]
) -> None:
    server = serve(running)
    whole = publishing(1, b"body", key="q")
    for cut in (1, 6, 7, 8, 20, len(whole) - 1):
        with Caller(server.url) as half:
            half.open(1)
            half.send(whole[:cut])
    with Caller(server.url) as caller:
        caller.open(1)
        caller.goodbye()


def test_a_client_that_only_stops_sending_is_gone(
    running: Broker, serve: Callable[..., HostedServer]
) -> None:
    with Caller(serve(running).url) as caller:
        caller.open(1)
        caller.socket.shutdown(1)
        assert caller.receive() == b""
    assert running.vhosts["/"].connections == set()
