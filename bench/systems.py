"""The systems that the client's transports reach, each on a server, and Kombu made to run there.

What Kombu is helped with, because a stand-in has no more, is said where it is done. Each of these
is done once for a queue or connection, and costs nothing for a message.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .system_ends import WINDOW, KombuEnd, NatsEnd, OurEnd, StreamEnd

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    import pytest

    from .system_ends import End

    Opens = Callable[[], End]

__all__ = ["SYSTEMS", "Ends", "System", "ends_of"]

# Tests are no package, but what starts servers for them is wanted here as well.
SERVERS: Any = import_module("tests.external.servers")


@dataclass(frozen=True, slots=True)
class System:
    """One to measure."""

    name: str
    kind: str
    """Of the server."""
    number: int
    """How many messages a turn has: no more than take the slower one half a second."""
    publish: float | None = None
    """How many times as fast as Kombu we are to be, one message at a time."""
    consume: float | None = None
    window: float | None = None
    synced: bool = False
    """Whether the server writes each command to the disk before it answers."""
    peer: str = "Kombu"


SYSTEMS = [
    System("Redis", "redis", 500, 1, 3, 1),
    System("Redis, synced", "redis", 200, 1, 3, 1, synced=True),
    System("Redis", "redis", 500, peer="redis-py"),
    System("Valkey", "valkey", 500, 1, 3, 1),
    System("SQS by ministack", "ministack", 100, consume=3, window=3),
    System("SQS by moto", "moto", 20, consume=3, window=3),
    System("MongoDB by nx", "nx-27017", 200, 1.5, 1.5, 1.5),
    System("Service Bus stand-in", "azureservicebus", 150, 1.5, 1.5, 1.5),
    System("NATS JetStream", "nats", 500, peer="nats-py"),
]


@dataclass(frozen=True, slots=True)
class Ends:
    """How to open a connection with a queue of its own, of each contender."""

    ours: Opens
    windowed: Opens
    theirs: Opens
    """The peer."""
    their_window: Opens | None = None
    """The peer with as many confirms outstanding, if it knows any."""


def ends_of(
    system: System, directory: Path, closing: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> Ends:
    """Start a server, and say how to connect to it."""
    server = _started(system, directory, closing)
    url = import_module("tests.client.remote.places").url_of(server)
    ours, windowed = partial(OurEnd, url), partial(OurEnd, url, WINDOW)
    if system.peer == "redis-py":
        return Ends(ours, windowed, partial(StreamEnd, url))
    if system.peer == "nats-py":
        return Ends(ours, windowed, partial(NatsEnd, url), partial(NatsEnd, url, WINDOW))
    their_url, options = _kombu(server, url, monkeypatch, closing)
    return Ends(ours, windowed, partial(KombuEnd, their_url, options))


def _started(system: System, directory: Path, closing: ExitStack) -> Any:
    make = next(server for server in SERVERS.SERVERS if server.kind == system.kind)
    # Locks of the stand-in outlast what is taken at once and acked one by one.
    server = make(directory, lock=60) if system.kind == "azureservicebus" else make(directory)
    closing.callback(server.close)
    server.start()
    if server.system == "redis" and not system.synced and not server.service:
        with import_module("redis").Redis.from_url(server.url) as client:
            client.config_set("appendonly", "no")
    return server


def _kombu(
    server: Any, url: str, monkeypatch: pytest.MonkeyPatch, closing: ExitStack
) -> tuple[str, dict[str, Any]]:
    """Kombu's URL and transport options; what is polled only matters once a queue is empty."""
    if server.system == "redis":
        return url, {"polling_interval": 0.1}
    if server.system == "sqs":
        return url, {"region": "us-east-1"}
    if server.system == "mongodb":
        _help_on_mongodb(monkeypatch, closing)
        # Dots in names of collections are more than the stand-in takes.
        names = {"routing_collection": "routing", "broadcast_collection": "broadcast"}
        return f"mongodb://{server.host}:{server.port}/kombu", names
    _help_on_service_bus(server.url, monkeypatch)
    return "azureservicebus://test:test@stand-in", {}


def _help_on_mongodb(monkeypatch: pytest.MonkeyPatch, closing: ExitStack) -> None:
    """The stand-in nx says no version, and has no index with `_id` and no capped collections."""
    pymongo: Any = import_module("pymongo")
    theirs: Any = import_module("kombu.transport.mongodb")

    def client(**named: Any) -> Any:
        made = pymongo.MongoClient(**named)
        closing.callback(made.close)  # which Kombu does not
        return made

    def index(_: Any, database: Any) -> None:
        database.messages.create_index([("queue", 1), ("priority", 1)])

    monkeypatch.setattr(theirs, "MongoClient", client)
    monkeypatch.setattr(pymongo.MongoClient, "server_info", lambda _: {"version": "7.0.0"})
    monkeypatch.setattr(theirs.Channel, "_ensure_indexes", index)
    monkeypatch.setattr(theirs.Channel, "_create_broadcast", lambda *_: None)


class _NoManagement:
    """In the place of Azure's HTTP management: the stand-in makes a queue on its first use."""

    def create_queue(self, **_: Any) -> None:
        """Nothing to do."""

    def get_queue_runtime_properties(self, _: str) -> Any:
        """Nothing is known."""
        return SimpleNamespace(total_message_count=0)

    def delete_queue(self, _: str) -> None:
        """It is left there."""


def _help_on_service_bus(connection_string: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No HTTP management, and a port of our own without TLS, for which Kombu has no URL."""
    channel: Any = import_module("kombu.transport.azureservicebus").Channel

    def parse(self: Any) -> None:
        self._namespace, self._connection_string = "stand-in", connection_string

    monkeypatch.setattr(channel, "_try_parse_connection_string", parse)
    monkeypatch.setattr(channel, "queue_mgmt_service", _NoManagement())
