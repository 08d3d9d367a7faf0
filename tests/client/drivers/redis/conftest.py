"""Drivers on the shared Redis, in places of their own, and redis-py beside them."""

from __future__ import annotations

import secrets
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from minibroker.message import Message
from minibroker.properties import Properties
from minibroker_client.drivers.redis import RedisDriver
from minibroker_client.parameters import Parameters
from minibroker_client.remote.driver import Outgoing, QueueInfo

from ...remote.places import server_of, url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from minibroker_client.remote.driver import Leased
    from minibroker_client.transport.base import Address

    Opened = Callable[..., RedisDriver]


@pytest.fixture
def address() -> Address:
    options = {"prefix": f"t{secrets.token_hex(6)}"}
    return Parameters().with_url(url_of(server_of("redis"))).address(options)


@pytest.fixture
def opened(address: Address) -> Iterator[Opened]:
    """Makes drivers in one place, with options if need be."""
    drivers: list[RedisDriver] = []

    def opened(**options: Any) -> RedisDriver:
        drivers.append(RedisDriver(replace(address, options={**address.options, **options})))
        return drivers[-1]

    yield opened
    empty(drivers[0])
    for driver in drivers:
        driver.close()


@pytest.fixture(params=["stream", "sorted"])
def layout(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def pair(opened: Opened, layout: str) -> tuple[RedisDriver, RedisDriver]:
    """Two clients of a queue `q` of each layout."""
    one, other = opened(), opened()
    for each in (one, other):
        declare(each, arguments={"x-redis-layout": layout})
    return one, other


def declare(
    driver: RedisDriver, queue: str = "q", arguments: Mapping[str, Any] = MappingProxyType({})
) -> None:
    info = QueueInfo(queue, arguments)
    driver.know(info)
    driver.declare(info)


def outgoing(body: bytes = b"hello", delay: int = 0, **properties: Any) -> Outgoing:
    return Outgoing("q", Message("", "q", Properties(**properties), body), None, delay)


def put(driver: RedisDriver, *bodies: bytes) -> None:
    driver.put([outgoing(body) for body in bodies])


def lease(driver: RedisDriver, most: int = 100) -> list[Leased]:
    """What can be leased now, also of leases that have ended."""
    driver._looked.clear()
    return driver.lease([("q", most)], 0)


def bodies(leased: list[Leased]) -> list[bytes]:
    return [each.message.body for each in leased]


def key(driver: RedisDriver, part: str = "") -> str:
    """A key of the queue."""
    return f"{driver.prefix}:{{q}}{part}"


def end_leases(driver: RedisDriver) -> None:
    """Let all leases of the queue have begun long ago, by the server's clock."""
    client = driver.client
    if client.exists(key(driver)):
        for row in client.xpending_range(key(driver), "minibroker", "-", "+", 100):
            if row["consumer"] != b"-":
                client.xclaim(key(driver), "minibroker", row["consumer"], 0, [row["message_id"]],
                              idle=3_600_000, justid=True)  # fmt: skip
    for entry in client.zrange(key(driver, ":leases"), 0, -1):
        client.zadd(key(driver, ":leases"), {entry: 1})


def empty(driver: RedisDriver) -> None:
    """Delete all that is in the place."""
    found = list(driver.client.scan_iter(f"{driver.prefix}:*"))
    if found:
        driver.client.delete(*found)
