"""Delayed messages from end to end, and retry ladders with a clock that tests move (113b)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from minibroker.errors import PreconditionFailed
from minibroker.events import Confirmed, Returned
from minibroker.properties import Properties
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock
    from minibroker.channel import Channel
    from minibroker.fields import FieldValue
    from minibroker.local import LocalConnection

pytestmark = pytest.mark.semantics("113b")


def declare(channel: Channel, inner: str = "direct", name: str = "later") -> None:
    """A delayed exchange, and a queue `q` bound with the key `key`."""
    channel.declare_exchange(name, "x-delayed-message", arguments={"x-delayed-type": inner})
    channel.declare_queue("q")
    channel.bind_queue("q", name, "key")


def publish(channel: Channel, body: str, delay: FieldValue = None, key: str = "key") -> None:
    headers = None if delay is None else {"x-delay": delay}
    channel.publish("later", key, body.encode(), Properties(headers=headers))


def bodies(channel: Channel, queue: str = "q") -> list[str]:
    """The bodies of all that is ready, in order, taken out."""
    found = []
    while (answer := channel.get(queue, no_ack=True)) is not None:
        found.append(answer.entry.message.body.decode())
    return found


# -- the exchange


def test_a_message_arrives_after_its_delay_and_not_before(
    clock: ManualClock, channel: Channel
) -> None:
    declare(channel)
    publish(channel, "m", 1500)
    clock.advance("1499ms")
    assert bodies(channel) == []
    clock.advance("1ms")
    assert bodies(channel) == ["m"]


def test_messages_arrive_by_due_time_and_then_in_the_order_of_publishing(
    clock: ManualClock, channel: Channel
) -> None:
    declare(channel)
    for body, delay in (("c", 3000), ("a", 1000), ("b", 2000), ("a2", 1000)):
        publish(channel, body, delay)
    clock.advance("1h")
    assert bodies(channel) == ["a", "a2", "b", "c"]


def test_a_message_without_delay_is_routed_at_once(channel: Channel) -> None:
    declare(channel)
    publish(channel, "none")
    publish(channel, "zero", 0)
    assert bodies(channel) == ["none", "zero"]


def test_a_waiting_consumer_gets_it_on_time_without_anybody_calling(
    clock: ManualClock, connection: LocalConnection, channel: Channel
) -> None:
    declare(channel)
    channel.consume("q")
    publish(channel, "m", 60_000)
    clock.advance("1m")
    entry = connection.drain(0)
    assert isinstance(entry, Entry)
    message = entry.message
    assert (message.exchange, message.routing_key, message.body) == ("later", "key", b"m")
    assert message.headers == {"x-delay": -60_000}


@pytest.mark.parametrize(
    ("inner", "key", "binding"),
    [("direct", "a.b", "a.b"), ("topic", "a.b", "a.*"), ("fanout", "a.b", "any")],
)
def test_it_is_routed_as_the_inner_type_routes(
    clock: ManualClock, channel: Channel, inner: str, key: str, binding: str
) -> None:
    declare(channel, inner)
    channel.unbind_queue("q", "later", "key")
    channel.bind_queue("q", "later", binding)
    publish(channel, "m", 1000, key)
    clock.advance("1s")
    assert bodies(channel) == ["m"]


def test_the_bindings_of_the_time_of_release_count(clock: ManualClock, channel: Channel) -> None:
    declare(channel)
    channel.declare_queue("new")
    publish(channel, "m", 1000)
    channel.bind_queue("new", "later", "key")
    channel.unbind_queue("q", "later", "key")
    clock.advance("1s")
    assert (bodies(channel), bodies(channel, "new")) == ([], ["m"])


def test_a_held_message_is_confirmed_at_once_and_not_returned(
    clock: ManualClock, connection: LocalConnection, channel: Channel
) -> None:
    declare(channel)
    channel.confirm_select()
    properties = Properties(headers={"x-delay": 1000})
    channel.publish("later", "nowhere", b"m", properties, mandatory=True)
    clock.advance("1h")
    assert [item.ok for item in connection.outbox if isinstance(item, Confirmed)] == [True]
    assert not any(isinstance(item, Returned) for item in connection.outbox)


def test_what_is_held_is_gone_with_its_exchange(clock: ManualClock, channel: Channel) -> None:
    declare(channel)
    publish(channel, "m", 1000)
    channel.delete_exchange("later")
    declare(channel)
    clock.advance("1h")
    assert bodies(channel) == []


def test_an_expiration_begins_when_the_message_reaches_its_queue(
    clock: ManualClock, channel: Channel
) -> None:
    declare(channel)
    properties = Properties(headers={"x-delay": 5000}, expiration="1000")
    channel.publish("later", "key", b"m", properties)
    clock.advance("5999ms")
    assert channel.declare_queue("q", passive=True).message_count == 1
    clock.advance("1ms")
    assert bodies(channel) == []


def test_cc_keys_route_a_delayed_message_too(clock: ManualClock, channel: Channel) -> None:
    declare(channel)
    channel.declare_queue("copy")
    channel.bind_queue("copy", "later", "other")
    headers: dict[str, FieldValue] = {"x-delay": 1000, "CC": ["other"]}
    channel.publish("later", "key", b"m", Properties(headers=headers))
    clock.advance("1s")
    assert (bodies(channel), bodies(channel, "copy")) == (["m"], ["m"])


def test_a_delayed_exchange_behind_another_exchange_holds_what_comes_through(
    clock: ManualClock, channel: Channel
) -> None:
    declare(channel)
    channel.declare_exchange("front", "fanout")
    channel.declare_queue("now")
    channel.bind_exchange("later", "front")
    channel.bind_queue("now", "front")
    channel.publish("front", "key", b"m", Properties(headers={"x-delay": 1000}))
    assert (bodies(channel, "now"), bodies(channel)) == (["m"], [])
    clock.advance("1s")
    assert (bodies(channel, "now"), bodies(channel)) == ([], ["m"])


def test_a_transaction_starts_the_delay_at_its_commit(clock: ManualClock, channel: Channel) -> None:
    declare(channel)
    channel.tx_select()
    publish(channel, "m", 1000)
    clock.advance("10s")
    channel.tx_commit()
    clock.advance("999ms")
    assert bodies(channel) == []
    clock.advance("1ms")
    assert bodies(channel) == ["m"]


@pytest.mark.parametrize("arguments", [{}, {"x-delayed-type": "nonsense"}, {"x-delayed-type": 5}])
def test_without_a_type_that_exists_the_declaration_is_refused(
    channel: Channel, arguments: dict[str, FieldValue]
) -> None:
    with pytest.raises(PreconditionFailed):
        channel.declare_exchange("later", "x-delayed-message", arguments=arguments)


def test_deadlines_of_queues_and_exchanges_run_in_the_order_of_time(
    clock: ManualClock, channel: Channel
) -> None:
    declare(channel)
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"}
    channel.declare_queue("ttl", arguments=dead)
    publish(channel, "1s", 1000)
    channel.publish("", "ttl", b"2s", Properties(expiration="2000"))
    publish(channel, "3s", 3000)
    clock.advance("1h")
    assert bodies(channel) == ["1s", "2s", "3s"]


# -- retry ladders

STEPS = {"1m": 60_000, "5m": 300_000, "24m": 1_440_000}
"""Together half an hour."""


def ladder(channel: Channel) -> None:
    """A queue `work`, and one queue to wait in for each step, which leads back to it."""
    channel.declare_queue("work", durable=True)
    for step, milliseconds in STEPS.items():
        channel.declare_queue(
            step,
            durable=True,
            arguments={
                "x-message-ttl": milliseconds,
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": "work",
            },
        )


def test_a_thirty_minute_ladder_of_queues_runs_on_a_clock_that_the_test_moves(
    clock: ManualClock, connection: LocalConnection, channel: Channel
) -> None:
    ladder(channel)
    start = clock.now()
    attempts: list[int] = []
    channel.consume("work")
    channel.publish("", "work", b"job")
    for step in (*STEPS, None):
        entry = connection.drain(0)
        assert isinstance(entry, Entry)
        attempts.append((clock.now() - start) // 60_000)
        channel.ack(entry.tag)
        if step is not None:
            channel.publish("", step, entry.message.body)
            assert not connection.outbox
            clock.advance(step)
    assert attempts == [0, 1, 6, 30]


def test_a_ladder_of_rejections_counts_its_rounds_in_x_death(
    clock: ManualClock, connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_exchange("retry", "fanout")
    channel.declare_queue("work", arguments={"x-dead-letter-exchange": "retry"})
    channel.declare_queue(
        "wait",
        arguments={
            "x-message-ttl": 600_000,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "work",
        },
    )
    channel.bind_queue("wait", "retry")
    channel.publish("", "work", b"job")
    channel.consume("work")
    counts: list[FieldValue] = []
    for _ in range(4):
        entry = connection.drain(0)
        assert isinstance(entry, Entry)
        deaths = entry.message.headers.get("x-death", [])
        assert isinstance(deaths, list)
        counts += [
            row["count"]
            for row in deaths
            if isinstance(row, dict) and (row["queue"], row["reason"]) == ("work", "rejected")
        ]
        channel.reject(entry.tag, requeue=False)
        clock.advance("10m")
    assert counts == [1, 2, 3]


def test_one_advance_runs_a_whole_ladder_of_expiries_in_order(
    clock: ManualClock, make_broker: Callable[..., Broker]
) -> None:
    channel = make_broker().connect().channel()
    channel.declare_queue("done")
    names = [*STEPS, "done"]
    for name, following in pairwise(names):
        channel.declare_queue(
            name,
            arguments={
                "x-message-ttl": STEPS[name],
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": following,
            },
        )
    channel.publish("", "1m", b"job")
    clock.advance("29m")
    assert bodies(channel, "done") == []
    clock.advance("1m")
    answer = channel.get("done")
    assert answer is not None
    deaths = answer.entry.message.headers["x-death"]
    assert isinstance(deaths, list)
    rows = [row for row in deaths if isinstance(row, dict)]
    assert [row["queue"] for row in rows] == ["24m", "5m", "1m"]
    assert [str(row["time"])[11:16] for row in rows] == ["00:30", "00:06", "00:01"]


def test_a_ladder_with_the_delayed_exchange_waits_longer_each_time(
    clock: ManualClock, connection: LocalConnection, channel: Channel
) -> None:
    declare(channel)
    channel.consume("q")
    start = clock.now()
    attempts: list[int] = []
    publish(channel, "job")
    for delay in (*STEPS.values(), None):
        entry = connection.drain(0)
        assert isinstance(entry, Entry)
        attempts.append((clock.now() - start) // 60_000)
        channel.ack(entry.tag)
        if delay is not None:
            publish(channel, "job", delay)
            clock.advance(delay / 1000)
    assert attempts == [0, 1, 6, 30]


def test_a_dead_letter_exchange_that_delays_holds_what_asks_for_it_once(
    clock: ManualClock, channel: Channel
) -> None:
    declare(channel)
    arguments = {"x-dead-letter-exchange": "later", "x-dead-letter-routing-key": "key"}
    channel.declare_queue("work", arguments=arguments)
    for _ in range(2):
        properties = Properties(headers={"x-delay": 1000})
        channel.publish("", "work", b"m", properties)
        answer = channel.get("work")
        assert answer is not None
        channel.reject(answer.entry.tag, requeue=False)
    assert bodies(channel) == []
    clock.advance("1s")
    answer = channel.get("q", no_ack=True)
    assert answer is not None
    assert answer.entry.message.headers["x-delay"] == -1000
    assert bodies(channel) == ["m"]
