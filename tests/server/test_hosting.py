"""A server in a thread of its own, or in the loop of an application: how it begins and ends."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from minibroker import Broker
from minibroker.errors import ConnectionForced
from minibroker.server import HostedServer, ServerSettings
from minibroker.server.hosting import Address
from minibroker.wire.amqp import spec
from minibroker.wire.amqp.frames import method_frame

from .dialing import Caller
from .pair import publishing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANYWHERE = Address("localhost", 0, None, None)


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A broker with the time of the system."""
    with Broker() as broker:
        yield broker
        broker._check()


def working(url: str) -> None:
    """A client does something there."""
    with Caller(url) as caller:
        caller.open(1)
        caller.ask(1, spec.QueueDeclare("q", durable=True), spec.QueueDeclareOk)
        caller.goodbye()


def refused(url: str) -> None:
    """Nobody listens there."""
    with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
        Caller(url)


# -- a thread of its own


def test_a_server_listens_until_the_end_of_with(broker: Broker) -> None:
    with broker.listen(port=0) as server:
        assert server.url == server.urls[0]
        assert server.url.startswith("amqp://127.0.0.1:")
        assert repr(server) == f"<HostedServer {' '.join(server.urls)}>"
        for url in server.urls:
            working(url)
    for url in server.urls:
        refused(url)


def test_it_may_be_closed_twice(broker: Broker) -> None:
    server = broker.listen(port=0)
    server.close()
    server.close()
    refused(server.url)


def test_a_broker_that_closes_ends_its_servers() -> None:
    broker = Broker()
    servers = [broker.listen(port=0), broker.listen(port=0)]
    with Caller(servers[0].url) as caller:
        caller.open()
        thread = threading.Thread(target=broker.close)
        thread.start()
        (said,) = caller.read(1)
        text = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"
        assert said.method == spec.ConnectionClose(320, text, 0, 0)
        caller.send(method_frame(0, spec.ConnectionCloseOk()))
        assert caller.receive() == b""
        thread.join()
    for server in servers:
        refused(server.url)
    assert [each for each in threading.enumerate() if each.name == "minibroker-server"] == []


def test_closing_drops_who_does_not_answer(broker: Broker) -> None:
    server = broker.listen(port=0)
    with Caller(server.url) as caller:
        caller.open()
        server.close(timeout=0.05)
        assert len(caller.rest()) == 1


def test_several_servers_are_one_broker(broker: Broker, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with broker.listen(port=0) as one, broker.listen(port=0) as other, broker.listen(unix=path):
        assert one.url != other.url
        with Caller(one.url) as publisher, Caller(f"amqp+unix://{path}") as consumer:
            publisher.open(1)
            consumer.open(1)
            publisher.ask(1, spec.QueueDeclare("q", durable=True), spec.QueueDeclareOk)
            consumer.ask(1, spec.BasicConsume("q", "t"), spec.BasicConsumeOk)
            publisher.ask(1, spec.ConfirmSelect(), spec.ConfirmSelectOk)
            publisher.send(publishing(1, b"across", key="q"))
            assert publisher.read(1)[0].method == spec.BasicAck(1)
            assert consumer.read(1)[0].body == b"across"
        working(other.url)


def test_a_unix_socket_is_gone_when_the_server_is(broker: Broker, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with broker.listen(unix=str(path)) as server:
        assert server.url == f"amqp+unix://{path}"
        working(server.url)
    assert not path.exists()
    with broker.listen(unix=str(path)) as server:
        path.unlink()  # somebody was quicker
    refused(server.url)


def test_a_port_in_use_is_an_error_where_it_was_asked_for(broker: Broker) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        before = threading.active_count()
        with pytest.raises(OSError, match="in use"):
            broker.listen("127.0.0.1", port)
        assert threading.active_count() == before


def test_a_broker_that_is_closed_listens_nowhere() -> None:
    broker = Broker()
    broker.close()
    with pytest.raises(ConnectionForced):
        broker.listen(port=0)
    with pytest.raises(ConnectionForced):
        broker.serve(port=0)


@pytest.mark.parametrize("uvloop", [True, False])
def test_either_loop_will_do(broker: Broker, uvloop: bool) -> None:
    if uvloop:
        pytest.importorskip("uvloop")
    with HostedServer(broker, ANYWHERE, uvloop=uvloop) as server:
        working(server.url)


def test_the_settings_are_what_clients_are_offered(broker: Broker) -> None:
    settings = ServerSettings(channel_max=7)
    with broker.listen(port=0, settings=settings) as server, Caller(server.url) as caller:
        caller.send(b"AMQP\x00\x00\x09\x01")
        caller.read(1)
        start_ok = spec.ConnectionStartOk({}, "PLAIN", b"\0guest\0guest")
        assert caller.ask(0, start_ok, spec.ConnectionTune).channel_max == 7


# -- the loop of an application


async def working_here(url: str) -> None:
    """As `working`, in another thread than the loop's."""
    await asyncio.to_thread(working, url)


def test_a_server_in_the_loop_of_an_application_ends_when_it_is_closed(broker: Broker) -> None:
    async def application() -> list[str]:
        server = await broker.serve(port=0)
        await working_here(server.url)
        await server.close()
        await server.close()
        return server.urls

    for url in asyncio.run(application()):
        refused(url)


def test_a_server_in_the_loop_of_an_application_ends_with_its_block(broker: Broker) -> None:
    async def application() -> str:
        async with broker.serve(port=0) as server:
            await working_here(server.url)
        return server.url

    refused(asyncio.run(application()))


def test_a_broker_that_closes_ends_the_servers_in_the_loop_too() -> None:
    async def application() -> str:
        broker = Broker()
        server = await broker.serve(port=0)
        caller: Any = await asyncio.to_thread(lambda: Caller(server.url).open())
        with caller:
            broker.close()
            (said,) = await asyncio.to_thread(caller.read, 1)
            assert said.method.reply_code == 320
            await asyncio.to_thread(caller.send, method_frame(0, spec.ConnectionCloseOk()))
            assert await asyncio.to_thread(caller.receive) == b""
        await server._closer  # type: ignore[misc]  # it was started
        return server.url

    refused(asyncio.run(application()))


def test_a_broker_may_close_after_the_loop_of_its_server() -> None:
    broker = Broker()

    async def application() -> None:
        async with broker.serve(port=0):
            pass

    asyncio.run(application())
    broker.close()


def test_listening_where_it_cannot_is_an_error_in_the_application(broker: Broker) -> None:
    async def application() -> None:
        with pytest.raises(OSError, match="."):
            await broker.serve(unix="/no/such/folder/s")

    asyncio.run(application())


def test_a_server_in_a_loop_and_one_in_a_thread_share_the_broker(broker: Broker) -> None:
    async def application() -> None:
        with broker.listen(port=0) as threaded:
            async with broker.serve(port=0) as looped:
                await working_here(looped.url)
                await working_here(threaded.url)

    asyncio.run(application())


def test_a_path_that_was_refused_stays_with_its_owner(broker: Broker, tmp_path: Path) -> None:
    here = tmp_path / "socket"
    path = str(here)

    async def application() -> None:
        async with broker.serve(unix=path), broker.serve(port=0) as other:
            with pytest.raises(OSError, match="in use"):
                await other.listen_unix(path)
            await other.close()
            assert here.is_socket()

    asyncio.run(application())
