from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from minibroker_client.drivers.servicebus import receiving
from minibroker_client.drivers.servicebus.receiving import readable

from .conftest import LOCK, bodies_of, put

if TYPE_CHECKING:
    import pytest

    from minibroker_client.drivers.servicebus import ServiceBusDriver

    from .conftest import Place

WAIT = 5.0


def test_an_empty_queue_is_known_at_once_and_draws_nothing_later(
    driver: ServiceBusDriver, place: Place
) -> None:
    begun = time.monotonic()
    for _ in range(10):
        assert driver.lease([("q", 10), ("other", 10)], 0) == []
    assert time.monotonic() - begun < 2
    put(driver, b"1")
    [found] = place.foreign().receive_messages(1, max_wait_time=WAIT)
    assert b"".join(found.body) == b"1"
    assert not found.delivery_count


def test_credit_after_a_drain_is_what_was_asked_for(driver: ServiceBusDriver) -> None:
    for number in range(5):
        assert driver.lease([("q", 3)], 0) == []
        put(driver, bytes([number]), b"x")
        assert len(driver.lease([("q", 1)], 0)) == 1
        assert len(driver.lease([("q", 5)], 0)) == 1


def test_lease_sleeps_until_one_of_its_queues_has_something(
    place: Place, driver: ServiceBusDriver
) -> None:
    other = place.driver()
    waiting = threading.Event()

    def later() -> None:
        waiting.wait(WAIT)
        put(other, b"1", queue="b")

    timer = threading.Thread(target=later)
    timer.start()
    put(other, b"0", queue="b")
    assert len(driver.lease([("b", 1)], WAIT)) == 1
    begun = time.monotonic()
    waiting.set()
    [leased] = driver.lease([("a", 1), ("b", 1)], WAIT)
    timer.join()
    assert leased.queue == "b"
    assert time.monotonic() - begun < 1


def test_others_settle_and_renew_while_lease_waits(driver: ServiceBusDriver) -> None:
    put(driver, b"1", b"2")
    first, second = driver.lease([("q", 2)], WAIT)
    results: list[object] = []

    def keeper() -> None:
        results.extend(driver.renew([first, second]) for _ in range(20))
        results.append(driver.ack([first]))
        driver.nack([second])

    thread = threading.Thread(target=keeper)
    thread.start()
    [again] = driver.lease([("q", 1)], WAIT)
    thread.join()
    assert results == [[]] * 21
    assert (again.message.body, again.deliveries) == (b"2", 1)


def test_a_lost_lock_is_told_by_ack_and_renew_and_settles_nothing(
    driver: ServiceBusDriver, place: Place
) -> None:
    put(driver, b"1", b"2")
    first, second = driver.lease([("q", 2)], WAIT)
    assert driver.renew([second]) == []
    other = place.driver()
    end = time.monotonic() + 3 * LOCK
    while not (again := other.lease([("q", 2)], 0.1)) and time.monotonic() < end:
        assert driver.renew([second]) == []
    assert bodies_of(again) == [b"1"]
    assert driver.renew([first, second]) == [first]
    assert driver.ack([first, second]) == [first]
    driver.nack([first])
    assert other.ack(again) == []


def test_settling_twice_is_told(driver: ServiceBusDriver) -> None:
    put(driver, b"1")
    leases = driver.lease([("q", 1)], WAIT)
    assert driver.ack(leases) == []
    assert driver.ack(leases) == leases


def test_many_are_settled_at_once(
    driver: ServiceBusDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "AT_ONCE", 7)
    put(driver, *(b"%d" % number for number in range(20)))
    leases = driver.lease([("q", 20)], WAIT)
    assert len(leases) == 20
    assert driver.renew(leases) == []
    assert driver.ack(leases) == []
    assert driver.size("q") == 0


def test_a_closed_receiver_can_be_read_so_that_its_error_is_found(
    driver: ServiceBusDriver,
) -> None:
    receiver = driver.namespace.receiver("q")
    receiver.offer(1)
    assert readable([receiver], 0.01) == []
    receiver.withdraw()
    assert receiver.collect() == []
    receiver.close()
    assert readable([receiver], WAIT) == [receiver]
