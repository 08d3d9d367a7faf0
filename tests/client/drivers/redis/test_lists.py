"""Kombu's lists as queues, by the driver itself."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest

from minibroker.message import Message
from minibroker.properties import Properties
from minibroker_client.drivers.redis import RedisDriver
from minibroker_client.drivers.redis.kombu_envelope import KombuNames
from minibroker_client.drivers.redis.lists import ListLayout
from minibroker_client.parameters import Parameters
from minibroker_client.remote.driver import Outgoing, QueueInfo
from minibroker_client.remote.kombu import envelope_of

from ...remote.places import server_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minibroker_client.remote.driver import Leased

    Opened = Callable[..., RedisDriver]
Q = "q"


@pytest.fixture
def opened() -> Iterator[Opened]:
    url, prefix = server_of("redis").url, f"t{secrets.token_hex(4)}:"
    made: list[RedisDriver] = []

    def opened(lease: float = 30) -> RedisDriver:
        options = {"envelope": "kombu", "global_keyprefix": prefix, "lease": lease}
        driver = RedisDriver(Parameters().with_url(url).address(options))
        driver.know(QueueInfo(Q, {"x-redis-layout": "sorted"}))
        driver.declare(QueueInfo(Q, {}))
        made.append(driver)
        return driver

    yield opened
    for driver in made:
        driver.close()


def put(driver: RedisDriver, *bodies: bytes, delay: int = 0, priority: int | None = None) -> None:
    messages = [Message("", Q, Properties(priority=priority), body) for body in bodies]
    answer = driver.put([Outgoing(Q, message, delay=delay) for message in messages])
    assert not answer.refused


def lease(driver: RedisDriver, most: int = 100, wait: float = 0) -> list[Leased]:
    return driver.lease([(Q, most)], wait)


def bodies(leases: list[Leased]) -> list[bytes]:
    return [each.message.body for each in leases]


def ended(driver: RedisDriver) -> None:
    """Let all leases end now."""
    layout = driver.layouts[Q]
    leases = layout.keys[-4]
    for member in driver.client.zrange(leases, 0, -1):
        driver.client.zadd(leases, {member: 1})
    driver._looked.clear()


def test_messages_come_in_their_order(opened: Opened) -> None:
    driver = opened()
    put(driver, b"1", b"2", b"3")
    assert driver.size(Q) == 3
    assert bodies(lease(driver, 2)) == [b"1", b"2"]
    assert bodies(lease(driver, 2)) == [b"3"]
    assert driver.size(Q) == 0


def test_what_is_leased_is_nobody_elses(opened: Opened) -> None:
    one, other = opened(), opened()
    put(one, b"1")
    [mine] = lease(one)
    assert lease(other) == []
    assert one.ack([mine]) == []
    assert one.ack([mine]) == [mine]


def test_what_is_given_back_comes_in_its_order_before_what_is_there(opened: Opened) -> None:
    driver = opened()
    put(driver, b"1", b"2", b"3", b"4")
    first = lease(driver, 3)
    driver.nack([first[0], first[2], first[1]])
    again = lease(driver)
    assert bodies(again) == [b"1", b"2", b"3", b"4"]
    assert [each.deliveries for each in again] == [1, 1, 1, 0]


def test_a_lease_that_ended_is_lost_to_its_owner(opened: Opened) -> None:
    late, other = opened(), opened()
    put(late, b"1", b"2")
    mine = lease(late)
    ended(late)
    assert late.size(Q) == 2
    theirs = lease(other)
    assert bodies(theirs) == [b"1", b"2"]
    assert late.ack(mine) == mine
    assert late.renew(mine) == mine
    late.nack(mine)
    assert other.renew(theirs) == []
    assert other.ack(theirs) == []
    assert lease(late) == []


def test_a_renewed_lease_goes_on(opened: Opened) -> None:
    driver = opened()
    put(driver, b"1")
    mine = lease(driver)
    ended(driver)
    assert driver.renew(mine) == []
    assert lease(driver) == []
    assert driver.ack(mine) == []


def test_a_message_that_comes_back_later_is_lost_until_then(opened: Opened) -> None:
    driver = opened()
    put(driver, b"1")
    mine = lease(driver)
    driver.nack(mine, 60_000)
    assert (lease(driver), driver.size(Q)) == ([], 0)
    assert driver.ack(mine) == mine
    put(driver, b"2")
    driver.client.zadd(driver.layouts[Q].keys[-3], {mine[0].token[0]: 1})
    assert bodies(lease(driver)) == [b"1", b"2"]


def test_a_delayed_message_goes_behind_what_is_there(opened: Opened) -> None:
    driver = opened()
    put(driver, b"late", delay=1)
    put(driver, b"early")
    found: list[bytes] = []
    while len(found) < 2:
        found += bodies(lease(driver, wait=0.5))
    assert found == [b"early", b"late"]


def test_a_priority_is_kept_over_a_delay_and_a_lease(opened: Opened) -> None:
    driver = opened()
    put(driver, b"nine", priority=9, delay=1)
    found: list[Leased] = []
    while not found:
        found = lease(driver, wait=0.5)
    driver.nack(found)
    put(driver, b"zero")
    assert bodies(lease(driver)) == [b"zero", b"nine"]


def test_what_is_ready_is_purged_and_what_is_leased_stays(opened: Opened) -> None:
    driver = opened()
    put(driver, b"1")
    put(driver, b"2", priority=9)
    put(driver, b"3")
    [mine] = lease(driver, 1)
    assert driver.purge(Q) == 2
    assert driver.ack([mine]) == []


def test_a_text_that_is_no_envelope_is_another_programs(opened: Opened) -> None:
    driver = opened()
    key = driver.layouts[Q].keys[0]
    driver.client.lpush(key, b'{"a": 1}', b"\xff")
    found = lease(driver)
    assert bodies(found) == [b'{"a": 1}', b"\xff"]
    kinds = [each.message.properties.content_type for each in found]
    assert kinds == ["application/json", None]
    assert driver.ack(found) == []


def test_the_time_to_live_travels_along() -> None:
    layout = ListLayout(Q, "mine", KombuNames())
    outgoing = Outgoing(Q, Message("", Q, Properties(), b""), expires=5)
    _, [command, key, text] = layout.put(outgoing)
    assert (command, key) == ("LPUSH", Q)
    assert layout.leased([b"1:1:c", text.encode(), 0], "c").expires == 5


def test_a_count_of_kombus_is_a_redelivery() -> None:
    layout = ListLayout(Q, "mine", KombuNames())
    text = envelope_of(Message("", Q, Properties(), b""))
    given: Any = text.replace('"delivery_info": {', '"delivery_info": {"redelivered": true, ')
    assert layout.leased([b"1:1:c", given.encode(), 0], "c").deliveries == 1
    assert layout.leased([b"1:1:c", text.encode(), 3], "c").deliveries == 3
