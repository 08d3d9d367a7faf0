"""One port for both protocols: the first bytes say which it is."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from minibroker import Broker
from minibroker.wire.amqp.constants import PROTOCOL_HEADER
from minibroker.wire.native import MAGIC
from minibroker_client import Connection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from minibroker.server import HostedServer


def dialled(server: HostedServer) -> socket.socket:
    port = urlsplit(server.url).port
    assert port is not None
    return socket.create_connection(("127.0.0.1", port), timeout=10)


@pytest.mark.parametrize("pieces", [1, 2, 8])
@pytest.mark.parametrize(
    ("header", "answer"), [(MAGIC, MAGIC), (PROTOCOL_HEADER, b"\x01\x00\x00\x00\x00")]
)
def test_the_first_bytes_say_which_protocol_it_is(
    broker: Broker, serve: Callable[..., HostedServer], header: bytes, answer: bytes, pieces: int
) -> None:
    server = serve(broker)
    with dialled(server) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        size = len(header) // pieces
        for at in range(0, len(header), size):
            client.sendall(header[at : at + size])
        assert client.recv(len(answer), socket.MSG_WAITALL) == answer


def test_what_begins_as_neither_is_told_what_amqp_is(
    broker: Broker, serve: Callable[..., HostedServer]
) -> None:
    server = serve(broker)
    with dialled(server) as client:
        client.sendall(b"MiniBRK!GET / HTTP")
        assert client.recv(8, socket.MSG_WAITALL) == PROTOCOL_HEADER
        assert client.recv(1) == b""


def test_a_server_says_where_either_protocol_is_reached(
    broker: Broker, serve: Callable[..., HostedServer]
) -> None:
    server = serve(broker)
    assert server.native_url == server.url.replace("amqp", "minibroker")
    for url in (server.url, server.native_url):
        with Connection(url) as connection:
            connection.connect()
            assert connection.as_uri().startswith(url.split(":")[0])


@pytest.mark.parametrize("scheme", ["amqp", "minibroker"])
def test_both_are_reached_by_a_unix_socket(tmp_path: Path, scheme: str) -> None:
    path = str(tmp_path / "broker.sock")
    with Broker() as broker, broker.listen(unix=path) as server:
        url = server.native_url if scheme == "minibroker" else server.url
        assert url == f"{scheme}+unix://{path}"
        with Connection(url) as connection:
            connection.default_channel.declare_queue("q")
            assert connection.as_uri() == url
        assert "q" in broker.vhosts["/"].queues
