from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from minibroker_client.transport.wire import Wire, _Polled, _Select

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def both() -> Iterator[tuple[Wire, socket.socket]]:
    mine, other = socket.socketpair()
    wire = Wire(mine)
    with other:
        yield wire, other
        wire.close()


def test_reading_never_waits(both: tuple[Wire, socket.socket]) -> None:
    wire, other = both
    assert wire.read() is None
    assert not wire.peek()
    assert not wire.wait(0)
    other.sendall(b"hello")
    assert wire.wait(10)
    assert wire.peek()
    assert wire.read() == b"hello"
    other.close()
    assert wire.read() == b""


def test_writing_sends_what_goes(both: tuple[Wire, socket.socket]) -> None:
    wire, other = both
    data = memoryview(bytes(1 << 20))
    sent = 0
    while (some := wire.write(data)) > 0:
        sent += some
    assert sent > 0
    assert not wire.wait(0)
    received = 0
    while received < sent:
        received += len(other.recv(1 << 20))
    assert wire.wait(10, writing=True)


def test_interrupting_ends_it_for_who_reads(both: tuple[Wire, socket.socket]) -> None:
    wire, _ = both
    wire.interrupt()
    assert wire.wait(10)
    assert wire.read() == b""
    wire.close()
    wire.interrupt()


@pytest.mark.parametrize("waits", [_Polled, _Select])
def test_either_way_to_wait_finds_the_same(waits: type[_Polled | _Select]) -> None:
    mine, other = socket.socketpair()
    with mine, other:
        reading, both = waits(mine), waits(mine, writing=True)
        assert not reading.wait(0)
        assert not reading.wait(0.0001)
        assert both.wait(0)
        other.sendall(b"x")
        assert reading.wait(None)
