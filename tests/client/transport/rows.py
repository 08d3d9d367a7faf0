"""How the contract suite connects to each transport: a place of its own for each test."""

from __future__ import annotations

import os
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from minibroker import Broker
from minibroker_client.transport import get_transport, register
from minibroker_client.transport.base import Address, Listener

from ..remote.places import KINDS, address_of, howto_driver, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...interop.servers import AmqpServer

__all__ = ["TRANSPORTS", "Servers"]

Servers: TypeAlias = "Callable[[str], AmqpServer]"


def memory_by_name(_: Servers) -> Iterator[Address]:
    yield Address("memory", hostname="contract")


def memory_of_a_broker(_: Servers) -> Iterator[Address]:
    with Broker() as broker:
        yield Address("memory", broker=broker)


def file_of_a_directory(_: Servers) -> Iterator[Address]:
    with TemporaryDirectory() as directory:
        yield Address("file", hostname=directory)


def amqp_to_minibroker(_: Servers) -> Iterator[Address]:
    with Broker() as broker, broker.listen() as server:
        yield Address("amqp", "127.0.0.1", urlsplit(server.url).port)


def native_to_minibroker(_: Servers) -> Iterator[Address]:
    with Broker() as broker, broker.listen() as server:
        yield Address("minibroker", "127.0.0.1", urlsplit(server.url).port)


def amqp_to_rabbitmq(servers: Servers) -> Iterator[Address]:
    address = Address("amqp", "127.0.0.1", urlsplit(servers("rabbitmq").url).port)
    yield address
    connection = get_transport("amqp").connect(address)
    channel = connection.channel(Listener(print, print))
    for name in ("q", "mine"):
        channel.delete_queue(name)
    for name in ("source", "target"):
        channel.delete_exchange(name)
    connection.close()


def driver_of_the_documentation(_: Servers) -> Iterator[Address]:
    scheme = howto_driver()
    with TemporaryDirectory() as directory:
        yield Address(scheme, virtual_host=f"{directory}/queues.db", options=OPTIONS)


def external(kind: str) -> Callable[[Servers], Iterator[Address]]:
    def address(_: Servers) -> Iterator[Address]:
        with place_of(kind) as url:
            yield address_of(url, OPTIONS)

    return address


def of_somebody_else(_: Servers) -> Iterator[Address]:
    """The transport that the environment names, see docs/howto-transport.md."""
    url = os.environ["MINIBROKER_TEST_URL"]
    register(urlsplit(url).scheme, os.environ["MINIBROKER_TEST_TRANSPORT"])
    yield address_of(url, OPTIONS)


YOURS = {"yours": of_somebody_else} if "MINIBROKER_TEST_TRANSPORT" in os.environ else {}
OPTIONS = {"lease": 2}
TRANSPORTS: dict[str, Callable[[Servers], Iterator[Address]]] = {
    "memory://name": memory_by_name,
    "Broker": memory_of_a_broker,
    "file:///directory": file_of_a_directory,
    "amqp://": amqp_to_minibroker,
    "minibroker://": native_to_minibroker,
    "rabbitmq": amqp_to_rabbitmq,
    "docs/howto-transport.md": driver_of_the_documentation,
    **{kind: external(kind) for kind in KINDS},
    **YOURS,
}
