from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client.drivers.nats import NatsDriver
from minibroker_client.remote.driver import DriverError, Outgoing

from ....external.servers import NatsServer
from .conftest import declare, message, outgoing

if TYPE_CHECKING:
    from pathlib import Path

    from minibroker_client.transport.base import Address

    from .conftest import Opened, Stranger

ODD = ["a.b", "a b", "a*", ">", "/etc", "..", "a\\b", "\n\t\0", "é€", "_", "q+later", "x" * 255]


def bodies(leased: Any) -> list[bytes]:
    return [each.message.body for each in leased]


def leased_within(driver: NatsDriver, seconds: float) -> list[Any]:
    """What comes of the queue `q`, as far as it is due, and how often it was looked."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        leased = driver.lease([("q", 9)], end - time.monotonic())
        now = time.time() * 1000
        for each in leased:
            if each.due is None or each.due <= now:
                return leased
            driver.nack([each], int(each.due - now) + 1)
    return []


def test_foreign_messages_come_in(driver: NatsDriver, stranger: Stranger) -> None:
    headers = {"Content-Type": "application/json", "colour": "red"}
    stranger.publish(f"{driver.prefix}.q", b"{}", headers)
    [leased] = driver.lease([("q", 9)], 1)
    assert leased.message.body == b"{}"
    assert leased.message.properties.content_type == "application/json"
    assert leased.message.properties.headers == {"colour": "red"}
    assert driver.ack([leased]) == []


def test_others_read_a_message_in_the_stream(driver: NatsDriver, stranger: Stranger) -> None:
    driver.put([outgoing(b"\0\r\n", content_type="text/plain", headers={"a": "b\r\nc"})])
    found = stranger.get(f"{driver.prefix}+q", 1)
    assert (found.subject, found.data) == (f"{driver.prefix}.q", b"\0\r\n")
    expected = {"routing_key": "q", "content_type": "text/plain", "headers": '{"a": "b\\r\\nc"}'}
    assert found.headers == expected


@pytest.mark.parametrize("text", ["a\r\nb: c", " blank ", "", "é", "\0", "UTF-8''x"])
def test_properties_of_any_text_arrive(driver: NatsDriver, text: str) -> None:
    sent = outgoing(b"", type=text, correlation_id=text, headers={text: text})
    driver.put([sent])
    [leased] = driver.lease([("q", 9)], 1)
    assert leased.message.properties == sent.message.properties


def test_odd_names_are_queues_of_their_own(opened: Opened) -> None:
    driver = opened(prefix=f"{opened().prefix} .*é")
    for name in ODD:
        declare(driver, name)
    assert driver.put([outgoing(name.encode(), name) for name in ODD]).refused == []
    leased: list[Any] = []
    while len(leased) < len(ODD):
        leased += driver.lease([(name, 9) for name in ODD], 1)
    assert {each.queue: each.message.body for each in leased} == {
        name: name.encode() for name in ODD
    }
    assert driver.ack(leased) == []
    for name in ODD:
        driver.delete(name)
        driver.delete(name)


def test_virtual_hosts_are_places_of_their_own(address: Address) -> None:
    one, other = NatsDriver(address), NatsDriver(replace(address, virtual_host="other"))
    for driver in (one, other):
        declare(driver, "q")
    one.put([outgoing()])
    assert (one.size("q"), other.size("q")) == (1, 0)
    one.close()
    other.close()


def test_a_kill_of_the_server_is_an_error_and_a_new_connection_goes_on(
    tmp_path: Path, address: Address
) -> None:
    server = NatsServer(tmp_path)
    if server.service:
        pytest.skip("a real service is not killed")
    server.start()
    address = replace(address, port=server.port, options={**address.options, "lease": 1})
    driver = NatsDriver(address)
    declare(driver, "q")
    driver.facts.add("k", "v")
    kept: list[bytes] = []

    def go_on_until_it_is_lost() -> None:
        while True:
            batch = [outgoing(b"%d" % (len(kept) + number)) for number in range(50)]
            driver.put(batch)
            kept.extend(each.message.body for each in batch)
            driver.lease([("q", 1)], 0)
            if len(kept) == 500:
                driver.put([outgoing(b"later")._replace(delay=1000)])
                server.kill()

    with pytest.raises(DriverError, match="NATS: "):
        go_on_until_it_is_lost()
    calls = (driver.facts.version, lambda: driver.lease([("q", 1)], 1), lambda: driver.size("q"))
    for call in calls:
        with pytest.raises(DriverError):
            call()
    driver.close()
    server.start()
    again = NatsDriver(address)
    assert again.facts.load() == {"k": "v"}
    there: set[bytes] = set()
    while not there >= {*kept, b"later"}:
        leased = again.lease([("q", 100)], 2)
        assert again.ack(leased) == []
        there |= set(bodies(leased))
    again.close()
    server.close()


def test_a_lease_that_has_ended_by_the_clock_is_not_settled(opened: Opened) -> None:
    one, other = opened(lease=0.2), opened(lease=0.8)
    declare(one, "q")
    declare(other, "q")  # so NATS gives it away only when it has surely ended by the clock
    one.put([outgoing()])
    late = one.lease([("q", 9)], 1)
    [again] = other.lease([("q", 9)], 5)
    assert again.deliveries == 1
    assert one.ack(late) == late
    assert one.renew(late) == late
    one.nack(late)
    assert other.lease([("q", 9)], 0) == []
    assert other.ack([again]) == []


def test_a_renewed_lease_goes_on(opened: Opened) -> None:
    driver = opened(lease=0.5)
    declare(driver, "q")
    driver.put([outgoing()])
    leased = driver.lease([("q", 9)], 1)
    for _ in range(3):
        assert driver.lease([("q", 9)], 0.3) == []
        assert driver.renew(leased) == []
    assert driver.ack(leased) == []


def test_what_is_given_back_comes_in_the_order_of_the_queue(driver: NatsDriver) -> None:
    driver.put([outgoing(b"%d" % number) for number in range(4)])
    leased = driver.lease([("q", 3)], 1)
    driver.nack(list(reversed(leased)))
    again = driver.lease([("q", 9)], 1)
    assert [(each.message.body, each.deliveries) for each in again] == [
        (b"0", 1), (b"1", 1), (b"2", 1), (b"3", 0),
    ]  # fmt: skip


def test_what_is_given_back_with_a_delay_comes_later(driver: NatsDriver) -> None:
    driver.put([outgoing()])
    begun = time.monotonic()
    driver.nack(driver.lease([("q", 9)], 1), 300)
    assert driver.lease([("q", 9)], 0.05) == []
    assert bodies(driver.lease([("q", 9)], 4)) == [b"hello"]
    assert time.monotonic() - begun >= 0.3


@pytest.mark.parametrize("holds", [True, False])
def test_a_delayed_message_comes_when_it_is_due(
    opened: Opened, stranger: Stranger, holds: bool
) -> None:
    driver = opened()
    if not holds:  # as older servers make it
        stream, subject = f"{driver.prefix}+q", f"{driver.prefix}.q"
        made = stranger.stream.add_stream(name=stream, subjects=[subject], retention="workqueue")
        stranger.call(made)
    declare(driver, "q")
    begun = time.monotonic()
    delayed = outgoing(b"later", message_id="1", headers={"a": 1})._replace(delay=400)
    driver.put([delayed, outgoing(b"now")])
    if holds:
        assert driver.size("q") == 1
        assert driver.purge("q") == 1
    else:
        assert driver.purge("q") == 1
    [leased] = leased_within(driver, 4)
    assert time.monotonic() - begun >= 0.4
    assert leased.message.properties == delayed.message.properties
    assert (leased.deliveries == 0) == holds
    assert driver.ack([leased]) == []


def test_purge_takes_what_is_ready_and_leaves_what_is_leased(driver: NatsDriver) -> None:
    driver.put([outgoing(b"%d" % number) for number in range(3)])
    leased = driver.lease([("q", 1)], 1)
    assert driver.size("q") == 2
    assert driver.purge("q") == 2
    assert (driver.size("q"), driver.purge("q")) == (0, 0)
    driver.nack(leased)
    assert bodies(driver.lease([("q", 9)], 1)) == [b"0"]


def test_a_queue_that_is_not_there_refuses_and_is_empty(driver: NatsDriver) -> None:
    [refused] = driver.put([outgoing(), outgoing(queue="nowhere")]).refused
    assert refused[0] == 1
    assert refused.reason == "queue 'nowhere' is not there in NATS"
    assert (driver.size("nowhere"), driver.purge("nowhere")) == (0, 0)


def test_what_is_settled_of_a_deleted_queue_is_not_lost(driver: NatsDriver) -> None:
    driver.put([outgoing()])
    leased = driver.lease([("q", 1)], 1)
    driver.delete("q")
    assert driver.ack(leased) == []


@pytest.mark.parametrize(("deduplicate", "count"), [(False, 2), (True, 1)])
def test_message_ids_drop_duplicates_only_where_that_is_asked_for(
    opened: Opened, deduplicate: bool, count: int
) -> None:
    driver = opened(deduplicate=deduplicate)
    declare(driver, "q")
    twice = Outgoing("q", message(message_id="1"))
    assert driver.put([twice, twice]).refused == []
    assert driver.size("q") == count


def test_what_was_put_a_moment_ago_is_there_without_a_wait(driver: NatsDriver) -> None:
    for number in range(200):
        driver.put([outgoing(b"%d" % number)])
        assert driver.ack(driver.lease([("q", 1)], 0)) == []
        assert driver.size("q") == 0
        driver.put([outgoing()])
        assert driver.purge("q") == 1
