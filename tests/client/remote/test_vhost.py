from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import exceptions
from minibroker_client.remote.facts import key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .fake import FakeSide, FakeSystem

    Opened = Callable[..., FakeSide]


def bound(side: FakeSide, exchange: str = "e", queue: str = "q") -> None:
    side.channel.declare_exchange(exchange, "fanout")
    side.channel.declare_queue(queue)
    side.channel.bind_queue(queue, exchange)


def send(side: FakeSide, exchange: str = "e", body: bytes = b"hello", key: str = "") -> None:
    side.channel.publish(exchange, key, body, side.channel.properties({}))


def read(side: FakeSide) -> None:
    side.remote.refresh(at_once=True)


def test_what_another_declared_is_there(opened: Opened) -> None:
    other, side = opened(), opened()
    bound(other)
    read(side)
    assert set(side.remote.vhost.queues) == {"q"}
    assert "e" in side.remote.vhost.exchanges
    side.driver.calls.clear()
    send(side)
    assert side.driver.system.bodies("q") == [b"hello"]


def test_what_another_deleted_is_not_there(opened: Opened) -> None:
    other, side = opened(), opened()
    bound(other)
    read(side)
    other.channel.unbind_queue("q", "e")
    read(side)
    send(side)
    assert side.driver.system.bodies("q") == []
    other.channel.delete_queue("q")
    other.channel.delete_exchange("e")
    read(side)
    assert side.remote.vhost.queues == {}
    assert "e" not in side.remote.vhost.exchanges


def test_reading_what_others_declared_writes_nothing(opened: Opened) -> None:
    other, side = opened(), opened()
    bound(other)
    read(side)
    other.channel.delete_queue("q")
    read(side)
    assert side.driver.taken("add", "remove", "declare", "delete") == []


def test_a_queue_that_another_deletes_cancels_its_consumers(opened: Opened) -> None:
    other, side = opened(), opened()
    other.channel.declare_queue("q")
    tag = side.consume()
    other.channel.delete_queue("q")
    read(side)
    side.drain_all()
    assert side.cancelled == [tag]


def test_of_two_that_declare_a_queue_differently_at_once_the_second_is_refused(
    opened: Opened,
) -> None:
    first, second = opened(), opened()
    second.driver.before["add"] = lambda: first.channel.declare_queue("q", durable=True)
    with pytest.raises(exceptions.PreconditionFailed, match="inequivalent arg 'durable'"):
        second.channel.declare_queue("q", durable=False)
    assert second.remote.vhost.queues["q"].declaration.durable


def test_of_two_that_declare_a_queue_alike_at_once_both_have_it(opened: Opened) -> None:
    first, second = opened(), opened()
    second.driver.before["add"] = lambda: first.channel.declare_queue("q", durable=True)
    second.channel.declare_queue("q", durable=True)
    second.publish("q")
    first.consume()
    assert first.drain_all() == [b"hello"]


def test_of_two_that_declare_an_exchange_differently_at_once_the_second_is_refused(
    opened: Opened,
) -> None:
    first, second = opened(), opened()
    second.driver.before["add"] = lambda: first.channel.declare_exchange("e", "topic")
    with pytest.raises(exceptions.PreconditionFailed, match="inequivalent arg 'type'"):
        second.channel.declare_exchange("e", "direct")
    assert second.remote.vhost.exchanges["e"].type == "topic"


def test_a_delayed_exchange_that_another_was_faster_to_declare_holds_nothing_here(
    opened: Opened,
) -> None:
    first, second = opened(), opened()
    delayed = {"x-delayed-type": "fanout"}
    second.driver.before["add"] = lambda: first.channel.declare_exchange(
        "e", "x-delayed-message", arguments=delayed
    )
    with pytest.raises(exceptions.PreconditionFailed):
        second.channel.declare_exchange("e", "direct")
    first.channel.declare_queue("q")
    first.channel.bind_queue("q", "e")
    read(second)
    channel = second.another()
    channel.publish("e", "", b"later", channel.properties({"headers": {"x-delay": 5000}}))
    [kept] = second.driver.system.queues["q"]
    assert kept.outgoing.delay == 5000


def test_a_delayed_message_goes_to_the_system_with_its_delay(
    side: FakeSide, system: FakeSystem
) -> None:
    side.channel.declare_exchange("e", "x-delayed-message", arguments={"x-delayed-type": "fanout"})
    side.channel.bind_queue("q", "e")
    for headers in ({"x-delay": 700}, {}):
        side.channel.publish("e", "", b"x", side.channel.properties({"headers": headers}))
    assert [each.outgoing.delay for each in system.queues["q"]] == [700, 0]
    assert system.queues["q"][0].outgoing.message.headers["x-delay"] == -700


def test_an_exclusive_queue_of_another_is_locked(opened: Opened) -> None:
    owner, side = opened(), opened()
    owner.channel.declare_queue("mine", exclusive=True)
    attempts: list[Callable[[Any], object]] = [
        lambda channel: channel.consume("mine", side.deliveries.append),
        lambda channel: channel.declare_queue("mine", exclusive=True),
        lambda channel: channel.delete_queue("mine"),
    ]
    for attempt in attempts:
        with pytest.raises(exceptions.ResourceLocked):
            attempt(side.another())
    side.publish("mine")
    owner.consume("mine")
    assert owner.drain_all() == [b"hello"]


def test_of_two_that_declare_an_exclusive_queue_at_once_the_second_is_refused(
    opened: Opened,
) -> None:
    first, second = opened(), opened()
    second.driver.before["add"] = lambda: first.channel.declare_queue("q", exclusive=True)
    with pytest.raises(exceptions.ResourceLocked):
        second.channel.declare_queue("q", exclusive=True)
    second.connection.close()
    assert key_of("q", "q") in first.driver.system.facts


def test_exclusive_queues_go_with_their_connection(opened: Opened) -> None:
    owner, side = opened(), opened()
    owner.channel.declare_queue("mine", exclusive=True)
    read(side)
    owner.connection.close()
    assert owner.driver.taken("delete") == [("delete", "mine")]
    assert side.driver.system.facts == {}
    read(side)
    assert side.remote.vhost.queues == {}


@pytest.mark.parametrize("what", ["exchange", "queue"])
def test_what_holds_no_more_goes_with_its_exchange_or_queue(side: FakeSide, what: str) -> None:
    facts = side.driver.system.facts
    bound(side)
    assert len(facts) == 3
    if what == "exchange":
        side.channel.delete_exchange("e")
        assert list(facts) == [key_of("q", "q")]
    else:
        side.channel.delete_queue("q")
        assert list(facts) == [key_of("e", "e")]


def test_an_auto_delete_exchange_goes_with_its_last_binding_also_in_the_system(
    side: FakeSide,
) -> None:
    side.channel.declare_exchange("e", "fanout", auto_delete=True)
    side.channel.bind_queue("q", "e")
    side.channel.unbind_queue("q", "e")
    assert list(side.driver.system.facts) == [key_of("q", "q")]
    assert "e" not in side.remote.vhost.exchanges


def test_an_auto_delete_exchange_whose_binding_another_replaced_stays(opened: Opened) -> None:
    other, side = opened(), opened()
    other.channel.declare_exchange("e", "direct", auto_delete=True)
    other.channel.declare_queue("q")
    other.channel.bind_queue("q", "e", "old")
    read(side)
    other.channel.bind_queue("q", "e", "new")
    other.channel.unbind_queue("q", "e", "old")
    read(side)
    send(side, key="new")
    assert side.driver.system.bodies("q") == [b"hello"]


def test_a_queue_that_another_made_anew_is_bound_as_before(opened: Opened) -> None:
    other, side = opened(), opened()
    bound(other)
    read(side)
    other.channel.delete_queue("q")
    other.channel.declare_queue("q", durable=True)
    other.channel.bind_queue("q", "e")
    read(side)
    assert side.remote.vhost.queues["q"].declaration.durable
    send(side)
    assert side.driver.system.bodies("q") == [b"hello"]


def test_bindings_between_exchanges_are_facts_as_well(opened: Opened) -> None:
    other, side = opened(), opened()
    bound(other)
    other.channel.declare_exchange("first", "topic")
    other.channel.bind_exchange("e", "first", "a.*")
    read(side)
    send(side, "first", key="a.b")
    other.channel.unbind_exchange("e", "first", "a.*")
    read(side)
    send(side, "first", key="a.c")
    assert side.driver.system.bodies("q") == [b"hello"]


@pytest.mark.parametrize(
    ("kind", "key", "arguments"),
    [("x-consistent-hash", "no number", {}), ("headers", "", {"x-match": "some"})],
)
def test_a_binding_that_is_refused_leaves_no_fact(
    side: FakeSide, kind: str, key: str, arguments: dict[str, Any]
) -> None:
    side.channel.declare_exchange("e", kind)
    before = dict(side.driver.system.facts)
    with pytest.raises(exceptions.PreconditionFailed):
        side.channel.bind_queue("q", "e", key, arguments)
    assert side.driver.system.facts == before


def test_an_exchange_that_is_refused_leaves_no_fact(side: FakeSide) -> None:
    before = dict(side.driver.system.facts)
    with pytest.raises(exceptions.PreconditionFailed, match="x-delayed-type"):
        side.channel.declare_exchange("e", "x-delayed-message", arguments={})
    assert side.driver.system.facts == before


def test_a_queue_is_known_to_the_driver_before_it_is_used(opened: Opened) -> None:
    other = opened()
    other.channel.declare_queue("q", arguments={"x-max-priority": 3})
    assert other.driver.taken("know", "declare") == [("know", "q"), ("declare", "q")]
    side = opened()
    assert side.driver.taken("know", "declare") == [("know", "q")]
    queue: Any = side.remote.vhost.queues["q"]
    assert queue.declaration.arguments == {"x-max-priority": 3}
