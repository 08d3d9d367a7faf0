"""The classic queue: limits, deadlines and requeueing between two calls. Rules: `semantics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker import Broker, ManualClock, Properties
from minibroker.queues import Entry, Queue

if TYPE_CHECKING:
    from minibroker.channel import Channel
    from minibroker.fields import Table
    from minibroker.local import LocalConnection


def queue_of(broker: Broker, name: str = "q") -> Queue:
    """The queue itself."""
    queue = broker.vhosts["/"].queues[name]
    assert isinstance(queue, Queue)
    return queue


def bodies(channel: Channel) -> list[bytes]:
    """What is ready, in order, taken out."""
    found = []
    while (got := channel.get("q", no_ack=True)) is not None:
        found.append(got.entry.message.body)
    return found


@pytest.mark.parametrize(
    ("arguments", "plain"),
    [
        ({}, True),
        ({"x-max-priority": 5}, True),
        ({"x-dead-letter-exchange": "d"}, True),
        ({"x-max-length": 5}, False),
        ({"x-max-length-bytes": 5}, False),
        ({"x-message-ttl": 5}, False),
    ],
)
def test_only_limits_and_deadlines_take_a_queue_off_the_short_path(
    broker: Broker, channel: Channel, arguments: Table, plain: bool
) -> None:
    channel.declare_queue("q", arguments=arguments)
    assert queue_of(broker).plain is plain


def test_a_policy_takes_a_queue_off_the_short_path_and_puts_it_back(
    broker: Broker, channel: Channel
) -> None:
    channel.declare_queue("q")
    for body in (b"1", b"22", b"333"):
        channel.publish("", "q", body)
    broker.set_policy("p", ".*", {"max-length-bytes": 5})
    assert not queue_of(broker).plain
    assert queue_of(broker).ready_bytes == 5
    channel.publish("", "q", b"4")
    assert bodies(channel) == [b"333", b"4"]
    broker.delete_policy("p")
    assert queue_of(broker).plain


def test_there_is_one_deadline_that_of_the_head(
    broker: Broker, channel: Channel, clock: ManualClock
) -> None:
    channel.declare_queue("q")
    channel.publish("", "q", b"1", Properties(expiration="5000"))
    channel.publish("", "q", b"2", Properties(expiration="1000"))
    assert len(broker.timers) == 1
    assert broker.next_deadline() == clock.now() + 5000
    channel.get("q", no_ack=True)
    assert broker.next_deadline() == clock.now() + 1000
    clock.advance("1s")
    assert broker.next_deadline() is None
    assert not queue_of(broker).expiring


def test_bytes_are_counted_in_and_out(broker: Broker, channel: Channel) -> None:
    channel.declare_queue("q", arguments={"x-max-length-bytes": 10})
    queue = queue_of(broker)
    channel.publish("", "q", b"12345")
    got = channel.get("q")
    assert got is not None
    assert queue.ready_bytes == 0
    channel.nack(got.entry.tag)
    assert queue.ready_bytes == 5
    channel.consume("q")
    assert queue.ready_bytes == 0
    channel.close()
    assert queue.ready_bytes == 5


def test_what_expired_unseen_is_not_dealt(
    connection: LocalConnection, channel: Channel, clock: ManualClock
) -> None:
    # Held back by the order: the low one is due behind a high one that is not.
    channel.declare_queue("q", arguments={"x-max-priority": 1})
    channel.publish("", "q", b"low", Properties(expiration="1000"))
    channel.publish("", "q", b"high", Properties(priority=1))
    clock.advance("2s")
    channel.consume("q", no_ack=True)
    delivered = [item for item in connection.outbox if isinstance(item, Entry)]
    assert [entry.message.body for entry in delivered] == [b"high"]


def test_purging_leaves_no_deadline_and_says_how_many(broker: Broker, channel: Channel) -> None:
    channel.declare_queue("q", arguments={"x-message-ttl": 1000, "x-max-length-bytes": 100})
    for _ in range(3):
        channel.publish("", "q", b"body")
    assert channel.purge_queue("q") == 3
    assert broker.next_deadline() is None
    assert queue_of(broker).ready_bytes == 0


def test_what_pushes_in_before_an_entry_that_expires_delays_nothing_and_is_not_expired(
    channel: Channel, clock: ManualClock
) -> None:
    channel.declare_queue("levels", arguments={"x-max-priority": 5})
    channel.publish("", "levels", b"expires", Properties(priority=1, expiration="100"))
    channel.publish("", "levels", b"stays", Properties(priority=2))
    clock.advance("50ms")
    answer = channel.get("levels")
    assert answer is not None
    assert answer.entry.message.body == b"stays"
    clock.advance("50ms")
    assert channel.get("levels") is None
