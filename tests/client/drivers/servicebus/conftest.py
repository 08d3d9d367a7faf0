from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest

from minibroker.message import Message
from minibroker.properties import Properties
from minibroker_client.drivers.servicebus import ServiceBusDriver
from minibroker_client.remote.driver import Outgoing
from minibroker_client.transport.base import Address

from ....external.servers import ServiceBusServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOCK = 2
"""Seconds."""


def message(body: bytes = b"body", headers: Any = None, **values: Any) -> Message:
    return Message("", "q", Properties(headers=headers, **values), body)


class Place:
    """A server, and on it a place that no other test uses."""

    def __init__(self, server: ServiceBusServer) -> None:
        self.server = server
        self.prefix = f"t{secrets.token_hex(6)}"
        self.ends: list[Any] = []

    def address(self, **options: Any) -> Address:
        query = "UseDevelopmentEmulator=true"
        options = {"prefix": self.prefix, "lease": LOCK, **options}
        host, port = self.server.host, self.server.port
        return Address("azureservicebus", host, port, "test", "test", query=query, options=options)

    def driver(self, **options: Any) -> ServiceBusDriver:
        self.ends.append(ServiceBusDriver(self.address(**options)))
        driver: ServiceBusDriver = self.ends[-1]
        return driver

    def name(self, queue: str) -> str:
        """What a queue is called there."""
        return f"{self.prefix}-{queue}"

    def sdk(self) -> Any:
        """The library, as another program uses it."""
        bus = pytest.importorskip("azure.servicebus")
        self.ends.append(bus.ServiceBusClient.from_connection_string(self.server.url))
        return self.ends[-1]

    def foreign(self, queue: str = "q", **options: Any) -> Any:
        """A receiver of the library."""
        return self.sdk().get_queue_receiver(self.name(queue), **options)

    def send(self, *messages: Any, queue: str = "q") -> None:
        """Send messages by the library."""
        with self.sdk().get_queue_sender(self.name(queue)) as sender:
            sender.send_messages(list(messages))

    def close(self) -> None:
        for end in self.ends:
            end.close()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceBusServer]:
    pytest.importorskip("azure.servicebus")
    server = ServiceBusServer(tmp_path_factory.mktemp("servicebus"), lock=LOCK)
    server.start()
    yield server
    server.close()


@pytest.fixture
def place(shared_server: ServiceBusServer) -> Iterator[Place]:
    place = Place(shared_server)
    yield place
    place.close()


@pytest.fixture
def driver(place: Place) -> ServiceBusDriver:
    return place.driver()


@pytest.fixture
def own_place(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """Places on servers of their own, which may be killed."""
    pytest.importorskip("azure.servicebus")
    places: list[Place] = []

    def make(**options: Any) -> Place:
        server = ServiceBusServer(tmp_path, **options)
        server.start()
        places.append(Place(server))
        return places[-1]

    yield make
    for place in places:
        if place.server.running is not None:
            place.server.resume()
        place.close()
        place.server.close()


def put(driver: ServiceBusDriver, *bodies: bytes, queue: str = "q", **values: Any) -> None:
    answer = driver.put([Outgoing(queue, message(body), **values) for body in bodies])
    assert not answer.refused


def bodies_of(leases: Any) -> list[bytes]:
    return [each.message.body for each in leases]
