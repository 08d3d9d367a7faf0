"""A client's connection without opinions: what it is told to send, and whatever comes.

Blocking, with a time-out wherever it waits. It logs in, and it answers nothing by itself: closing,
channels and replies are its owner's. Knows nothing of programs.
"""

from __future__ import annotations

import socket
import struct
from time import monotonic
from typing import NamedTuple

from ..fields import Table
from ..wire.amqp import spec
from ..wire.amqp.constants import BODY, HEADER, METHOD, PROTOCOL_HEADER
from ..wire.amqp.frames import content_frames, method_frame
from ..wire.amqp.methods import decode_method
from .address import Address

__all__ = ["CannotConnect", "Incoming", "Link"]

TIMEOUT = 10.0
"""Seconds that connecting may take."""
_FRAME = struct.Struct(">BHI")
_CAPABILITIES = (
    "authentication_failure_close",
    "basic.nack",
    "connection.blocked",
    "consumer_cancel_notify",
    "publisher_confirms",
)


class CannotConnect(OSError):
    """Nobody listens there, or who listens does not let the client in."""


class Incoming(NamedTuple):
    """A method that came, with its content if it has any. `method` is None at the end."""

    channel: int
    method: spec.MethodRecord | None
    properties: bytes = b""
    body: bytes = b""


class _Content:
    """A method whose content has not come yet, or not all of it."""

    def __init__(self, method: spec.MethodRecord) -> None:
        self.method = method
        self.properties = b""
        self.size = -1
        self.parts: list[bytes] = []


class Link:
    """One open connection. Raises CannotConnect when it does not come to that."""

    def __init__(self, address: Address) -> None:
        self.over = False
        """Whether the other side has closed the socket."""
        self._buffer = b""
        self._contents: dict[int, _Content] = {}
        where = f"{address.host}:{address.port}"
        try:
            self._socket = socket.create_connection((address.host, address.port), TIMEOUT)
        except OSError as error:
            raise CannotConnect(f"{where}: {error}") from error
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.frame_max = self._log_in(address)
        except OSError as error:
            self._socket.close()
            raise CannotConnect(f"{where}: {error}") from error

    def _log_in(self, address: Address) -> int:
        self._socket.sendall(PROTOCOL_HEADER)
        self._expect(spec.ConnectionStart)
        properties: Table = {
            "capabilities": dict.fromkeys(_CAPABILITIES, True),
            "product": "minibroker",
        }
        response = f"\0{address.user}\0{address.password}".encode()
        self.send(0, spec.ConnectionStartOk(properties, "PLAIN", response))
        tune = self._expect(spec.ConnectionTune)
        assert isinstance(tune, spec.ConnectionTune)
        self.send(0, spec.ConnectionTuneOk(tune.channel_max, tune.frame_max, 0))
        self.send(0, spec.ConnectionOpen(address.vhost))
        self._expect(spec.ConnectionOpenOk)
        return tune.frame_max

    def _expect(self, kind: type[spec.MethodRecord]) -> spec.MethodRecord:
        for incoming in self.receive(monotonic() + TIMEOUT):
            if isinstance(incoming.method, kind):
                return incoming.method
            raise OSError(f"{incoming.method or 'the end'} instead of {kind.__name__}")
        raise OSError("no answer")

    def send(self, channel: int, method: spec.MethodRecord) -> None:
        """Send a method without content."""
        self.send_bytes(method_frame(channel, method))

    def publish(
        self, channel: int, method: spec.MethodRecord, properties: bytes, body: bytes
    ) -> None:
        """Send a method with content; the properties are encoded already."""
        self.send_bytes(b"".join(content_frames(channel, method, properties, body, self.frame_max)))

    def send_bytes(self, data: bytes) -> None:
        """Send frames. What the other side does not want to read any more is lost, as it is."""
        try:
            self._socket.sendall(data)
        except OSError:
            return

    def close(self) -> None:
        """Close the socket, without a word."""
        self.over = True
        self._socket.close()

    def receive(self, deadline: float) -> list[Incoming]:
        """What came, at least one method unless the time is over or so is the connection."""
        came: list[Incoming] = []
        while not came and not self.over:
            remaining = deadline - monotonic()
            if remaining <= 0:
                break
            self._socket.settimeout(remaining)
            came = self._read()
        return came

    def _read(self) -> list[Incoming]:
        try:
            data = self._socket.recv(1 << 18)
        except TimeoutError:
            return []
        except OSError:
            data = b""
        if not data:
            self.close()
            return [Incoming(0, None)]
        self._buffer += data
        return self._cut()

    def _cut(self) -> list[Incoming]:
        """The methods that are whole in what was read."""
        came: list[Incoming] = []
        data, at = self._buffer, 0
        while at + _FRAME.size <= len(data):
            kind, channel, size = _FRAME.unpack_from(data, at)
            start = at + _FRAME.size
            if start + size >= len(data):
                break
            at = start + size + 1
            incoming = self._take(kind, channel, data[start : start + size])
            if incoming is not None:
                came.append(incoming)
        self._buffer = data[at:]
        return came

    def _take(self, kind: int, channel: int, payload: bytes) -> Incoming | None:
        if kind == METHOD:
            method = decode_method(payload)
            if not isinstance(method, spec.BasicDeliver | spec.BasicGetOk | spec.BasicReturn):
                return Incoming(channel, method)
            self._contents[channel] = _Content(method)
            return None
        content = self._contents.get(channel)
        if content is None:
            return None  # a heartbeat
        if kind == HEADER:
            content.size = int.from_bytes(payload[4:12], "big")
            content.properties = payload[12:]
        elif kind == BODY:
            content.parts.append(payload)
        if sum(map(len, content.parts)) < content.size:
            return None
        del self._contents[channel]
        return Incoming(channel, content.method, content.properties, b"".join(content.parts))
