from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import exceptions
from minibroker_client.remote.queue import UNLIMITED_AT_ONCE

if TYPE_CHECKING:
    from .fake import Clock, FakeSide, FakeSystem

DEAD = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"}


def asked(side: FakeSide) -> list[Any]:
    """What the last look for messages asked for."""
    side.drain_all()
    return list(side.driver.taken("lease")[-1][1:])


def deaths(side: FakeSide, queue: str) -> list[tuple[str, str]]:
    [kept] = side.driver.system.queues[queue]
    headers: Any = kept.outgoing.message.headers
    return [(each["queue"], each["reason"]) for each in headers["x-death"]]


def declare_dying(side: FakeSide, **arguments: Any) -> None:
    side.channel.declare_queue("graves")
    side.channel.declare_queue("dying", durable=True, arguments={**DEAD, **arguments})


def test_a_consumer_asks_for_what_its_prefetch_leaves(side: FakeSide, system: FakeSystem) -> None:
    for _ in range(3):
        side.publish("q")
    side.channel.qos(5)
    side.consume()
    assert side.drain_all() == [b"hello"] * 3
    assert asked(side) == [("q", 2)]
    side.channel.ack(1, multiple=True)
    assert asked(side) == [("q", 3)]


def test_a_consumer_that_has_all_it_may_asks_for_nothing(side: FakeSide) -> None:
    side.publish("q")
    side.channel.qos(1)
    side.consume()
    side.drain_all()
    side.publish("q")
    side.driver.calls.clear()
    assert side.drain_all() == []
    assert side.driver.taken("lease") == []


def test_a_consumer_without_a_limit_asks_for_some(side: FakeSide) -> None:
    side.consume()
    assert asked(side) == [("q", UNLIMITED_AT_ONCE)]
    side.consume()
    assert asked(side) == [("q", UNLIMITED_AT_ONCE)]


def test_consumers_with_their_own_prefetch_ask_for_the_sum(side: FakeSide) -> None:
    side.channel.qos(2)
    side.consume()
    side.channel.qos(3)
    side.consume()
    assert asked(side) == [("q", 5)]


def test_consumers_that_share_a_prefetch_do_not_ask_for_it_twice(side: FakeSide) -> None:
    side.channel.qos(3, global_=True)
    side.consume()
    side.consume()
    assert asked(side) == [("q", 3)]
    for _ in range(4):
        side.publish("q")
    assert len(side.drain_all()) == 3
    assert side.driver.system.bodies("q") == [b"hello"]


def test_an_expired_message_is_dead_lettered_and_not_delivered(
    side: FakeSide, clock: Clock, system: FakeSystem
) -> None:
    declare_dying(side, **{"x-message-ttl": 1000})
    side.publish("dying", b"old")
    clock.seconds += 1
    side.publish("dying", b"new")
    side.consume("dying")
    assert side.drain_all() == [b"new"]
    assert system.bodies("graves") == [b"old"]
    assert deaths(side, "graves") == [("dying", "expired")]


def test_the_shorter_time_to_live_counts(side: FakeSide, clock: Clock, system: FakeSystem) -> None:
    declare_dying(side, **{"x-message-ttl": 5000})
    begun = clock.time_ns() // 1_000_000
    side.publish("dying", expiration="2000")
    side.publish("dying", expiration="9000")
    expires = [each.outgoing.expires for each in system.queues["dying"]]
    assert expires == [begun + 2000, begun + 5000]


def test_what_came_back_too_often_is_dead_lettered(side: FakeSide, system: FakeSystem) -> None:
    declare_dying(side, **{"x-queue-type": "quorum", "x-delivery-limit": 1})
    side.publish("dying", b"bad")
    side.consume("dying")
    for count in (None, 1):
        [body] = side.drain_all()
        headers = side.deliveries[-1].message.properties.headers or {}
        assert (body, headers.get("x-delivery-count")) == (b"bad", count)
        side.channel.nack(side.deliveries[-1].tag)
    assert side.drain_all() == []
    assert deaths(side, "graves") == [("dying", "delivery_limit")]
    message = system.queues["graves"][0].outgoing.message
    assert "x-delivery-count" not in message.headers


def test_get_passes_over_what_is_too_late(side: FakeSide, clock: Clock, system: FakeSystem) -> None:
    declare_dying(side)
    side.publish("dying", b"old", expiration="1")
    side.publish("dying", b"new")
    clock.seconds += 1
    got = side.channel.get("dying", no_ack=True)
    assert got is not None
    assert (got.delivery.message.body, got.message_count) == (b"new", 0)
    assert system.bodies("graves") == [b"old"]
    assert system.queues["dying"] == []
    assert side.channel.get("dying") is None


def test_what_was_handed_out_before_is_redelivered(side: FakeSide) -> None:
    side.publish("q", b"one")
    side.consume()
    side.drain_all()
    side.channel.nack(1)
    assert side.drain_all() == [b"one"]
    assert [each.redelivered for each in side.deliveries] == [False, True]


def test_what_is_leased_for_a_consumer_that_left_meanwhile_goes_back(
    side: FakeSide, system: FakeSystem
) -> None:
    for number in range(3):
        side.publish("q", b"%d" % number)
    tag = side.consume()
    side.driver.before["lease"] = lambda: side.channel.cancel(tag)
    assert side.drain_all() == []
    assert system.bodies("q") == [b"0", b"1", b"2"]
    assert side.driver.taken("nack") == [("nack", b"0", b"1", b"2")]


def test_size_and_purge_are_the_systems(side: FakeSide, system: FakeSystem) -> None:
    for _ in range(3):
        side.publish("q")
    assert side.channel.get("q") is not None
    assert side.channel.declare_queue("q", passive=True).message_count == 2
    assert side.channel.purge_queue("q") == 2
    assert len(system.queues["q"]) == 1


def test_a_queue_that_is_gone_is_asked_for_nothing(side: FakeSide) -> None:
    queue: Any = side.remote.vhost.queues["q"]
    side.channel.delete_queue("q")
    side.driver.calls.clear()
    assert (queue.message_count, queue.purge()) == (0, 0)
    assert side.driver.calls == []
    with pytest.raises(exceptions.NotFound):
        side.channel.get("q")
