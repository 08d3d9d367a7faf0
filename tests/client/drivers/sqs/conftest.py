"""Drivers on the shared moto, in places of their own, and boto3 beside them."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from minibroker.message import Message
from minibroker.properties import Properties
from minibroker_client.drivers.sqs import SQSDriver
from minibroker_client.parameters import Parameters
from minibroker_client.remote.driver import Outgoing, QueueInfo

from ...remote.places import server_of, url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minibroker_client.transport.base import Address

    Opened = Callable[..., SQSDriver]


@pytest.fixture
def address() -> Address:
    options = {"prefix": f"t{secrets.token_hex(6)}"}
    return Parameters().with_url(url_of(server_of("moto"))).address(options)


@pytest.fixture
def opened(address: Address) -> Iterator[Opened]:
    """Makes drivers in one place, with options if need be."""
    drivers: list[SQSDriver] = []

    def opened(**options: Any) -> SQSDriver:
        drivers.append(SQSDriver(replace(address, options={**address.options, **options})))
        return drivers[-1]

    yield opened
    for driver in drivers:
        driver.close()


@pytest.fixture
def driver(opened: Opened) -> SQSDriver:
    """One with a queue `q`."""
    driver = opened()
    declare(driver)
    return driver


def declare(driver: SQSDriver, queue: str = "q") -> None:
    driver.know(QueueInfo(queue, {}))
    driver.declare(QueueInfo(queue, {}))


def outgoing(body: bytes = b"hello", queue: str = "q", delay: int = 0, **values: Any) -> Outgoing:
    return Outgoing(queue, Message("", queue, Properties(**values), body), None, delay)


def lease(driver: SQSDriver, queue: str = "q", most: int = 100) -> Any:
    return driver.lease([(queue, most)], 0)


def bodies(leased: Any) -> list[bytes]:
    return [each.message.body for each in leased]


def requests(driver: SQSDriver, operation: str) -> list[dict[str, Any]]:
    """Where what is asked of an operation is written down from now on."""
    found: list[dict[str, Any]] = []
    driver.client.meta.events.register(
        f"provide-client-params.sqs.{operation}", lambda params, **_: found.append(params)
    )
    return found
