from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minibroker.message import Message
from minibroker.properties import Properties
from minibroker_client.drivers.servicebus.messages import VALID, found_in, queue_name
from minibroker_client.remote.driver import Outgoing, QueueInfo

from .conftest import message

if TYPE_CHECKING:
    from minibroker_client.drivers.servicebus import ServiceBusDriver

    from .conftest import Place

WAIT = 5.0


def there_and_back(driver: ServiceBusDriver, sent: Message) -> Message:
    assert not driver.put([Outgoing("q", sent)]).refused
    [leased] = driver.lease([("q", 1)], WAIT)
    assert driver.ack([leased]) == []
    return leased.message


def received(place: Place, queue: str = "q") -> Any:
    [found] = place.foreign(queue).receive_messages(1, max_wait_time=WAIT)
    return found


@pytest.mark.parametrize("name", ["orders", "Orders", "a/b.c-d_e", "x" * 260])
def test_a_name_that_service_bus_allows_stays_as_it_is(name: str) -> None:
    assert queue_name(name, "") == name


@given(st.text(), st.text())
@example("a:b", "a;b")
@example("x" * 261, "x" * 262)
@example("", "-")
@example("é", "-")
def test_other_names_are_made_to_fit_and_no_two_become_one(name: str, other: str) -> None:
    for each in (name, other):
        assert VALID.fullmatch(queue_name(each, ""))
    assert (queue_name(name, "") == queue_name(other, "")) is (name == other)


def test_a_queue_with_an_odd_name_is_used_like_any_other(driver: ServiceBusDriver) -> None:
    name = "celery@host.celery.pidbox ä" + "x" * 250
    driver.put([Outgoing(name, message(b"1"))])
    [leased] = driver.lease([(name, 1)], WAIT)
    assert (leased.queue, leased.message.body) == (name, b"1")


def test_all_properties_come_as_they_went(driver: ServiceBusDriver) -> None:
    properties = Properties(
        content_type="text/plain", content_encoding="utf-8", headers={"a": 1}, delivery_mode=2,
        priority=7, correlation_id="c", reply_to="r", expiration="60000", message_id="m" * 200,
        timestamp=datetime(2026, 11, 27, 7, 0, tzinfo=UTC), type="t", user_id="u", app_id="app",
    )  # fmt: skip
    sent = Message("exchange", "routing.key", properties, bytes(range(256)))
    found = there_and_back(driver, sent)
    assert (found.exchange, found.routing_key, found.body) == (
        "exchange",
        "routing.key",
        bytes(range(256)),
    )
    assert found.properties.as_dict() == properties.as_dict()


def test_what_is_absent_is_absent_again(driver: ServiceBusDriver) -> None:
    found = there_and_back(driver, Message("", "q", Properties(), b""))
    assert (found.body, found.properties.as_dict()) == (b"", Properties().as_dict())


HEADERS = {
    "text": "ä", "yes": True, "small": -5, "large": 1 << 40, "float": 0.5, "none": None,
    "bytes": b"\xff\0", "list": [1, [b"x"]], "table": {"a": {"b": 1}}, "": "no name",
    "x-minibroker-own": "mine", "decimal": Decimal("1.50"),
    "time": datetime(2026, 11, 27, tzinfo=UTC),
}  # fmt: skip


def test_headers_of_all_kinds_come_as_they_went(driver: ServiceBusDriver) -> None:
    found = there_and_back(driver, message(headers=HEADERS))
    assert found.headers == HEADERS
    assert found.headers["yes"] is True


def test_another_program_reads_our_messages(driver: ServiceBusDriver, place: Place) -> None:
    sent = message(
        b'{"a": 1}', {"tenant": "blue", "retry": 3, "path": ["a"]}, content_type="application/json",
        correlation_id="c", message_id="m", reply_to="r", type="order", priority=7,
    )  # fmt: skip
    driver.put([Outgoing("q", sent)])
    found = received(place)
    assert b"".join(found.body) == b'{"a": 1}'
    assert (found.content_type, found.correlation_id, found.message_id) == (
        "application/json",
        "c",
        "m",
    )
    assert (found.reply_to, found.subject, found.raw_amqp_message.header.priority) == (
        "r",
        "order",
        7,
    )
    given = found.application_properties
    assert (given[b"tenant"], given[b"retry"]) == (b"blue", 3)
    assert json.loads(given[b"x-minibroker-headers"]) == {"path": ["a"]}
    assert given[b"x-minibroker-routing_key"] == b"q"


def test_we_read_messages_of_another_program(driver: ServiceBusDriver, place: Place) -> None:
    bus = pytest.importorskip("azure.servicebus")
    properties = {"tenant": "blue", "n": 1, "f": 0.5, "ok": True}
    sent = bus.ServiceBusMessage(
        "hello", application_properties=properties, content_type="text/plain", subject="order",
        message_id="m", correlation_id="c", reply_to="r",
    )  # fmt: skip
    place.send(sent)
    [leased] = driver.lease([("q", 1)], WAIT)
    found = leased.message
    assert (found.exchange, found.routing_key, found.body) == ("", "q", b"hello")
    assert found.headers == properties
    there = found.properties
    assert (there.content_type, there.type, there.message_id) == ("text/plain", "order", "m")
    assert (there.correlation_id, there.reply_to, there.priority) == ("c", "r", None)
    assert (leased.expires, leased.deliveries) == (None, 0)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"data_body": [b"a", b"b"]}, b"ab"),
        ({"value_body": "text"}, b"text"),
        ({"value_body": b"\xff"}, b"\xff"),
        ({"value_body": None}, b""),
        ({"value_body": {"a": [1, True]}}, b'{"a": [1, true]}'),
        ({"sequence_body": [1, "a"]}, b'[[1, "a"]]'),
    ],
)
def test_bodies_of_all_kinds_are_read(body: Any, expected: bytes) -> None:
    amqp = pytest.importorskip("azure.servicebus.amqp")
    raw = amqp.AmqpAnnotatedMessage(**body)
    assert found_in(SimpleNamespace(raw_amqp_message=raw), "q").message.body == expected


def test_application_properties_of_all_kinds_become_headers() -> None:
    amqp = pytest.importorskip("azure.servicebus.amqp")
    number = uuid.uuid4()
    given = {b"raw": b"\xff", b"id": number, b"text": b"x", b"list": [b"y", 1.5, {b"z": None}]}
    raw = amqp.AmqpAnnotatedMessage(data_body=b"", application_properties=given)
    found = found_in(SimpleNamespace(raw_amqp_message=raw), "q")
    expected = {"raw": b"\xff", "id": str(number), "text": "x", "list": ["y", 1.5, {"z": None}]}
    assert found.message.headers == expected


def test_what_only_amqp_1_0_says_of_a_foreign_message_is_read(
    driver: ServiceBusDriver, place: Place
) -> None:
    amqp = pytest.importorskip("azure.servicebus.amqp")
    place.send(
        amqp.AmqpAnnotatedMessage(
            data_body=b"x",
            header={"priority": 7, "time_to_live": 60_000},
            properties={"user_id": b"me", "creation_time": 1_000},
        )
    )
    before = time.time() * 1000
    [leased] = driver.lease([("q", 1)], WAIT)
    assert (leased.message.properties.priority, leased.message.properties.user_id) == (7, "me")
    assert leased.message.properties.timestamp is not None
    assert leased.expires is not None
    assert 50_000 < leased.expires - before < 61_000


def test_what_is_not_readable_of_ours_is_kept_as_it_is(
    driver: ServiceBusDriver, place: Place
) -> None:
    bus = pytest.importorskip("azure.servicebus")
    odd = {"x-minibroker-headers": "[", "x-minibroker-expires": "soon"}
    place.send(bus.ServiceBusMessage("x", application_properties=odd))
    [leased] = driver.lease([("q", 1)], WAIT)
    assert leased.message.headers == {"x-minibroker-headers": "["}
    assert leased.expires is None


def test_a_time_to_live_under_a_second_is_told_to_the_service(
    driver: ServiceBusDriver, place: Place
) -> None:
    expires = int(time.time() * 1000) + 600
    driver.put([Outgoing("q", message(), expires)])
    [found] = place.foreign().peek_messages()
    assert 0 < found.raw_amqp_message.header.time_to_live <= 600
    [leased] = driver.lease([("q", 1)], WAIT)
    assert leased.expires == expires


def test_an_expired_message_is_among_the_dead_letters_of_the_service(
    driver: ServiceBusDriver, place: Place
) -> None:
    driver.put([Outgoing("q", message(b"late"), int(time.time() * 1000) + 1)])
    dead = place.foreign(sub_queue="deadletter")
    [found] = dead.receive_messages(1, max_wait_time=WAIT)
    assert (b"".join(found.body), found.dead_letter_reason) == (b"late", "TTLExpiredException")


def test_a_message_that_is_to_be_dead_lettered_here_does_not_expire_there(
    driver: ServiceBusDriver,
) -> None:
    driver.know(QueueInfo("q", {"x-dead-letter-exchange": ""}))
    expires = int(time.time() * 1000) + 1
    driver.put([Outgoing("q", message(), expires)])
    [leased] = driver.lease([("q", 1)], WAIT)
    assert leased.expires == expires


def test_a_delayed_message_with_a_time_to_live_is_there_until_that_ends(
    driver: ServiceBusDriver,
) -> None:
    expires = int(time.time() * 1000) + 10_000
    driver.put([Outgoing("q", message(b"1"), expires, 200)])
    [leased] = driver.lease([("q", 1)], WAIT)
    assert (leased.message.body, leased.expires) == (b"1", expires)
