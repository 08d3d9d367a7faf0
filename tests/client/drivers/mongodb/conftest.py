"""Drivers on the shared nx-27017, in places of their own, and pymongo beside them."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from minibroker.message import Message
from minibroker.properties import Properties
from minibroker_client.drivers.mongodb import MongoDriver
from minibroker_client.parameters import Parameters
from minibroker_client.remote.driver import Outgoing, QueueInfo

from ...remote.places import server_of, url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minibroker_client.remote.driver import Leased
    from minibroker_client.transport.base import Address

    Opened = Callable[..., MongoDriver]


@pytest.fixture
def address() -> Address:
    options = {"prefix": f"t{secrets.token_hex(6)}"}
    return Parameters().with_url(url_of(server_of("nx-27017"))).address(options)


@pytest.fixture
def opened(address: Address) -> Iterator[Opened]:
    """Makes drivers in one place, with options if need be."""
    drivers: list[MongoDriver] = []

    def opened(**options: Any) -> MongoDriver:
        drivers.append(MongoDriver(replace(address, options={**address.options, **options})))
        return drivers[-1]

    yield opened
    for driver in drivers:
        driver.close()


@pytest.fixture
def driver(opened: Opened) -> MongoDriver:
    """One with a queue `q`."""
    driver = opened()
    declare(driver)
    return driver


@pytest.fixture
def pair(opened: Opened) -> tuple[MongoDriver, MongoDriver]:
    """Two clients of a queue `q`."""
    one, other = opened(), opened()
    for each in (one, other):
        declare(each)
    return one, other


def declare(driver: MongoDriver, queue: str = "q", highest: int = 0) -> None:
    info = QueueInfo(queue, {"x-max-priority": highest} if highest else {})
    driver.know(info)
    driver.declare(info)


def outgoing(body: bytes = b"hello", queue: str = "q", delay: int = 0, **values: Any) -> Outgoing:
    return Outgoing(queue, Message("", queue, Properties(**values), body), None, delay)


def put(driver: MongoDriver, *bodies: bytes) -> None:
    driver.put([outgoing(body) for body in bodies])


def lease(driver: MongoDriver, most: int = 100, queue: str = "q") -> list[Leased]:
    return driver.lease([(queue, most)], 0)


def bodies(leased: list[Leased]) -> list[bytes]:
    return [each.message.body for each in leased]


def end_leases(driver: MongoDriver) -> None:
    """Let all leases have ended, as the server's documents say."""
    driver.messages.update_many({"token": {"$ne": ""}}, {"$set": {"until": 1}})
