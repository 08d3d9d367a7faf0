"""A native client's frames and the server's side of its connection, without sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minibroker.server import ServerSettings
from minibroker.server.native import NativeConnection
from minibroker.server.sasl import Peer
from minibroker.wire.amqp import spec
from minibroker.wire.amqp.spec import LAYOUTS, MethodRecord
from minibroker.wire.native import (
    LOGIN,
    MAGIC,
    METHOD,
    OPEN,
    PUBLISH,
    Reader,
    frame,
    method_frame,
    method_of,
)

from ..pair import Outlet

if TYPE_CHECKING:
    from minibroker import Broker

__all__ = ["CLOSE", "NativeClient", "Said"]

Said = list[Any]
CLOSE = spec.ConnectionClose, spec.ChannelClose


class NativeClient:
    """What it sends comes back as payloads; methods as `[METHOD, channel, record]`."""

    def __init__(
        self, broker: Broker, settings: ServerSettings | None = None, peer: Peer | None = None
    ) -> None:
        self.outlet = Outlet()
        self.settings = settings or ServerSettings()
        self.server = NativeConnection(
            broker, self.settings, peer or Peer(loopback=True), self.outlet
        )
        self.reader = Reader(self.settings.native_frame_max + 4096)
        self.greeted = b""
        self.hello: dict[str, Any] = {}

    def raw(self, data: bytes) -> list[Said]:
        """Send bytes, and say what comes back."""
        self.server.receive(data)
        return self.said()

    def said(self) -> list[Said]:
        """What the server has to say."""
        data = b"".join(self.server.take())
        if len(self.greeted) < len(MAGIC):
            rest = len(MAGIC) - len(self.greeted)
            self.greeted, data = self.greeted + data[:rest], data[rest:]
        return [_shown(payload) for payload in self.reader.feed(data)]

    def settle(self) -> list[Said]:
        """All that the server has to say, in as many turns as it takes."""
        said: list[Said] = []
        while more := self.said():
            said += more
        return said

    def send(self, *payloads: list[Any]) -> list[Said]:
        """Send frames."""
        return self.raw(b"".join(map(frame, payloads)))

    def ask(self, channel: int, method: MethodRecord) -> Any:
        """Send a method that has one answer and nothing else."""
        [[kind, number, answer]] = self.raw(method_frame(channel, method))
        assert (kind, number) == (METHOD, channel)
        return answer

    def tell(self, channel: int, method: MethodRecord) -> list[Said]:
        """Send a method, and say what comes back."""
        return self.raw(method_frame(channel, method))

    def greet(self) -> dict[str, Any]:
        """The first bytes both ways."""
        [[_, _, self.hello]] = self.raw(MAGIC)
        return self.hello

    def login(self, **fields: Any) -> list[Said]:
        """LOGIN, as guest unless `fields` say otherwise."""
        said = {"mechanism": "PLAIN", "response": b"\0guest\0guest", "vhost": "/", **fields}
        return self.send([LOGIN, 0, said])

    def open(self, *channels: int, **fields: Any) -> NativeClient:
        """The whole handshake, and channels."""
        self.greet()
        [answer] = self.login(**fields)
        assert answer[0] == OPEN, answer
        for number in channels:
            assert self.ask(number, spec.ChannelOpen()) == spec.ChannelOpenOk()
        return self

    def publish(
        self, channel: int, *bodies: bytes, exchange: str = "", key: str = "q",
        properties: bytes = b"", mandatory: bool = False,
    ) -> list[Said]:  # fmt: skip
        """Publish a batch with one route."""
        return self.send([PUBLISH, channel, [[exchange, key, properties, mandatory], *bodies]])

    def declare(self, queue: str = "q", channel: int = 1, **fields: Any) -> spec.QueueDeclareOk:
        """Declare a queue."""
        answer: spec.QueueDeclareOk = self.ask(channel, spec.QueueDeclare(queue, **fields))
        return answer

    def ready(self, queue: str = "q", channel: int = 1) -> int:
        """How many messages are ready in a queue."""
        return self.declare(queue, channel, passive=True).message_count


def _shown(payload: Said) -> Said:
    if payload[0] == METHOD:
        return [METHOD, payload[1], method_of(payload[2], payload[3:])]
    return payload


assert LAYOUTS
