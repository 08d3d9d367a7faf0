"""A client's protocol and the server's, byte for byte, without sockets."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from minibroker import Broker
from minibroker.server import ServerSettings
from minibroker.server.amqp import AMQPConnection as ServerAMQP
from minibroker.server.native import NativeConnection as ServerNative
from minibroker.server.sasl import Peer
from minibroker_client.protocol.amqp import AMQPConnection
from minibroker_client.protocol.native import NativeConnection
from minibroker_client.transport.base import Address, Listener, Returned

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from minibroker_client.protocol.channel import ProtocolChannel
    from minibroker_client.protocol.connection import ProtocolConnection
    from minibroker_client.protocol.pending import Pending

__all__ = ["PROTOCOLS", "Pair"]

PROTOCOLS: dict[str, tuple[Any, Any]] = {
    "amqp": (AMQPConnection, ServerAMQP),
    "native": (NativeConnection, ServerNative),
}


class Outlet:
    """The owner of the server's socket."""

    def woken(self) -> None:
        """There is something to take."""

    def told(self, event: str, **fields: object) -> None:
        """Something for the log."""


class Pair:
    """Both sides of one connection; it is the shell of the client's side, too."""

    def __init__(
        self,
        broker: Broker,
        protocol: str = "amqp",
        settings: ServerSettings | None = None,
        chunk: int = 1 << 30,
        **address: Any,
    ) -> None:
        self.guard: AbstractContextManager[Any] = nullcontext()
        self.protocol = protocol
        self.chunk = chunk
        """Bytes that arrive at one time."""
        self.returned: list[Returned] = []
        self.cancelled: list[str] = []
        self.deliveries: list[Any] = []
        ours, theirs = PROTOCOLS[protocol]
        self.address = Address(protocol, "localhost", **address)
        self.client: ProtocolConnection = ours(self.address, self)
        self.server = theirs(broker, settings or ServerSettings(), Peer(loopback=True), Outlet())

    # -- the shell

    def perform(self, pending: Pending, timeout: float | None = None) -> Any:
        """Let both sides talk until the answer is there; TimeoutError when nobody says more."""
        while not pending.done:
            if not self.turn():
                raise TimeoutError(f"{pending.method}: no answer")
        return pending.result()

    def written(self) -> None:
        """It is sent with the next turn."""

    def turn(self) -> bool:
        """One turn of each side; whether anything was said."""
        out = self.client.take()
        for at in range(0, len(out), self.chunk):
            self.server.receive(out[at : at + self.chunk])
        back = b"".join(self.server.take())
        for at in range(0, len(back), self.chunk):
            self.client.receive(back[at : at + self.chunk])
        return bool(out or back)

    def talk(self) -> None:
        """As many turns as it takes until nobody says more."""
        while self.turn():
            pass

    # -- for tests

    def open(self) -> Pair:
        """The handshake."""
        self.perform(self.client.opened)
        return self

    def channel(self) -> ProtocolChannel:
        """A new channel, whose events are collected."""
        channel: ProtocolChannel = self.client.channel(
            Listener(self.returned.append, self.cancelled.append)
        )
        return channel

    def drain(self) -> list[bytes]:
        """Deal with everything that came: the bodies of deliveries so far."""
        self.talk()
        while self.client.urgent or self.client.inbox:
            queue: Any = self.client.urgent or self.client.inbox
            item = queue.popleft()
            if hasattr(item, "consumer"):
                self.client.handed_out(len(item.body))
                item.consumer.callback(item)
            else:
                item()
            self.talk()
        return [delivery.body for delivery in self.deliveries]

    def publish(self, channel: ProtocolChannel, *bodies: bytes, **fields: Any) -> None:
        """Publish to queue `q`, or as the fields say."""
        record = channel.properties(fields.pop("properties", {}))
        where = {"exchange": "", "routing_key": "q", **fields}
        for body in bodies:
            channel.publish(body=body, properties=record, **where)
