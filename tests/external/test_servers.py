"""The servers of other systems start, end as in a crash, and start again where they were."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from .servers import SERVERS, ExternalServer, RedisServer, installed, servers_of

LISTENING = "0A"
"""As the kernel's tables of sockets have it."""


@pytest.fixture(params=SERVERS, ids=lambda server: server.kind)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ExternalServer]:
    yield from running(request.param(tmp_path))


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[ExternalServer]:
    yield from running(RedisServer(tmp_path))


def running(server: ExternalServer) -> Iterator[ExternalServer]:
    if server.service:
        pytest.skip("a real service is neither started nor killed")
    try:
        server.start()
        yield server
    finally:
        server.close()


def test_a_server_is_killed_and_started_again_on_its_port(server: ExternalServer) -> None:
    url, first = server.url, server.pid
    assert set(listening(first)) == {("127.0.0.1", server.port)}
    with connected(server) as client:
        server.kill()
        assert is_over(client)
        with pytest.raises(ConnectionRefusedError):
            connected(server)
        server.start()
    assert server.pid != first
    assert server.url == url
    connected(server).close()


def test_what_a_server_took_outlives_a_kill(redis: ExternalServer) -> None:
    assert asked(redis, "SET color green") == "+OK"
    redis.restart()
    assert asked(redis, "GET color") == "$5"


def test_a_paused_server_answers_once_it_goes_on(redis: ExternalServer) -> None:
    with connected(redis) as client:
        redis.pause()
        client.sendall(b"PING\r\n")
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.recv(100)
        redis.resume()
        client.settimeout(10)
        assert client.recv(100) == b"+PONG\r\n"


def test_a_paused_server_is_closed_too(redis: ExternalServer) -> None:
    redis.pause()
    redis.close()
    with pytest.raises(ConnectionRefusedError):
        connected(redis)
    redis.close()


def test_a_real_service_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIBROKER_TEST_REDIS_URL", "redis://127.0.0.1:7/3")
    assert servers_of("redis") == [RedisServer]
    server = RedisServer(tmp_path)
    server.start()
    assert (server.url, server.port) == ("redis://127.0.0.1:7/3", 7)
    for method in (server.kill, server.pause):
        with pytest.raises(pytest.skip.Exception, match="a real service is not"):
            method()
    server.close()


@pytest.mark.parametrize("required", [False, True])
def test_a_server_that_is_not_installed_is_missing(
    required: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIBROKER_REQUIRE_SERVERS", str(int(required)))
    outcome = pytest.fail.Exception if required else pytest.skip.Exception
    with pytest.raises(outcome, match="the command no-such-server is missing"):
        installed("no-such-server")


def connected(server: ExternalServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), 10)


def asked(redis: ExternalServer, command: str) -> str:
    """The first line of the answer."""
    with connected(redis) as client, client.makefile("rw", newline="\r\n") as file:
        file.write(f"{command}\r\n")
        file.flush()
        return file.readline().rstrip("\r\n")


def is_over(client: socket.socket) -> bool:
    """Whether the other side ends the connection, after what it said before."""
    try:
        while client.recv(4096):
            pass
    except ConnectionResetError:
        return True
    return True


def listening(pid: int) -> Iterator[tuple[str, int]]:
    """The addresses that a process accepts connections on, of IPv4 and as they are of IPv6."""
    inodes = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            inodes.add(str(file.readlink()).removeprefix("socket:[").removesuffix("]"))
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text(encoding="ascii").splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == LISTENING and inode in inodes:
                address, _, port = local.partition(":")
                octets = bytes.fromhex(address)[::-1]
                yield ".".join(map(str, octets)), int(port, 16)
