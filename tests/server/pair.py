"""A client and the server's side of its connection, without sockets: what is sent comes back
decoded, and everything that the server says is checked to be whole frames of at most the size that
was negotiated.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from minibroker.server import ServerSettings
from minibroker.server.amqp import AMQPConnection
from minibroker.server.sasl import Peer
from minibroker.wire.amqp import decode_method, encode_properties, spec
from minibroker.wire.amqp.constants import BODY, HEADER, HEARTBEAT, METHOD, PROTOCOL_HEADER
from minibroker.wire.amqp.frames import content_frames, method_frame

if TYPE_CHECKING:
    from minibroker import Broker, Properties
    from minibroker.fields import Table
    from minibroker.wire.amqp.spec import MethodRecord

__all__ = ["PLAIN", "Client", "Frames", "Outlet", "Said", "frame", "publishing", "raw_method"]

FRAME_MAX = 131_072
PLAIN = b"\x00\x00"
"""Encoded properties of which there are none."""
CAPABILITIES = (
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "authentication_failure_close",
)
WITH_CONTENT = (spec.BasicDeliver, spec.BasicGetOk, spec.BasicReturn)
Record = TypeVar("Record", bound="MethodRecord")


class Said(NamedTuple):
    """What the server said: a method, and the content that came with it."""

    channel: int
    method: MethodRecord
    header: bytes = b""
    body: bytes = b""


class Outlet:
    """The owner of a socket that there is not: it counts and remembers."""

    def __init__(self) -> None:
        self.woken_times = 0
        self.events: list[tuple[str, dict[str, object]]] = []

    def woken(self) -> None:
        """The connection has something to take."""
        self.woken_times += 1

    def told(self, event: str, **fields: object) -> None:
        """Something for the log."""
        self.events.append((event, fields))


class Frames:
    """Reads what the server writes, strictly."""

    def __init__(self) -> None:
        self.frame_max = 4096
        self.heartbeats = 0
        self.largest = 0
        """Bytes of the largest frame so far."""
        self._open: dict[int, tuple[MethodRecord, bytes | None, bytes, int]] = {}

    def read(self, data: bytes) -> list[Said]:
        """What whole frames say; the data has to end with one."""
        said: list[Said] = []
        at = 0
        while at < len(data):
            kind, channel, size = struct.unpack_from(">BHI", data, at)
            stop = at + 7 + size
            assert data[stop] == 0xCE, "no frame end"
            self.largest = max(self.largest, size + 8)
            assert not self.frame_max or size + 8 <= self.frame_max, "a frame is too large"
            self._frame(kind, channel, data[at + 7 : stop], said)
            at = stop + 1
        return said

    def _frame(self, kind: int, channel: int, payload: bytes, said: list[Said]) -> None:
        if kind == HEARTBEAT:
            assert (channel, payload) == (0, b"")
            self.heartbeats += 1
        elif kind == METHOD:
            assert channel not in self._open, "a method within a content"
            method = decode_method(payload)
            if isinstance(method, WITH_CONTENT):
                self._open[channel] = (method, None, b"", 0)
            else:
                said.append(Said(channel, method))
        else:
            self._content(kind, channel, payload, said)

    def _content(self, kind: int, channel: int, payload: bytes, said: list[Said]) -> None:
        method, header, body, size = self._open.pop(channel)
        if kind == HEADER:
            assert header is None
            class_id, weight, size = struct.unpack_from(">HHQ", payload)
            assert (class_id, weight) == (60, 0)
            header = payload[12:]
        else:
            assert kind == BODY
            assert payload
            body += payload
        assert len(body) <= size
        if len(body) == size:
            assert header is not None
            said.append(Said(channel, method, header, body))
        else:
            self._open[channel] = (method, header, body, size)


class Client:
    """A client of a broker, and the server's side of its connection."""

    def __init__(
        self,
        broker: Broker,
        settings: ServerSettings | None = None,
        *,
        peer: Peer | None = None,
        capabilities: tuple[str, ...] = CAPABILITIES,
    ) -> None:
        self.outlet = Outlet()
        self.settings = settings or ServerSettings()
        self.server = AMQPConnection(
            broker, self.settings, peer or Peer(loopback=True), self.outlet
        )
        self.frames = Frames()
        self.capabilities = capabilities

    # -- bytes

    def feed(self, data: bytes) -> list[Said]:
        """Send bytes, and say what comes back."""
        self.server.receive(data)
        return self.said()

    def said(self) -> list[Said]:
        """What the server has to say."""
        return self.frames.read(self.raw())

    def raw(self) -> bytes:
        """The bytes that the server has to write."""
        return b"".join(self.server.take())

    # -- methods

    def send(self, channel: int, *methods: MethodRecord) -> list[Said]:
        """Send methods, and say what comes back."""
        return self.feed(b"".join(method_frame(channel, method) for method in methods))

    def ask(self, channel: int, method: MethodRecord, answer: type[Record]) -> Record:
        """Send a method that has one answer and nothing else."""
        said = self.send(channel, method)
        assert len(said) == 1, said
        assert said[0].channel == channel
        assert isinstance(said[0].method, answer), said
        return said[0].method

    def publish(self, channel: int, body: bytes, **fields: object) -> list[Said]:
        """Publish; see `publishing` for the fields."""
        return self.feed(publishing(channel, body, **fields))  # type: ignore[arg-type]  # passed on

    def declare(self, channel: int, queue: str, **fields: object) -> str:
        """Declare a queue, durable where nothing else is said."""
        method = spec.QueueDeclare(queue, **{"durable": True, **fields})  # type: ignore[arg-type]  # passed on
        return self.ask(channel, method, spec.QueueDeclareOk).queue

    # -- the beginning

    def greet(self) -> spec.ConnectionStart:
        """Send the protocol header."""
        (said,) = self.feed(PROTOCOL_HEADER)
        assert isinstance(said.method, spec.ConnectionStart)
        return said.method

    def start_ok(self, properties: Table | None = None) -> spec.ConnectionStartOk:
        """The answer to `connection.start`."""
        if properties is None:
            properties = {"capabilities": dict.fromkeys(self.capabilities, True)}
        return spec.ConnectionStartOk(properties, "PLAIN", b"\x00guest\x00guest")

    def login(self) -> spec.ConnectionTune:
        """Up to tuning."""
        self.greet()
        return self.ask(0, self.start_ok(), spec.ConnectionTune)

    def open(
        self,
        *channels: int,
        vhost: str = "/",
        channel_max: int | None = None,
        frame_max: int = FRAME_MAX,
        heartbeat: int = 0,
    ) -> Client:
        """The whole handshake, and these channels."""
        tune = self.login()
        most = tune.channel_max if channel_max is None else channel_max
        assert self.send(0, spec.ConnectionTuneOk(most, frame_max, heartbeat)) == []
        self.frames.frame_max = frame_max
        self.ask(0, spec.ConnectionOpen(vhost), spec.ConnectionOpenOk)
        for channel in channels:
            self.ask(channel, spec.ChannelOpen(), spec.ChannelOpenOk)
        return self


def publishing(  # the fields of basic.publish and of its content
    channel: int,
    body: bytes,
    *,
    exchange: str = "",
    key: str = "",
    mandatory: bool = False,
    immediate: bool = False,
    properties: Properties | None = None,
    header: bytes = PLAIN,
    frame_max: int = FRAME_MAX,
) -> bytes:
    """The frames of a publish."""
    method = spec.BasicPublish(exchange, key, mandatory, immediate)
    if properties is not None:
        header = encode_properties(properties)
    return b"".join(content_frames(channel, method, header, body, frame_max))


def frame(kind: int, channel: int, payload: bytes, end: int = 0xCE) -> bytes:
    """Any frame, with whatever is in it."""
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + bytes((end,))


def raw_method(channel: int, class_id: int, method_id: int, fields: bytes = b"") -> bytes:
    """The frame of a method with any ids and any fields."""
    return frame(METHOD, channel, struct.pack(">HH", class_id, method_id) + fields)
