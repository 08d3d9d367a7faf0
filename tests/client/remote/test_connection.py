from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import exceptions
from minibroker_client.remote.connection import POLL_FIRST, POLL_MOST

from .fake import FEATURES, FakeDriver

if TYPE_CHECKING:
    from collections.abc import Callable

    from .fake import Clock, FakeSide, FakeSystem

    Opened = Callable[..., FakeSide]

SLEEPLESS = replace(FEATURES, wake_up=False)
LEASE = FakeDriver.lease_seconds


def held(side: FakeSide, count: int = 1) -> None:
    """The side's consumer has so many messages."""
    for number in range(count):
        side.publish("q", b"%d" % number)
    side.consume()
    side.drain_all()
    side.driver.calls.clear()


def test_messages_come_in_their_order(side: FakeSide) -> None:
    for number in range(5):
        side.publish("q", b"%d" % number)
    side.consume()
    assert side.drain_all() == [b"0", b"1", b"2", b"3", b"4"]


def test_queues_of_all_consumers_are_asked_at_once(side: FakeSide) -> None:
    side.channel.declare_queue("r")
    side.channel.qos(2)
    side.consume("q")
    side.consume("r")
    side.driver.calls.clear()
    side.drain_all()
    assert side.driver.taken("lease") == [("lease", ("q", 2), ("r", 2))]


def test_draining_sends_what_was_published_and_settled_first(side: FakeSide) -> None:
    held(side)
    side.channel.confirm_select()
    side.publish("q", b"new")
    side.channel.ack(1)
    assert side.drain_all() == [b"new"]
    names = [call[0] for call in side.driver.taken("put", "ack", "lease")]
    assert names[:3] == ["put", "ack", "lease"]


def test_a_system_that_wakes_nobody_up_is_asked_less_and_less_often(
    opened: Opened, clock: Clock
) -> None:
    side = opened(SLEEPLESS)
    side.channel.declare_queue("q")
    side.consume()
    with pytest.raises(TimeoutError):
        side.connection.drain(2)
    doubled = [POLL_FIRST * 2**step for step in range(6)]
    assert clock.slept[:6] == pytest.approx(doubled)
    assert max(clock.slept) == POLL_MOST
    assert sum(clock.slept) == pytest.approx(2)


def test_what_comes_makes_the_next_look_soon_again(opened: Opened, clock: Clock) -> None:
    side = opened(SLEEPLESS)
    side.channel.declare_queue("q")
    side.consume()
    with pytest.raises(TimeoutError):
        side.connection.drain(1)
    side.publish("q")
    assert side.drain_all() == [b"hello"]
    clock.slept.clear()
    with pytest.raises(TimeoutError):
        side.connection.drain(0.02)
    assert clock.slept[0] == POLL_FIRST


def test_a_system_that_wakes_up_is_not_slept_for(side: FakeSide, clock: Clock) -> None:
    def time_passes() -> None:
        clock.seconds += 1

    side.consume()
    side.driver.before["lease"] = time_passes
    with pytest.raises(TimeoutError):
        side.connection.drain(1)
    assert clock.slept == []


def test_a_look_waits_no_longer_than_the_features_say(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    side = opened(replace(FEATURES, longest_wait=3.0))
    side.channel.declare_queue("q")
    side.consume()
    waits: list[float] = []

    def lease(wanted: Any, wait: float) -> list[Any]:
        waits.append(wait)
        clock.seconds += wait
        return []

    monkeypatch.setattr(side.driver, "lease", lease)
    with pytest.raises(TimeoutError):
        side.connection.drain(7)
    assert waits == pytest.approx([3, 3, 1])


def test_without_consumers_draining_waits_for_what_other_threads_do(
    side: FakeSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()
    tags: list[str] = []

    def consume_and_delete() -> None:
        begun.wait(10)
        with side.remote.lock:  # which whoever waits has given up
            tags.append(side.consume())
            side.channel.delete_queue("q")

    thread = threading.Thread(target=consume_and_delete)
    thread.start()
    before = side.remote._wait

    def wait(seconds: float) -> None:
        begun.set()
        before(10.0)

    monkeypatch.setattr(side.remote, "_wait", wait)  # as the clock stands still
    side.connection.drain(1)
    thread.join(10)
    assert side.cancelled == tags


def test_what_is_not_due_yet_is_given_back_until_then(
    side: FakeSide, system: FakeSystem, clock: Clock
) -> None:
    side.publish("q", b"later")
    side.publish("q", b"now")
    system.queues["q"][0].due = clock.time_ns() // 1_000_000 + 5000
    side.channel.qos(1)
    side.consume()
    with pytest.raises(TimeoutError):
        side.connection.drain(0)
    assert side.driver.taken("nack") == [("nack", b"later", 5000)]
    assert side.deliveries == []


def test_what_is_leased_of_a_queue_that_is_gone_meanwhile_is_given_back(
    side: FakeSide, opened: Opened
) -> None:
    other = opened()
    side.publish("q")
    side.consume()
    kept = list(side.driver.system.queues["q"])

    def delete() -> None:
        other.channel.delete_queue("q")
        side.remote.refresh(at_once=True)
        side.driver.system.queues["q"] = kept  # it was on its way

    side.driver.before["lease"] = delete
    assert side.drain_all() == []
    assert side.driver.taken("nack") == [("nack", b"hello")]
    assert side.remote.held == {}


def test_a_lease_is_renewed_when_a_third_of_it_is_over(side: FakeSide, clock: Clock) -> None:
    held(side, 2)
    side.remote.renew()
    clock.seconds += LEASE / 3
    side.remote.renew()
    assert side.driver.taken("renew") == []
    clock.seconds += 1
    side.remote.renew()
    assert side.driver.taken("renew") == [("renew", b"0", b"1")]
    side.remote.renew()
    clock.seconds += LEASE - 1
    side.channel.ack(1)
    assert side.driver.taken("renew") == []


def test_what_is_prefetched_and_not_looked_at_is_renewed_as_well(
    side: FakeSide, clock: Clock
) -> None:
    for number in range(3):
        side.publish("q", b"%d" % number)
    side.consume()
    side.connection.drain(0)
    side.driver.calls.clear()
    clock.seconds += LEASE / 2
    side.remote.renew()
    assert side.driver.taken("renew") == [("renew", b"0", b"1", b"2")]
    clock.seconds += LEASE * 0.9
    assert side.drain_all() == [b"1", b"2"]
    side.channel.ack(3, multiple=True)
    assert side.driver.system.queues["q"] == []


def test_a_lease_that_was_not_renewed_in_time_cannot_be_settled(
    side: FakeSide, clock: Clock
) -> None:
    held(side)
    clock.seconds += LEASE + 1
    with pytest.raises(exceptions.LeaseLost, match="delivery 1"):
        side.channel.ack(1)
    assert side.driver.taken("ack") == []


def test_what_a_renewal_finds_lost_is_lost_and_the_rest_is_not(
    side: FakeSide, system: FakeSystem, clock: Clock
) -> None:
    held(side, 2)
    system.queues["q"][0].token = None
    clock.seconds += LEASE / 2
    side.remote.renew()
    side.channel.ack(2)
    with pytest.raises(exceptions.LeaseLost):
        side.channel.ack(1)
    side.remote.flush()
    assert system.bodies("q") == [b"0"]


def test_what_was_settled_while_it_was_renewed_is_no_loss(side: FakeSide, clock: Clock) -> None:
    held(side, 2)
    clock.seconds += LEASE / 2

    def ack_and_flush() -> None:
        side.channel.ack(1)
        side.remote.flush()

    side.driver.before["renew"] = ack_and_flush
    side.remote.renew()
    side.channel.ack(2)
    assert side.driver.system.queues["q"] == []


def test_closing_gives_back_what_was_prefetched_and_what_is_unacked(
    side: FakeSide, system: FakeSystem
) -> None:
    for number in range(3):
        side.publish("q", b"%d" % number)
    side.consume()
    side.connection.drain(0)
    side.channel.ack(1)
    side.connection.close()
    assert system.bodies("q") == [b"1", b"2"]
    assert side.remote.held == {}
    assert side.driver.calls[-1] == ("close",)
    assert side.keeper.told[-1] == "stop"


def test_closing_sends_what_waits_for_its_confirm(side: FakeSide, system: FakeSystem) -> None:
    side.channel.confirm_select()
    side.publish("q", b"unconfirmed")
    side.connection.close()
    assert system.bodies("q") == [b"unconfirmed"]


def test_closing_twice_does_nothing_more(side: FakeSide) -> None:
    side.connection.close()
    side.driver.calls.clear()
    side.connection.close()
    assert side.driver.calls == []


@pytest.mark.parametrize("method", ["put", "ack", "nack", "remove"])
def test_closing_when_the_system_is_lost_raises_nothing(side: FakeSide, method: str) -> None:
    side.channel.declare_queue("mine", exclusive=True)
    held(side, 3)
    side.channel.confirm_select()
    side.publish("q")
    side.channel.ack(1)
    side.driver.fails.add(method)
    side.connection.close()
    assert side.connection.closed
    assert ("close",) in side.driver.calls
    assert side.keeper.told[-1] == "stop"


def test_a_connection_that_is_closed_says_so(side: FakeSide) -> None:
    side.connection.close()
    for attempt in (
        lambda: side.connection.drain(0),
        lambda: side.publish("q"),
        lambda: side.channel.get("q"),
        lambda: side.channel.declare_queue("new"),
    ):
        with pytest.raises(exceptions.RecoverableConnectionError):
            attempt()
