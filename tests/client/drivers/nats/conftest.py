"""Drivers on the shared NATS server, in places of their own, and a foreign program beside them."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from minibroker.message import Message
from minibroker.properties import Properties
from minibroker_client.drivers.nats import NatsDriver
from minibroker_client.drivers.nats.looping import Looping
from minibroker_client.parameters import Parameters
from minibroker_client.remote.driver import Outgoing, QueueInfo

from ...remote.places import server_of, url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minibroker_client.transport.base import Address

    Opened = Callable[..., NatsDriver]


class Stranger:
    """A program that knows NATS only, through nats-py."""

    def __init__(self, url: str) -> None:
        nats = pytest.importorskip("nats")
        self.looping = Looping()
        self.client: Any = self.looping.call(nats.connect(url))
        self.stream: Any = self.client.jetstream()

    def publish(self, subject: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.looping.call(self.stream.publish(subject, body, headers=headers))

    def get(self, stream: str, sequence: int) -> Any:
        return self.looping.call(self.stream.get_msg(stream, sequence))

    def call(self, coroutine: Any) -> Any:
        return self.looping.call(coroutine)

    def close(self) -> None:
        self.looping.call(self.client.close())
        self.looping.close()


@pytest.fixture
def address() -> Address:
    options = {"prefix": f"t{secrets.token_hex(6)}", "lease": 5}
    return Parameters().with_url(url_of(server_of("nats"))).address(options)


@pytest.fixture
def opened(address: Address) -> Iterator[Opened]:
    """Makes drivers in one place, with options if need be."""
    drivers: list[NatsDriver] = []

    def opened(**options: Any) -> NatsDriver:
        drivers.append(NatsDriver(replace(address, options={**address.options, **options})))
        return drivers[-1]

    yield opened
    for driver in drivers:
        driver.close()


@pytest.fixture
def driver(opened: Opened) -> NatsDriver:
    """One with a queue `q`."""
    driver = opened()
    declare(driver, "q")
    return driver


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    stranger = Stranger(server_of("nats").url)
    yield stranger
    stranger.close()


def declare(driver: NatsDriver, queue: str) -> None:
    driver.know(QueueInfo(queue, {}))
    driver.declare(QueueInfo(queue, {}))


def message(body: bytes = b"hello", queue: str = "q", **properties: Any) -> Message:
    return Message("", queue, Properties(**properties), body)


def outgoing(body: bytes = b"hello", queue: str = "q", **properties: Any) -> Outgoing:
    return Outgoing(queue, message(body, queue, **properties))
