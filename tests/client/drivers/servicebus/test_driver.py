from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from minibroker_client import Connection
from minibroker_client.remote.driver import Outgoing, QueueInfo

from .conftest import bodies_of, message, put

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker_client.drivers.servicebus import ServiceBusDriver

    from .conftest import Place

WAIT = 5.0


def test_what_is_requeued_is_redelivered_at_once(driver: ServiceBusDriver) -> None:
    put(driver, b"1", b"2")
    begun = time.monotonic()
    driver.nack(driver.lease([("q", 1)], WAIT))
    [again] = driver.lease([("q", 1)], WAIT)
    assert (again.message.body, again.deliveries) == (b"1", 1)
    assert time.monotonic() - begun < 1


def test_reject_and_expiration_are_as_kombu_has_them_not(place: Place) -> None:
    host, port, prefix = place.server.host, place.server.port, place.prefix
    url = f"azureservicebus://test:test@{host}:{port}/?UseDevelopmentEmulator=true"
    with Connection(url, transport_options={"prefix": prefix, "lease": 2}) as connection:
        queue = connection.SimpleQueue("q")
        queue.put("rejected")
        found = queue.get(timeout=WAIT)
        begun = time.monotonic()
        found.reject(requeue=False)
        queue.put("late", expiration=0.001)
        queue.put("last", expiration=60)
        last = queue.get(timeout=WAIT)
        assert last.payload == "last"
        last.ack()
        assert time.monotonic() - begun < 1
        queue.close()
    assert place.foreign().peek_messages(10) == []


def test_what_is_given_back_for_later_comes_then_and_keeps_its_count(
    driver: ServiceBusDriver,
) -> None:
    put(driver, b"1")
    driver.nack(driver.lease([("q", 1)], WAIT))
    leases = driver.lease([("q", 1)], WAIT)
    expires = int(time.time() * 1000) + 60_000
    begun = time.monotonic()
    driver.nack([leases[0]._replace(expires=expires)], 300)
    assert driver.size("q") == 0
    [again] = driver.lease([("q", 1)], WAIT)
    assert time.monotonic() - begun > 0.25
    assert (again.message.body, again.deliveries, again.expires) == (b"1", 2, expires)


def test_what_cannot_be_sent_again_is_given_back_at_once(driver: ServiceBusDriver) -> None:
    put(driver, b"1")
    [leased] = driver.lease([("q", 1)], WAIT)
    driver.nack([leased._replace(message=message(b"x" * 300_000))], 60_000)
    [again] = driver.lease([("q", 1)], WAIT)
    assert again.message.body == b"1"


def test_size_counts_what_is_ready_and_purge_deletes_that(driver: ServiceBusDriver) -> None:
    put(driver, b"1", b"2", b"3")
    put(driver, b"later", delay=60_000)
    leases = driver.lease([("q", 1)], WAIT)
    assert driver.size("q") == 2
    assert driver.purge("q") == 2
    assert driver.size("q") == 0
    assert driver.ack(leases) == []
    assert driver.size("q") == 0


def test_a_message_handed_out_too_often_is_among_the_dead_letters_of_the_service(
    own_place: Callable[..., Place],
) -> None:
    place = own_place(max_deliveries=2)
    driver = place.driver()
    put(driver, b"1")
    for _ in range(2):
        driver.nack(driver.lease([("q", 1)], WAIT))
    assert driver.lease([("q", 1)], 0) == []
    [dead] = place.foreign(sub_queue="deadletter").receive_messages(1, max_wait_time=WAIT)
    assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"


def test_a_queue_that_is_not_there_is_empty_and_takes_nothing(
    own_place: Callable[..., Place],
) -> None:
    driver = own_place(queues=["q"]).driver(create=False, prefix="")
    going = [Outgoing(queue, message()) for queue in ("nowhere", "q", "nowhere")]
    refused = driver.put(going).refused
    assert [each.place for each in refused] == [0, 2]
    assert "'nowhere' is not there" in refused[0].reason
    leases = driver.lease([("nowhere", 1), ("q", 1)], WAIT)
    assert [each.queue for each in leases] == ["q"]
    assert driver.lease([("nowhere", 1)], 0.01) == []
    assert (driver.size("nowhere"), driver.purge("nowhere")) == (0, 0)


def test_who_may_not_create_knows_what_this_process_declared(place: Place) -> None:
    first, second = place.driver(create=False), place.driver(create=False)
    assert first.add("k", "1") == "1"
    assert second.add("k", "2") == "1"
    assert second.load() == {"k": "1"}
    assert second.version() == first.version()
    second.remove(["k"])
    assert first.load() == {}
    assert place.foreign("minibroker-facts").peek_messages(1) == []


def test_a_queue_is_deleted_with_what_is_in_it(driver: ServiceBusDriver) -> None:
    driver.declare(QueueInfo("q", {}))
    put(driver, b"1", b"2")
    driver.delete("q")
    driver.declare(QueueInfo("q", {}))
    put(driver, b"3")
    assert bodies_of(driver.lease([("q", 10)], WAIT)) == [b"3"]


def test_a_lock_that_is_shorter_than_the_option_says_is_believed(
    own_place: Callable[..., Place],
) -> None:
    driver = own_place(lock=8).driver(lease=60)
    put(driver, b"1")
    driver.lease([("q", 1)], WAIT)
    assert 7 < driver.lease_seconds <= 8


def test_a_lease_that_the_service_cannot_have_is_refused(place: Place) -> None:
    for lease in (0, 301):
        with pytest.raises(ValueError, match="lease"):
            place.driver(lease=lease)
