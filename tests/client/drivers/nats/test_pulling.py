from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client.drivers.nats.pulling import CONSUMER
from minibroker_client.remote.driver import DriverError

from .conftest import declare, outgoing

if TYPE_CHECKING:
    from minibroker_client.drivers.nats import NatsDriver

    from .conftest import Opened, Stranger


def bodies(leased: Any) -> list[bytes]:
    return [each.message.body for each in leased]


def waiting_pulls(stranger: Stranger, driver: NatsDriver, queue: str = "q") -> int:
    stream = f"{driver.prefix}+{queue}"
    waiting: int = stranger.call(stranger.stream.consumer_info(stream, CONSUMER)).num_waiting
    return waiting


def begin(driver: NatsDriver, wanted: list[tuple[str, int]], wait: float) -> tuple[Any, Any]:
    """Lease in another thread: the thread, and what it got."""
    got: list[Any] = []

    def lease() -> None:
        try:
            got.extend(driver.lease(wanted, wait))
        except DriverError as error:
            got.append(error)

    thread = threading.Thread(target=lease)
    thread.start()
    return thread, got


def until_waiting(stranger: Stranger, driver: NatsDriver, queue: str = "q") -> None:
    while not waiting_pulls(stranger, driver, queue):
        pass


def test_what_is_there_comes_at_once_and_no_more_than_was_wanted(driver: NatsDriver) -> None:
    driver.put([outgoing(b"%d" % number) for number in range(5)])
    assert bodies(driver.lease([("q", 2)], 60)) == [b"0", b"1"]
    assert bodies(driver.lease([("q", 9)], 60)) == [b"2", b"3", b"4"]
    assert driver.lease([("q", 9)], 0) == []
    assert driver.lease([("q", 9)], 0.01) == []


def test_a_lease_that_waits_is_woken_up(driver: NatsDriver, stranger: Stranger) -> None:
    thread, got = begin(driver, [("q", 9)], 60)
    until_waiting(stranger, driver)
    driver.put([outgoing(b"1")])
    thread.join(10)
    assert bodies(got) == [b"1"]


def wake_up_by_one_of_two(driver: NatsDriver, stranger: Stranger) -> None:
    """Afterwards a pull of `q` is open that nobody waits for."""
    declare(driver, "other")
    thread, got = begin(driver, [("q", 9), ("other", 9)], 60)
    until_waiting(stranger, driver, "q")
    until_waiting(stranger, driver, "other")
    driver.put([outgoing(b"1", "other")])
    thread.join(10)
    assert bodies(got) == [b"1"]
    assert driver.ack(got) == []


def test_what_comes_after_another_queue_has_woken_up_goes_to_the_next_lease(
    driver: NatsDriver, stranger: Stranger
) -> None:
    wake_up_by_one_of_two(driver, stranger)
    driver.put([outgoing(b"2"), outgoing(b"3", "other")])
    leased: list[Any] = []
    while len(leased) < 2:
        leased += driver.lease([("q", 9), ("other", 9)], 60)
    assert {(each.message.body, each.deliveries) for each in leased} == {(b"2", 0), (b"3", 0)}
    assert driver.ack(leased) == []


def test_what_nobody_wants_any_more_goes_back_well_before_its_lease_ends(
    driver: NatsDriver, stranger: Stranger, opened: Opened
) -> None:
    wake_up_by_one_of_two(driver, stranger)
    driver.put([outgoing(b"2")])
    assert bodies(opened().lease([("q", 9)], 4)) == [b"2"]
    driver.put([outgoing(b"3")])
    assert bodies(driver.lease([("q", 9)], 4)) == [b"3"]


def test_what_nobody_wants_any_more_goes_back_with_the_connection(
    driver: NatsDriver, stranger: Stranger, opened: Opened
) -> None:
    wake_up_by_one_of_two(driver, stranger)
    driver.put([outgoing(b"2")])
    while driver.size("q"):
        pass  # until it has come late
    driver.facts.version()  # and all that was sent with it
    driver.close()
    assert bodies(opened().lease([("q", 9)], 4)) == [b"2"]


def test_a_pull_that_waits_is_not_opened_again(driver: NatsDriver, stranger: Stranger) -> None:
    wake_up_by_one_of_two(driver, stranger)
    for _ in range(20):
        driver.put([outgoing(b"1", "other")])
        leased = driver.lease([("q", 9), ("other", 9)], 60)
        assert driver.ack(leased) == []
    assert waiting_pulls(stranger, driver) == 1
    assert waiting_pulls(stranger, driver, "other") <= 1


def test_several_threads_may_wait_at_once(driver: NatsDriver, stranger: Stranger) -> None:
    one, got = begin(driver, [("q", 1)], 60)
    until_waiting(stranger, driver)
    assert driver.lease([("q", 1)], 0.01) == []
    driver.put([outgoing(b"1")])
    one.join(10)
    assert bodies(got) == [b"1"]


def test_a_lease_that_is_broken_off_leaves_nothing_leased(
    driver: NatsDriver, opened: Opened, stranger: Stranger
) -> None:
    class Interruption(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise Interruption

    main = threading.get_ident()

    def signal_it() -> None:
        until_waiting(stranger, driver)
        signal.pthread_kill(main, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    thread = threading.Thread(target=signal_it)
    try:
        thread.start()
        with pytest.raises(Interruption):
            driver.lease([("q", 9)], 60)
    finally:
        signal.signal(signal.SIGUSR1, before)
        thread.join(10)
    driver.put([outgoing(b"1")])
    assert bodies(opened().lease([("q", 9)], 4)) == [b"1"]  # well before a lease's end
    assert driver.lease([("q", 9)], 0) == []


def test_closing_ends_a_lease_that_waits(driver: NatsDriver, stranger: Stranger) -> None:
    thread, got = begin(driver, [("q", 9)], 60)
    until_waiting(stranger, driver)
    driver.close()
    thread.join(10)
    assert [type(each) for each in got] == [DriverError]


def test_a_queue_that_another_deletes_ends_the_lease_and_comes_back_when_it_is_made_again(
    driver: NatsDriver, opened: Opened, stranger: Stranger
) -> None:
    other = opened()
    thread, got = begin(driver, [("q", 9)], 60)
    until_waiting(stranger, driver)
    other.delete("q")
    thread.join(10)
    assert got == []
    assert driver.lease([("q", 9)], 0.01) == []
    declare(other, "q")
    other.put([outgoing(b"1")])
    assert bodies(driver.lease([("q", 9)], 10)) == [b"1"]


def test_a_consumer_that_is_gone_is_made_again(driver: NatsDriver, stranger: Stranger) -> None:
    assert driver.lease([("q", 9)], 0) == []
    stranger.call(stranger.stream.delete_consumer(f"{driver.prefix}+q", CONSUMER))
    driver.put([outgoing(b"1")])
    assert driver.lease([("q", 9)], 0.01) == []
    assert bodies(driver.lease([("q", 9)], 10)) == [b"1"]
