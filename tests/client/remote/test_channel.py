from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import exceptions

from .fake import FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable

    from .fake import Clock, FakeDriver, FakeSide, FakeSystem

    Opened = Callable[..., FakeSide]


def held(side: FakeSide, count: int) -> None:
    for number in range(count):
        side.publish("q", b"%d" % number)
    side.consume()
    side.drain_all()
    side.driver.calls.clear()


def test_an_ack_is_sent_with_the_next_that_is_asked(side: FakeSide) -> None:
    held(side, 3)
    side.channel.ack(1)
    side.channel.ack(2)
    assert side.driver.taken("ack") == []
    assert side.keeper.told[-2:] == ["settled", "settled"]
    side.drain_all()
    assert side.driver.taken("ack") == [("ack", b"0", b"1")]


def test_the_ack_of_the_last_message_is_sent_at_once(side: FakeSide) -> None:
    held(side, 2)
    side.channel.ack(2, multiple=True)
    assert side.driver.taken("ack") == [("ack", b"0", b"1")]


def test_as_many_acks_as_one_call_takes_are_sent_at_once(opened: Opened) -> None:
    side = opened(replace(FEATURES, batch=2))
    side.channel.declare_queue("q")
    held(side, 5)
    for tag in range(1, 5):
        side.channel.ack(tag)
    assert side.driver.taken("ack") == [("ack", b"0", b"1"), ("ack", b"2", b"3")]


@pytest.mark.parametrize("method", ["nack", "reject"])
def test_what_is_requeued_goes_back_at_once(side: FakeSide, method: str) -> None:
    held(side, 3)
    getattr(side.channel, method)(2, requeue=True)
    assert side.driver.taken("nack", "ack") == [("nack", b"1")]


def test_recover_gives_back_all_that_is_unacked_in_order(side: FakeSide) -> None:
    held(side, 3)
    side.channel.recover()
    assert side.driver.taken("nack") == [("nack", b"0", b"1", b"2")]
    assert side.drain_all() == [b"0", b"1", b"2"]


def test_of_many_deliveries_those_in_time_are_settled_and_the_late_one_is_told(
    side: FakeSide, clock: Clock, system: FakeSystem
) -> None:
    held(side, 3)
    late, *_ = side.remote.held.values()
    late.deadline = clock.seconds - 1
    with pytest.raises(exceptions.LeaseLost, match="delivery 1"):
        side.channel.ack(0, multiple=True)
    assert side.driver.taken("ack") == [("ack", b"1", b"2")]
    side.publish("q", b"next")
    assert side.drain_all() == [b"next"]
    side.channel.ack(4)


def test_a_late_dead_letter_is_not_acked_in_its_queue(
    side: FakeSide, clock: Clock, system: FakeSystem
) -> None:
    held(side, 1)
    clock.seconds += side.driver.lease_seconds + 1
    with pytest.raises(exceptions.LeaseLost):
        side.channel.reject(1, requeue=False)
    assert side.driver.taken("ack", "nack") == []
    assert len(system.queues["q"]) == 1


def test_get_sends_what_it_settled_itself(side: FakeSide) -> None:
    side.publish("q")
    side.driver.calls.clear()
    assert side.channel.get("q", no_ack=True) is not None
    assert side.driver.taken("ack") == [("ack", b"hello")]


def test_a_consumer_without_acks_settles_with_each_delivery(
    side: FakeSide, system: FakeSystem
) -> None:
    for _ in range(3):
        side.publish("q")
    side.consume(no_ack=True)
    assert side.drain_all() == [b"hello"] * 3
    assert system.queues["q"] == []


@pytest.mark.parametrize(
    ("attempt", "text"),
    [
        (lambda channel: channel.consume("amq.rabbitmq.reply-to", print), "direct reply-to"),
        (lambda channel: channel.consume("q", print, exclusive=True), "an exclusive consumer"),
        (lambda channel: channel.tx_select(), "transactions are not supported"),
        (lambda channel: channel.declare_queue("x", auto_delete=True), "auto_delete"),
        (lambda channel: channel.declare_queue("x", arguments={"x-expires": 1}), "x-expires"),
    ],
)
def test_what_no_system_can_do_closes_the_channel(
    side: FakeSide, attempt: Callable[[Any], None], text: str
) -> None:
    with pytest.raises(exceptions.NotSupported, match=text):
        attempt(side.channel)
    assert side.channel.closed
    assert not side.connection.closed
    with pytest.raises(exceptions.RecoverableConnectionError):
        attempt(side.channel)


def test_what_the_system_at_hand_cannot_do_is_refused(opened: Opened) -> None:
    side = opened(replace(FEATURES, delivery_count=False))
    with pytest.raises(exceptions.NotSupported, match="x-delivery-limit"):
        side.channel.declare_queue("q", arguments={"x-delivery-limit": 1})
    assert side.driver.taken("declare") == []


def test_a_passive_declaration_asks_for_nothing_and_so_is_not_refused(side: FakeSide) -> None:
    found = side.channel.declare_queue("q", passive=True, arguments={"x-expires": 1})
    assert found.queue == "q"


def test_a_queue_that_another_has_just_declared_is_found(opened: Opened) -> None:
    other, side = opened(), opened()
    other.channel.declare_queue("q")
    other.publish("q", b"1")
    other.publish("q", b"2")
    got = side.channel.get("q")
    assert got is not None
    assert got.delivery.message.body == b"1"
    third = opened()
    third.consume("q")
    assert third.drain_all() == [b"2"]


def test_a_channel_that_closes_gives_back_what_is_unacked(
    side: FakeSide, system: FakeSystem
) -> None:
    held(side, 2)
    side.channel.ack(1)
    side.channel.close()
    assert system.bodies("q") == [b"1"]
    assert [call[0] for call in side.driver.taken("ack", "nack")] == ["ack", "nack"]
    side.channel.close()


def test_a_body_that_is_larger_than_the_system_takes_is_refused_before_it_is_sent(
    opened: Opened,
) -> None:
    side = opened(replace(FEATURES, max_message_size=10))
    side.channel.declare_queue("q")
    side.publish("q", b"x" * 10)
    side.driver.calls.clear()
    with pytest.raises(exceptions.PreconditionFailed, match="larger than configured max size 10"):
        side.publish("q", b"x" * 11)
    driver: FakeDriver = side.driver
    assert driver.taken("put") == []


def test_going_on_from_a_channel_of_the_same_connection_gives_back_nothing(side: FakeSide) -> None:
    held(side, 1)
    other = side.another()
    other.go_on_from(side.channel)
    assert side.driver.taken("nack") == []
    assert other.highest_tag == 1
