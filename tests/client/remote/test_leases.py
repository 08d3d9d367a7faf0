"""What every system must do with a message that somebody has: leases, and what follows."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import exceptions
from minibroker_client.transport import get_transport

from ..transport.side import SECONDS, Side
from .places import KINDS, address_of, howto_driver, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Opened = Callable[..., Side]

HOWTO = "docs/howto-transport.md"
SHORT = 2
"""Seconds of a short lease: the shortest that all systems have."""


@pytest.fixture(params=[HOWTO, *KINDS])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """Makes connections to one place; the leases last for `lease` seconds."""
    sides: list[Side] = []
    if request.param == HOWTO:
        url = f"{howto_driver()}:///{tmp_path}/queues.db"
        place = None
    else:
        place = place_of(request.param)
        url = place.__enter__()
    first = address_of(url, {})

    def opened(lease: float = SHORT) -> Side:
        options = {**first.options, "lease": lease}
        address = type(first)(**{**_fields(first), "options": options})
        sides.append(Side(get_transport(address.transport), address))
        return sides[-1]

    yield opened
    for side in sides:
        side.connection.close()
    if place is not None:
        place.__exit__(None, None, None)


def _fields(address: Any) -> dict[str, Any]:
    return {name: getattr(address, name) for name in address.__dataclass_fields__}


def stop_renewing(side: Side) -> None:
    """From now on it is as if its process stood still."""
    connection: Any = side.connection
    connection.remote.keeper.stop()


def next_of(side: Side, seconds: float = SECONDS) -> Any:
    """The next delivery that the side's consumer gets."""
    count = len(side.deliveries)
    end = time.monotonic() + seconds
    while len(side.deliveries) == count:
        side.connection.drain(max(0.0, end - time.monotonic()))
    return side.deliveries[-1]


def is_quiet(side: Side, seconds: float) -> bool:
    """Whether nothing is delivered for so long."""
    count = len(side.deliveries)
    with suppress(TimeoutError):
        side.connection.drain(seconds)
    return len(side.deliveries) == count


def deaths(delivery: Any) -> list[tuple[str, str]]:
    headers = delivery.message.properties.headers
    return [(death["queue"], death["reason"]) for death in headers["x-death"]]


def test_what_a_dead_consumer_had_comes_back_when_its_lease_ends(opened: Opened) -> None:
    dead, other = opened(), opened()
    dead.channel.declare_queue("q")
    dead.publish("q", b"work")
    dead.channel.consume("q", dead.deliveries.append)
    first = next_of(dead)
    assert not first.redelivered
    stop_renewing(dead)
    other.channel.consume("q", other.deliveries.append)
    again = next_of(other)
    assert (again.message.body, again.redelivered) == (b"work", True)
    with pytest.raises(exceptions.LeaseLost):
        dead.channel.ack(first.tag)
    other.channel.ack(again.tag)
    other.channel.close()
    assert opened().channel.declare_queue("q", passive=True).message_count == 0


def test_a_late_ack_does_not_settle_what_another_has(opened: Opened) -> None:
    late, other = opened(), opened()
    late.channel.declare_queue("q")
    late.publish("q", b"work")
    late.channel.consume("q", late.deliveries.append)
    first = next_of(late)
    stop_renewing(late)
    other.channel.consume("q", other.deliveries.append)
    again = next_of(other)
    with pytest.raises(exceptions.LeaseLost):
        late.channel.ack(first.tag)
    other.channel.reject(again.tag, requeue=True)
    assert next_of(other).message.body == b"work"


def test_a_lease_is_renewed_as_long_as_the_work_takes(opened: Opened) -> None:
    worker, other = opened(), opened()
    worker.channel.declare_queue("q")
    worker.publish("q")
    worker.channel.consume("q", worker.deliveries.append)
    delivery = next_of(worker)
    other.channel.consume("q", other.deliveries.append)
    assert is_quiet(other, SHORT * 2)
    worker.channel.ack(delivery.tag)
    assert is_quiet(other, 0)


def test_what_is_requeued_comes_at_once(opened: Opened) -> None:
    first, other = opened(60), opened(60)
    first.channel.declare_queue("q")
    first.publish("q")
    first.channel.consume("q", first.deliveries.append, tag="mine")
    delivery = next_of(first)
    first.channel.qos(1)
    first.channel.cancel("mine")
    other.channel.consume("q", other.deliveries.append)
    first.channel.nack(delivery.tag)
    assert next_of(other).redelivered


def test_what_was_prefetched_goes_back_when_its_connection_closes(opened: Opened) -> None:
    first, other = opened(60), opened(60)
    first.channel.declare_queue("q")
    for number in range(3):
        first.publish("q", b"%d" % number)
    first.channel.consume("q", first.deliveries.append)
    next_of(first)
    first.connection.close()
    other.channel.consume("q", other.deliveries.append)
    bodies = {next_of(other).message.body for _ in range(3)}
    assert bodies == {b"0", b"1", b"2"}


def test_a_rejected_message_is_dead_lettered_with_its_history(opened: Opened) -> None:
    side = opened()
    side.channel.declare_exchange("dead", "topic")
    side.channel.declare_queue("graves")
    side.channel.bind_queue("graves", "dead", "#")
    side.channel.declare_queue("q", arguments={"x-dead-letter-exchange": "dead"})
    side.publish("q", b"bad", headers={"mine": 1})
    side.channel.consume("q", side.deliveries.append)
    side.channel.reject(next_of(side).tag, requeue=False)
    side.channel.consume("graves", side.deliveries.append)
    grave = next_of(side)
    assert deaths(grave) == [("q", "rejected")]
    assert grave.message.properties.headers["mine"] == 1
    assert (grave.message.exchange, grave.message.routing_key) == ("dead", "q")


def test_a_message_that_expired_is_dead_lettered_and_not_delivered(opened: Opened) -> None:
    side = opened()
    side.channel.declare_queue("graves")
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"}
    side.channel.declare_queue("q", arguments=arguments)
    side.publish("q", b"soon", expiration="1")
    side.publish("q", b"later", expiration="60000")
    side.channel.consume("q", side.deliveries.append)
    side.channel.consume("graves", side.deliveries.append)
    found = {next_of(side).message.body, next_of(side).message.body}
    assert found == {b"soon", b"later"}
    [grave] = [each for each in side.deliveries if each.message.body == b"soon"]
    assert deaths(grave) == [("q", "expired")]


def test_a_delayed_message_comes_when_it_is_due(opened: Opened) -> None:
    side = opened()
    arguments = {"x-delayed-type": "fanout"}
    side.channel.declare_exchange("later", "x-delayed-message", arguments=arguments)
    side.channel.declare_queue("q")
    side.channel.bind_queue("q", "later")
    record = side.channel.properties({"headers": {"x-delay": 600}})
    side.channel.consume("q", side.deliveries.append)
    begun = time.monotonic()
    side.channel.publish("later", "", b"delayed", record)
    side.publish("q", b"at once")
    assert next_of(side).message.body == b"at once"
    assert next_of(side).message.body == b"delayed"
    assert time.monotonic() - begun >= 0.5


def test_higher_priorities_come_first(opened: Opened) -> None:
    side = opened()
    assert side.transport.capabilities.priority
    side.channel.declare_queue("q", arguments={"x-max-priority": 9})
    for priority in (0, 9, 5, 200):
        side.publish("q", b"%d" % priority, priority=priority)
    found = []
    for _ in range(4):
        got = side.channel.get("q", no_ack=True)
        assert got is not None
        found.append(got.delivery.message.body)
    assert found == [b"9", b"200", b"5", b"0"]


def test_what_comes_back_too_often_is_dead_lettered(opened: Opened) -> None:
    side = opened()
    assert side.transport.capabilities.delivery_count
    side.channel.declare_queue("graves")
    arguments = {
        "x-queue-type": "quorum",
        "x-delivery-limit": 2,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "graves",
    }
    side.channel.declare_queue("q", durable=True, arguments=arguments)
    side.publish("q")
    side.channel.consume("q", side.deliveries.append)
    counts = []
    for _ in range(3):
        delivery = next_of(side)
        counts.append((delivery.message.properties.headers or {}).get("x-delivery-count"))
        side.channel.nack(delivery.tag)
    assert counts == [None, 1, 2]
    side.channel.consume("graves", side.deliveries.append)
    assert deaths(next_of(side)) == [("q", "delivery_limit")]


def test_all_queues_of_a_fanout_get_a_copy_whoever_bound_them(opened: Opened) -> None:
    producer, consumer = opened(), opened()
    producer.channel.declare_exchange("news", "fanout")
    for queue in ("one", "two"):
        consumer.channel.declare_queue(queue)
        consumer.channel.bind_queue(queue, "news")
        consumer.channel.consume(queue, consumer.deliveries.append)
    producer.channel.publish("news", "", b"hello", producer.channel.properties({}))
    assert [next_of(consumer).message.body for _ in range(2)] == [b"hello", b"hello"]


def test_headers_and_topics_route_as_in_the_broker(opened: Opened) -> None:
    side = opened()
    channel = side.channel
    channel.declare_exchange("h", "headers")
    channel.declare_exchange("t", "topic")
    channel.declare_queue("matched")
    channel.bind_queue("matched", "h", "", {"x-match": "all", "kind": "a", "size": 3})
    channel.bind_queue("matched", "t", "*.done.#")
    record = channel.properties
    channel.publish("h", "", b"h1", record({"headers": {"kind": "a", "size": 3}}))
    channel.publish("h", "", b"h2", record({"headers": {"kind": "a", "size": 4}}))
    channel.publish("t", "x.done.a.b", b"t1", record({}))
    channel.publish("t", "x.y.done", b"t2", record({}))
    channel.consume("matched", side.deliveries.append)
    assert {next_of(side).message.body, next_of(side).message.body} == {b"h1", b"t1"}
    assert is_quiet(side, 0)


def test_every_property_and_any_body_travels(opened: Opened) -> None:
    side = opened()
    side.channel.declare_queue("q")
    values = {
        "content_type": "text/plain", "content_encoding": "utf-8", "delivery_mode": 2,
        "priority": 7, "correlation_id": "c", "reply_to": "r", "expiration": "60000",
        "message_id": "m", "timestamp": 1_700_000_000, "type": "t", "user_id": "guest",
        "app_id": "a",
        "headers": {
            "text": "gr\u00fc\u00df\n", "list": [1, {"a": None}], "bytes": b"\x00\xff", "x": 1.5
        },
    }  # fmt: skip
    bodies = [b"", b"text", bytes(range(256)), "\u00fc\ufffe".encode()]
    for body in bodies:
        side.publish("q", body, **values)
    side.channel.consume("q", side.deliveries.append)
    found = [next_of(side).message for _ in bodies]
    assert {message.body for message in found} == set(bodies)
    for message in found:
        for name, value in values.items():
            sent = getattr(message.properties, name)
            assert (sent.timestamp() if name == "timestamp" else sent) == value


def test_a_connection_that_was_lost_gives_back_what_it_had(opened: Opened) -> None:
    first, second = opened(60), opened(60)
    first.channel.declare_queue("q")
    first.publish("q")
    first.channel.consume("q", first.deliveries.append)
    delivery = next_of(first)
    lost: Any = first.connection
    lost.remote.lost(RuntimeError("the cable was cut"))
    second.channel.go_on_from(first.channel)
    with pytest.raises(exceptions.LeaseLost):
        second.channel.ack(delivery.tag)
    second.channel.consume("q", second.deliveries.append)
    assert next_of(second, 70).redelivered
