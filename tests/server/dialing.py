"""A client of a server on a real socket, of which the tests see every byte. It reads only when it
is asked to.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

from minibroker.wire.amqp import spec
from minibroker.wire.amqp.constants import PROTOCOL_HEADER
from minibroker.wire.amqp.frames import method_frame

from .pair import FRAME_MAX, Frames, Said

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from minibroker.server import HostedServer, Server
    from minibroker.wire.amqp.spec import MethodRecord

__all__ = ["Caller", "inside"]

PATIENCE = 30.0
"""Seconds after which a test fails that waits for something that does not come."""
Record = TypeVar("Record", bound="MethodRecord")


class Caller:
    """A connection; `with` closes its socket without a word."""

    def __init__(self, url: str, *, receive_buffer: int | None = None) -> None:
        self.socket = _dial(url, receive_buffer)
        self.frames = Frames()
        self._bytes = b""

    # -- bytes

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.socket.sendall(data)

    def receive(self) -> bytes:
        """What comes next; nothing at the end, however that came about."""
        try:
            return self.socket.recv(1 << 20)
        except ConnectionResetError:
            return b""

    def read(self, count: int) -> list[Said]:
        """The next so many methods, or fewer where the end comes first."""
        said = self.read_at_least(count)
        assert len(said) <= count, said
        return said

    def read_at_least(self, count: int) -> list[Said]:
        """So many methods, and what came with them."""
        said: list[Said] = []
        while len(said) < count and (data := self.receive()):
            self._bytes += data
            whole = _whole(self._bytes)
            said += self.frames.read(self._bytes[:whole])
            self._bytes = self._bytes[whole:]
        return said

    def rest(self) -> list[Said]:
        """Everything up to the end."""
        while data := self.receive():
            self._bytes += data
        return self.frames.read(self._bytes[: _whole(self._bytes)])

    # -- methods

    def ask(self, channel: int, method: MethodRecord, answer: type[Record]) -> Record:
        """Send a method that has one answer and nothing else."""
        self.send(method_frame(channel, method))
        (said,) = self.read(1)
        assert said.channel == channel
        assert isinstance(said.method, answer), said
        return said.method

    def open(self, *channels: int, heartbeat: int = 0, frame_max: int = FRAME_MAX) -> Caller:
        """The whole handshake, and these channels."""
        self.send(PROTOCOL_HEADER)
        assert isinstance(self.read(1)[0].method, spec.ConnectionStart)
        start_ok = spec.ConnectionStartOk({}, "PLAIN", b"\0guest\0guest")
        tune = self.ask(0, start_ok, spec.ConnectionTune)
        self.send(method_frame(0, spec.ConnectionTuneOk(tune.channel_max, frame_max, heartbeat)))
        self.frames.frame_max = frame_max
        self.ask(0, spec.ConnectionOpen("/"), spec.ConnectionOpenOk)
        for channel in channels:
            self.ask(channel, spec.ChannelOpen(), spec.ChannelOpenOk)
        return self

    def goodbye(self) -> None:
        """Close in order."""
        self.ask(0, spec.ConnectionClose(), spec.ConnectionCloseOk)
        assert self.receive() == b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.socket.close()


def inside(server: HostedServer, function: Callable[[Server], Any]) -> Any:
    """What a function says of a server, called in the server's thread."""
    inner = server._server
    assert inner is not None

    async def call() -> Any:
        return function(inner)

    return asyncio.run_coroutine_threadsafe(call(), inner.loop).result(30)


def _dial(url: str, receive_buffer: int | None) -> socket.socket:
    place = urlsplit(url)
    host, where = place.hostname or "", place.path
    unix = place.scheme.endswith("+unix")
    family = socket.AF_UNIX if unix else socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family)
    made.settimeout(PATIENCE)
    if receive_buffer is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        if not unix:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.connect(where if unix else (host, place.port))
    except OSError:
        made.close()
        raise
    return made


def _whole(data: bytes) -> int:
    """How many bytes are whole frames."""
    at = 0
    while len(data) - at >= 8:
        after = at + 8 + struct.unpack_from(">I", data, at + 3)[0]
        if after > len(data):
            break
        at = after
    return at
