"""A broker that is fed with anything, a client on it that must not notice, and what has to hold
after each input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faulty import FaultyFiles
from minibroker import Broker, ManualClock
from minibroker.server import ServerSettings
from minibroker.server.amqp.base import BACKLOG
from minibroker.server.amqp.publishing import REMEMBERED
from minibroker.server.amqp.states import CLOSED, CLOSING, OPEN
from minibroker.wire.amqp import spec

from ..pair import Client, Said

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["REPLY_CODES", "World", "described"]

REPLY_CODES = frozenset({311, 312, 313, 320, 402, 403, 404, 405, 406}) | frozenset(
    {501, 502, 503, 504, 505, 506, 530, 540, 541}
)
"""Those of the specification."""
LARGEST_ANSWER = 8 << 20
"""Bytes that one piece of input may have as its answer here, where messages are small."""
SETTINGS = ServerSettings(frame_max=131_072, channel_max=2047)
PLACES: list[dict[str, Any]] = [
    {"profile": "rabbitmq-3.10"},
    {"profile": "rabbitmq-4.2"},
    {"profile": "rabbitmq-4.3", "memory_limit": 20_000},
    {"profile": "rabbitmq-3.10", "logged": True},
]
"""The brokers of the worlds, in turn; `logged` with a log in memory."""


class World:
    """One broker and its witness."""

    def __init__(self, number: int = 0) -> None:
        self.options = dict(PLACES[number % len(PLACES)])
        self.files = FaultyFiles() if self.options.pop("logged", False) else None
        self.clock = ManualClock()
        self.broker = self._broker()
        self.witness = Client(self.broker, SETTINGS).open(1)
        self.inputs = 0

    def _broker(self) -> Broker:
        return Broker(clock=self.clock, data=self.files, segment_size=65_536, **self.options)

    def newcomer(self) -> Client:
        """A client that has said nothing yet."""
        return Client(self.broker, SETTINGS)

    def feed(self, client: Client, data: Iterable[bytes]) -> list[Said]:
        """Send bytes, and see that what comes back is right and of bounded size."""
        said: list[Said] = []
        for piece in data:
            said += hear(client, piece)
            check_size(client, piece)
        said += client.said() if client.server.state is OPEN else []
        check_end(client, said)
        self.inputs += 1
        return said

    def after(self, client: Client) -> None:
        """The input is over: the client goes, and everything else is as it should be."""
        client.server.lost()
        assert client.server.state is CLOSED
        witness = self.witness
        assert witness.send(1, spec.BasicQos(0, 1)) == [Said(1, spec.BasicQosOk())]
        if self.inputs % 50 == 0:
            self.look()

    def look(self) -> None:
        """What is looked at from time to time."""
        self.broker.sync()
        self.broker._check()
        host = self.broker.vhosts["/"]
        assert len(host.connections) == 1, "a client that is gone is still connected"
        self.clock.advance(1)
        if self.broker.host.gate.on:
            with self.broker.host.guard:
                for queue in list(host.queues.values()):
                    host.remove_queue(queue)
            assert not self.broker.host.gate.on
        self.witness.said()
        self.witness.declare(1, "witness", durable=False, exclusive=True)
        self.witness.publish(1, b"still here", key="witness")
        (got,) = self.witness.send(1, spec.BasicGet("witness", no_ack=True))
        assert got.body == b"still here"

    def close(self) -> None:
        """The end of this world."""
        self.look()
        self.broker.close()
        if self.files is not None:
            with self._broker() as again:
                again._check()


def hear(client: Client, piece: bytes) -> list[Said]:
    """What the server answers; the protocol header where it speaks nothing else."""
    client.server.receive(piece)
    raw = client.raw()
    assert len(raw) <= LARGEST_ANSWER
    frame_max: int = client.server.deliveries.frame_max  # type: ignore[attr-defined]  # of AMQP
    client.frames.frame_max = max(frame_max, 8192) if frame_max else 0
    if raw.startswith(b"AMQP"):
        assert client.server.ending
        assert len(raw) == 8
        return []
    return client.frames.read(raw)


def check_size(client: Client, piece: bytes) -> None:
    """Nothing in a connection grows beyond its limits."""
    server = client.server
    buffered = sum(map(len, server.reader._buffer._parts))
    assert buffered <= server.reader.limit + 8 + len(piece), "too much is buffered"
    assert server.weight <= BACKLOG
    assert server.out == []
    assert len(server.channels) <= max(server.channel_max, 0)
    assert len(server.publisher._methods) <= REMEMBERED
    assert len(server.publisher._properties) <= REMEMBERED
    if server.model is not None:
        assert not server.model.closed or not server.channels


def check_end(client: Client, said: list[Said]) -> None:
    """Every close has a code of the specification, and none says that the broker failed."""
    for each in said:
        if isinstance(each.method, spec.ConnectionClose | spec.ChannelClose):
            assert each.method.reply_code in REPLY_CODES
            assert each.method.reply_text
    closes = [each for each in said if isinstance(each.method, spec.ConnectionClose)]
    assert len(closes) <= 1
    if closes:
        assert client.server.state in {CLOSING, CLOSED}
    if client.server.state is CLOSING:
        assert not client.server.channels


def described(broker: Broker) -> dict[str, object]:
    """Everything that a refused method must leave as it was."""
    host = broker.vhosts["/"]
    seen: dict[str, object] = {}
    for name, queue in host.queues.items():
        seen[f"queue {name}"] = (
            queue.kind,
            queue.message_count,
            queue.unacked,
            [consumer.tag for consumer in queue.consumers.all],
        )
    for name, exchange in host.exchanges.items():
        bound = sorted(
            (each.destination.name, each.routing_key, repr(each.arguments))
            for each in exchange.bindings
        )
        seen[f"exchange {name}"] = (exchange.type, exchange.internal, bound)
    return seen
