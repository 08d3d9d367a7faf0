from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from minibroker_client import exceptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from .fake import Clock, FakeSide, FakeSystem

    Opened = Callable[..., FakeSide]

DEAD = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"}


@pytest.fixture
def confirming(side: FakeSide) -> FakeSide:
    side.channel.confirm_select()
    return side


def test_without_confirms_each_message_is_sent_at_once(side: FakeSide) -> None:
    side.publish("q", b"1")
    side.publish("q", b"2")
    assert side.driver.taken("put") == [("put", ("q", b"1")), ("put", ("q", b"2"))]


def test_with_confirms_messages_are_sent_together(confirming: FakeSide) -> None:
    numbers = [confirming.publish("q", b"%d" % number) for number in range(3)]
    assert numbers == [1, 2, 3]
    assert confirming.driver.taken("put") == []
    assert confirming.channel.wait_for_confirms() == []
    assert confirming.driver.taken("put") == [("put", ("q", b"0"), ("q", b"1"), ("q", b"2"))]
    assert confirming.channel.unconfirmed == 0


def test_what_the_system_refuses_is_confirmed_negatively_and_the_rest_is_not(
    confirming: FakeSide, system: FakeSystem
) -> None:
    confirming.driver.refuses = {b"1"}
    for number in range(3):
        confirming.publish("q", b"%d" % number)
    assert confirming.channel.wait_for_confirms() == [2]
    assert system.bodies("q") == [b"0", b"2"]


def test_a_message_of_two_queues_is_confirmed_when_it_is_in_both(
    confirming: FakeSide, system: FakeSystem
) -> None:
    confirming.channel.declare_exchange("e", "fanout")
    confirming.channel.declare_queue("r")
    for queue in ("q", "r"):
        confirming.channel.bind_queue(queue, "e")
    confirming.publish("q", b"before")
    record = confirming.channel.properties({})
    numbers = [confirming.channel.publish("e", "", body, record) for body in (b"no", b"yes")]
    confirming.driver.refuses = {b"no"}
    assert [confirming.channel.confirmed(number) for number in numbers] == [False, True]
    assert confirming.channel.confirmed(1)
    assert system.bodies("r") == [b"yes"]


def test_without_confirms_a_refused_message_is_an_error_of_its_channel(
    side: FakeSide, system: FakeSystem
) -> None:
    side.driver.refuses = {b"bad"}
    with pytest.raises(exceptions.PreconditionFailed, match=r"b'bad' is refused"):
        side.publish("q", b"bad")
    assert side.channel.closed
    assert not side.connection.closed
    other = side.another()
    other.publish("", "q", b"good", other.properties({}))
    assert system.bodies("q") == [b"good"]


def test_a_message_also_goes_to_a_queue_that_another_has_bound_meanwhile(opened: Opened) -> None:
    other, side = opened(), opened()
    for queue in ("q", "late", "later"):
        other.channel.declare_queue(queue)
    other.channel.declare_exchange("e", "fanout")
    other.channel.bind_queue("q", "e")
    side.channel.publish("e", "", b"1", side.channel.properties({}))
    other.channel.bind_queue("late", "e")
    side.driver.before["load"] = lambda: other.channel.bind_queue("later", "e")
    side.channel.publish("e", "", b"2", side.channel.properties({}))
    found = {queue: side.driver.system.bodies(queue) for queue in ("q", "late", "later")}
    assert found == {"q": [b"1", b"2"], "late": [b"2"], "later": [b"2"]}


def test_what_is_refused_by_a_queue_bound_meanwhile_is_not_confirmed(opened: Opened) -> None:
    other, side = opened(), opened()
    for queue in ("q", "late"):
        other.channel.declare_queue(queue)
    other.channel.declare_exchange("e", "fanout")
    other.channel.bind_queue("q", "e")
    side.channel.confirm_select()
    side.channel.publish("e", "", b"1", side.channel.properties({}))
    other.channel.bind_queue("late", "e")
    side.driver.before["load"] = lambda: side.driver.refuses.add(b"1")
    assert side.channel.wait_for_confirms() == [1]


def test_a_dead_letter_is_in_its_new_place_before_it_leaves_the_old_one(side: FakeSide) -> None:
    side.channel.declare_queue("graves")
    side.channel.declare_queue("dying", arguments=DEAD)
    side.publish("dying", b"bad")
    side.consume("dying")
    side.drain_all()
    side.driver.calls.clear()
    side.channel.reject(1, requeue=False)
    put, ack = side.driver.taken("put", "ack")
    assert (put, ack) == (("put", ("graves", b"bad")), ("ack", b"bad"))


def test_a_dead_letter_that_cannot_be_put_stays_in_its_old_place(side: FakeSide) -> None:
    side.channel.declare_queue("graves")
    side.channel.declare_queue("dying", arguments=DEAD)
    side.publish("dying", b"bad")
    side.consume("dying")
    side.drain_all()
    side.driver.fails.add("put")
    with pytest.raises(exceptions.ConnectionForced):
        side.channel.reject(1, requeue=False)
    system = side.driver.system
    assert side.driver.taken("ack") == []
    system.lose_leases()
    assert system.bodies("dying") == [b"bad"]


def test_a_dead_letter_that_is_refused_is_logged_and_harms_no_consumer(
    side: FakeSide, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    side.channel.declare_queue("graves")
    side.channel.declare_queue("dying", arguments=DEAD)
    side.publish("dying", b"bad", expiration="1")
    side.publish("dying", b"good")
    clock.seconds += 1
    side.driver.refuses = {b"bad"}
    side.consume("dying")
    with caplog.at_level(logging.WARNING):
        assert side.drain_all() == [b"good"]
    assert [each.getMessage() for each in caplog.records] == [
        "queue 'graves' did not take a dead letter: b'bad' is refused"
    ]


def test_acks_that_turn_out_late_are_told_with_the_next_settling(
    side: FakeSide, system: FakeSystem
) -> None:
    for number in range(3):
        side.publish("q", b"%d" % number)
    side.consume()
    side.drain_all()
    side.channel.ack(1)
    system.lose_leases()
    side.remote.flush()
    with pytest.raises(exceptions.LeaseLost, match="1 deliveries were acked after"):
        side.channel.ack(2)


def test_what_a_renewal_found_lost_cannot_be_settled_and_nobody_else_is_harmed(
    side: FakeSide, system: FakeSystem
) -> None:
    side.publish("q", b"work")
    side.consume()
    side.drain_all()
    system.lose_leases()
    [entry] = side.remote.held.values()
    side.remote.mark([entry.lease])
    side.driver.calls.clear()
    with pytest.raises(exceptions.LeaseLost, match="delivery 1"):
        side.channel.nack(1)
    assert side.driver.taken("ack", "nack") == []
    assert side.remote.held == {}
    assert side.remote.take_losses() == 0


def test_what_a_lost_connection_held_is_given_back_by_the_next_one(opened: Opened) -> None:
    first, second = opened(), opened()
    first.channel.declare_queue("q")
    for number in range(3):
        first.publish("q", b"%d" % number)
    first.consume()
    first.connection.drain(0)
    first.remote.lost(RuntimeError("the cable was cut"))
    assert first.driver.system.bodies("q") == []
    second.channel.go_on_from(first.channel)
    assert second.driver.taken("nack") == [("nack", b"0", b"1", b"2")]
    second.channel.go_on_from(first.channel)
    assert second.driver.taken("nack") == []
    with pytest.raises(exceptions.LeaseLost):
        second.channel.ack(1)
