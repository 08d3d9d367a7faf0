from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from minibroker.errors import PreconditionFailed
from minibroker_client import exceptions

from .fake import FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable

    from .fake import FakeSide, FakeSystem

    Opened = Callable[..., FakeSide]


@pytest.fixture
def confirming(side: FakeSide) -> FakeSide:
    side.channel.confirm_select()
    side.driver.calls.clear()
    return side


def test_a_batch_that_is_full_is_sent_without_being_asked_for(opened: Opened) -> None:
    side = opened(replace(FEATURES, batch=2))
    side.channel.declare_queue("q")
    side.channel.confirm_select()
    side.driver.calls.clear()
    for number in range(3):
        side.publish("q", b"%d" % number)
    assert side.driver.taken("put") == [("put", ("q", b"0"), ("q", b"1"))]
    side.channel.wait_for_answers(0)
    assert side.driver.taken("put") == [("put", ("q", b"2"))]


def test_waiting_for_one_confirm_sends_what_lies_here(confirming: FakeSide) -> None:
    number = confirming.publish("q")
    assert confirming.channel.unconfirmed == 1
    assert confirming.channel.confirmed(number)
    assert len(confirming.driver.taken("put")) == 1
    assert confirming.channel.confirmed(number)
    assert confirming.driver.taken("put") == []


def test_asking_for_an_answer_sends_and_does_not_wait(confirming: FakeSide) -> None:
    number = confirming.publish("q")
    assert confirming.channel.answer(number) is True
    assert len(confirming.driver.taken("put")) == 1


def test_an_answer_does_not_take_the_deliveries_that_came_before(confirming: FakeSide) -> None:
    confirming.consume()
    confirming.channel.confirmed(confirming.publish("q", b"1"))
    confirming.channel.confirmed(confirming.publish("q", b"2"))
    confirming.connection.drain(0)
    number = confirming.publish("q", b"3")
    assert confirming.channel.answer(number) is True
    assert confirming.drain_all() == [b"2", b"3"]


def test_some_answers_may_stay_outstanding(confirming: FakeSide) -> None:
    for _ in range(3):
        confirming.publish("q")
    confirming.channel.wait_for_answers(3)
    assert confirming.driver.taken("put") == []
    confirming.channel.wait_for_answers(2)
    assert confirming.channel.unconfirmed <= 2


def test_a_mandatory_message_that_no_queue_takes_comes_back_and_is_confirmed(
    confirming: FakeSide,
) -> None:
    number = confirming.publish("nowhere", b"lost")
    assert confirming.channel.confirmed(number)
    assert [each.message.body for each in confirming.returned] == [b"lost"]
    assert confirming.driver.taken("put") == []


def test_what_others_declared_is_read_before_a_message_counts_as_unroutable(
    opened: Opened,
) -> None:
    other, side = opened(), opened()
    other.channel.declare_queue("q")
    side.publish("q")
    side.drain_all()
    assert side.returned == []
    other.channel.declare_exchange("e", "fanout")
    other.channel.bind_queue("q", "e")
    side.channel.publish("e", "", b"2", side.channel.properties({}))
    assert side.driver.system.bodies("q") == [b"hello", b"2"]


def test_a_message_with_a_known_way_reads_nothing(side: FakeSide) -> None:
    side.publish("q")
    side.driver.calls.clear()
    side.publish("q")
    assert side.driver.calls == [("put", ("q", b"hello"))]


def test_a_message_to_an_exchange_that_is_not_there_leaves_nothing_behind(
    confirming: FakeSide,
) -> None:
    confirming.publish("q", b"1")
    with pytest.raises(exceptions.NotFound):
        confirming.channel.publish("not there", "", b"2", confirming.channel.properties({}))
    assert [each.message.body for each in confirming.remote.going] == [b"1"]


def test_a_copy_that_cannot_be_made_takes_back_the_whole_message(confirming: FakeSide) -> None:
    record = confirming.channel.properties({"headers": {"CC": "no list"}})
    with pytest.raises(exceptions.PreconditionFailed):
        confirming.channel.publish("", "q", b"1", record)
    assert confirming.remote.going == []


def test_a_message_that_one_of_its_queues_does_not_take_is_in_none(
    confirming: FakeSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> bool:
        raise PreconditionFailed("full")

    channel = confirming.channel
    channel.declare_exchange("e", "fanout")
    channel.declare_queue("r")
    for queue in ("q", "r"):
        channel.bind_queue(queue, "e")
    confirming.publish("q", b"before")
    monkeypatch.setattr(confirming.remote.vhost.queues["r"], "push", full)
    with pytest.raises(exceptions.PreconditionFailed, match="full"):
        channel.publish("e", "", b"1", channel.properties({}))
    assert [each.message.body for each in confirming.remote.going] == [b"before"]


def test_declaring_reads_what_others_declared_first(
    opened: Opened,
) -> None:
    other, side = opened(), opened()
    other.channel.declare_queue("q", durable=True)
    with pytest.raises(exceptions.PreconditionFailed, match="inequivalent arg 'durable'"):
        side.channel.declare_queue("q")
    assert side.driver.taken("add") == []


def test_a_delayed_message_is_confirmed_when_the_system_has_it(
    confirming: FakeSide, system: FakeSystem
) -> None:
    channel = confirming.channel
    channel.declare_exchange("e", "x-delayed-message", arguments={"x-delayed-type": "fanout"})
    channel.bind_queue("q", "e")
    record = channel.properties({"headers": {"x-delay": 500}})
    confirming.driver.refuses = {b"bad"}
    numbers = [channel.publish("e", "", body, record) for body in (b"good", b"bad")]
    assert system.queues["q"] == []
    assert [channel.confirmed(number) for number in numbers] == [True, False]
    assert [each.outgoing.delay for each in system.queues["q"]] == [500]
