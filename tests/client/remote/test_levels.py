"""Priorities where a system has none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from minibroker.message import Message
from minibroker.properties import Properties
from minibroker_client.remote import Leased, Outgoing, QueueInfo
from minibroker_client.remote.levels import Levels, with_levels

from .fake import FEATURES, FakeDriver, FakeSystem

if TYPE_CHECKING:
    from minibroker_client.remote import Driver

JOBS = QueueInfo("jobs", {"x-max-priority": 2})
PLAIN = QueueInfo("plain", {})


@pytest.fixture
def driver() -> Any:
    fake = FakeDriver(FakeSystem())
    fake.features = replace(FEATURES, priority=False)
    return fake


@pytest.fixture
def levels(driver: Any) -> Levels:
    levels = with_levels(driver)
    assert isinstance(levels, Levels)
    for queue in (JOBS, PLAIN):
        levels.know(queue)
        levels.declare(queue)
    return levels


def outgoing(queue: str, body: bytes, priority: int | None = None) -> Outgoing:
    return Outgoing(queue, Message("", queue, Properties(priority=priority), body))


def bodies(leased: list[Leased]) -> list[bytes]:
    return [each.message.body for each in leased]


def test_a_system_with_priorities_is_left_alone() -> None:
    fake: Driver = FakeDriver(FakeSystem())
    assert with_levels(fake) is fake


def test_the_highest_level_comes_first_and_what_is_too_high_counts_as_the_highest(
    levels: Levels,
) -> None:
    batch = [outgoing("jobs", b"%d" % n, n) for n in (0, 1, 2, 200)]
    levels.put([*batch, outgoing("jobs", b"none")])
    leased = levels.lease([("jobs", 4)], 0)
    assert bodies(leased) == [b"2", b"200", b"1", b"0"]
    assert {each.queue for each in leased} == {"jobs"}
    assert bodies(levels.lease([("jobs", 4)], 0)) == [b"none"]


def test_what_others_put_into_the_plain_queue_has_the_lowest_level(
    levels: Levels, driver: Any
) -> None:
    driver.put([outgoing("jobs", b"foreign")])
    levels.put([outgoing("jobs", b"high", 1)])
    assert bodies(levels.lease([("jobs", 9)], 0)) == [b"high", b"foreign"]


def test_leases_are_settled_in_their_levels(levels: Levels) -> None:
    levels.put([outgoing("jobs", b"%d" % n, n) for n in (0, 1, 2)])
    levels.put([outgoing("plain", b"p")])
    leased = [*levels.lease([("plain", 1)], 0), *levels.lease([("jobs", 9), ("plain", 1)], 0)]
    assert bodies(leased) == [b"p", b"2", b"1", b"0"]
    assert levels.ack(leased[:2]) == []
    levels.nack(leased[2:3])
    assert levels.renew(leased[3:]) == []
    assert bodies(levels.lease([("jobs", 9)], 0)) == [b"1"]
    assert (levels.size("plain"), levels.size("jobs")) == (0, 0)


def test_a_lost_lease_is_told_as_the_one_that_was_handed_out(levels: Levels, driver: Any) -> None:
    levels.put([outgoing("jobs", b"%d" % n, n) for n in (0, 1)])
    leased = levels.lease([("jobs", 9)], 0)
    driver.ack([leased[0].token])
    assert levels.ack(leased) == leased[:1]
    assert levels.renew(leased[1:]) == leased[1:]


def test_size_purge_and_delete_are_of_all_levels(levels: Levels, driver: Any) -> None:
    levels.put([outgoing("jobs", b"x", n) for n in (0, 1, 2)])
    assert levels.size("jobs") == 3
    assert levels.purge("jobs") == 3
    levels.put([outgoing("jobs", b"x", 2)])
    levels.delete("jobs")
    assert driver.taken("delete") == [("delete", name) for name in ("jobs", "jobs.p1", "jobs.p2")]
    levels.know(QueueInfo("jobs", {}))
    assert levels.levels == {}
