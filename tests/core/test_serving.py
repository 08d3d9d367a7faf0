"""A broker on sockets: how it listens, what a server asks of it, and how both end."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from minibroker import Broker, ManualClock
from minibroker.errors import ConnectionForced, NotAllowed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HELLO = b"AMQP\x00\x00\x09\x01"


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(clock=ManualClock()) as made:
        yield made


def greeting(port: int, host: str = "127.0.0.1") -> bytes:
    with socket.create_connection((host, port), timeout=10) as client:
        client.sendall(HELLO)
        return client.recv(4)


def port_of(url: str) -> int:
    return int(url.rstrip("/").rpartition(":")[2])


def test_a_broker_listens_in_a_thread_until_the_block_ends(broker: Broker) -> None:
    with broker.listen(port=0) as server:
        port = port_of(server.url)
        assert server.urls == [f"amqp://127.0.0.1:{port}/", f"amqp://[::1]:{port}/"]
        assert greeting(port) == greeting(port, "::1") == b"\x01\x00\x00\x00"
    with pytest.raises(ConnectionRefusedError):
        greeting(port)
    server.close()


def test_a_broker_that_closes_takes_its_servers_along(tmp_path: Path) -> None:
    broker = Broker(clock=ManualClock())
    one, other = broker.listen(port=0), broker.listen(unix=str(tmp_path / "socket"))
    port = port_of(one.url)
    assert other.url == f"amqp+unix://{tmp_path / 'socket'}"
    broker.close()
    with pytest.raises(ConnectionRefusedError):
        greeting(port)
    assert not (tmp_path / "socket").exists()
    with pytest.raises(ConnectionForced, match="the broker is closed"):
        broker.listen(port=0)
    with pytest.raises(ConnectionForced, match="the broker is closed"):
        broker.serve(port=0)


def test_a_broker_serves_in_the_loop_of_an_application(broker: Broker) -> None:
    async def main() -> list[bytes]:
        async with broker.serve(port=0) as first:
            greetings = [await asyncio.to_thread(greeting, port_of(first.url))]
        second = await broker.serve(port=0)
        greetings.append(await asyncio.to_thread(greeting, port_of(second.url)))
        await second.close()
        return greetings

    assert asyncio.run(main()) == [b"\x01\x00\x00\x00"] * 2


def test_a_port_in_use_is_an_error_where_listening_is_asked_for(broker: Broker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            broker.listen(port=port)


def test_what_is_to_be_called_at_the_end_is_called_once() -> None:
    broker = Broker(clock=ManualClock())
    called: list[str] = []
    broker.on_close(lambda: called.append("first"))
    broker.on_close(lambda: called.append("last"))
    broker.close()
    broker.close()
    assert sorted(called) == ["first", "last"]


def test_a_connection_is_attached_as_one_in_process_is(broker: Broker) -> None:
    connection = broker.attach("/", "guest")
    assert connection in broker.vhosts["/"].connections
    with pytest.raises(NotAllowed, match="vhost nowhere not found"):
        broker.attach("nowhere", "guest")
    broker.add_user("ann", ["impersonator"])
    with pytest.raises(NotAllowed, match="access to vhost '/' refused for user 'guest'"):
        broker.attach("/", "guest")
    broker.set_permissions("ann")
    assert broker.attach("/", "ann").impersonates
    assert broker.host.guard is broker.vhosts["/"].guard
