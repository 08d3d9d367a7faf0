from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client.drivers.servicebus import links
from minibroker_client.remote.driver import DriverError, Outgoing

from .conftest import bodies_of, message, put

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker_client.drivers.servicebus import ServiceBusDriver

    from .conftest import Place

WAIT = 5.0


def test_what_does_not_fit_into_one_batch_is_sent_in_several(driver: ServiceBusDriver) -> None:
    bodies = [bytes([number]) * 100_000 for number in range(8)]
    put(driver, *bodies)
    assert bodies_of(driver.lease([("q", 10)], WAIT)) == bodies


def test_a_message_that_is_too_large_is_refused_and_the_others_are_sent(
    driver: ServiceBusDriver,
) -> None:
    going = [Outgoing("q", message(body)) for body in (b"1", b"x" * 300_000, b"2")]
    [refused] = driver.put(going).refused
    assert refused.place == 1
    assert "message-size-exceeded" in refused.reason
    assert bodies_of(driver.lease([("q", 10)], WAIT)) == [b"1", b"2"]


def test_a_link_that_was_idle_is_made_anew_for_the_next_message(
    driver: ServiceBusDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(driver, b"1")
    [first] = driver.lease([("q", 1)], WAIT)
    for link in (driver.namespace.sender("q"), driver.namespace.receiver("q")):
        links._cut(link._end)  # as the service does after ten minutes
        link.used -= 2 * links.IDLE
    put(driver, b"2")
    [second] = driver.lease([("q", 1)], WAIT)
    assert second.message.body == b"2"
    assert driver.renew([first]) == []
    assert driver.ack([first, second]) == []
    assert driver.size("q") == 0


def test_a_link_that_is_broken_is_made_anew_by_the_call_after_the_error(
    driver: ServiceBusDriver,
) -> None:
    put(driver, b"1")
    links._cut(driver.namespace.sender("q")._end)
    with pytest.raises(DriverError):
        put(driver, b"2")
    put(driver, b"3")
    assert bodies_of(driver.lease([("q", 10)], WAIT)) == [b"1", b"3"]


def test_a_server_that_is_killed_in_mid_traffic_ends_the_connection(
    own_place: Callable[..., Place],
) -> None:
    place = own_place(lock=30)
    driver = place.driver()
    put(driver, b"1", b"2")
    [first] = driver.lease([("q", 1)], WAIT)
    place.server.kill()
    calls: list[Callable[[], Any]] = [
        lambda: driver.ack([first]),
        lambda: driver.renew([first]),
        lambda: driver.nack([first], 5),
        lambda: driver.lease([("q", 1)], 1),
        lambda: driver.put([Outgoing("q", message())]),
        lambda: driver.size("q"),
        driver.version,
    ]
    for call in calls:
        with pytest.raises(DriverError, match="Service Bus"):
            call()
    place.server.start()
    again = place.driver()
    assert bodies_of(again.lease([("q", 10)], WAIT)) == [b"2"]


def test_a_server_that_does_not_answer_ends_the_connection(
    own_place: Callable[..., Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = own_place(lock=30)
    driver = place.driver()
    put(driver, b"1")
    [first] = driver.lease([("q", 1)], WAIT)
    monkeypatch.setattr(links, "PATIENCE", 0.2)
    place.server.pause()
    calls: list[Callable[[], Any]] = [
        lambda: driver.put([Outgoing("q", message())]),
        lambda: driver.ack([first]),
        lambda: driver.lease([("q", 1)], 1),  # which connects anew
    ]
    for call in calls:
        with pytest.raises(DriverError, match="Service Bus"):
            call()


def test_without_a_server_there_is_no_connection(own_place: Callable[..., Place]) -> None:
    place = own_place()
    place.server.kill()
    with pytest.raises(DriverError):
        place.driver().version()


def test_an_older_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = pytest.importorskip("azure.servicebus")
    monkeypatch.setattr(bus, "__version__", "7.14.3")
    with pytest.raises(ImportError, match=r"needs azure-servicebus 7\.15, not 7\.14\.3"):
        links.Azure()
