"""Expiry in queues that nobody consumes from."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client.parameters import Parameters
from minibroker_client.remote.sweeping import LONGEST, Sweeper
from minibroker_client.transport import get_transport

from ..transport.side import Side
from .places import howto_driver

if TYPE_CHECKING:
    from pathlib import Path

STEP = {"x-message-ttl": 50, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "after"}


@pytest.fixture
def side(tmp_path: Path) -> Any:
    url = f"{howto_driver()}:///{tmp_path}/queues.db"
    side = Side(get_transport("sqlite"), Parameters().with_url(url).address({}))
    side.channel.declare_queue("after")
    side.channel.declare_queue("step", arguments=STEP)
    yield side
    side.connection.close()


def bodies(side: Side) -> list[bytes]:
    return [delivery.message.body for delivery in side.deliveries]


def test_what_expires_in_a_queue_without_consumers_comes_to_who_consumes_elsewhere(
    side: Side,
) -> None:
    for number in range(5):
        side.publish("step", b"%d" % number)
    side.channel.consume("after", side.deliveries.append)
    side.drain_until(lambda: len(side.deliveries) == 5)
    assert bodies(side) == [b"0", b"1", b"2", b"3", b"4"]
    death = side.deliveries[0].message.properties.headers["x-death"][0]  # type: ignore[index]  # there
    assert (death["queue"], death["reason"]) == ("step", "expired")


def test_what_has_not_expired_stays_in_its_place_and_is_looked_at_when_it_does(side: Side) -> None:
    arguments = {**STEP, "x-message-ttl": 60_000}
    side.channel.declare_queue("long", arguments=arguments)
    for body in (b"1", b"2"):
        side.publish("long", body)
    remote: Any = side.connection
    sweeper = Sweeper(remote.remote)
    before = time.monotonic()
    assert sweeper.sweep() <= LONGEST
    assert sweeper._next["long"] - before == pytest.approx(LONGEST, abs=1)
    got = side.channel.get("long")
    assert got is not None
    assert got.delivery.message.body == b"1"


def test_a_queue_that_is_consumed_from_is_left_to_its_consumer(side: Side) -> None:
    side.channel.consume("step", side.deliveries.append)
    remote: Any = side.connection
    sweeper = Sweeper(remote.remote)
    sweeper.sweep()
    assert sweeper._next == {}
