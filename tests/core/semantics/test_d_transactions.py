"""Transactions, as their channel and everybody else sees them (66)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import NotFound, PreconditionFailed
from minibroker.events import Returned
from minibroker.properties import Properties
from minibroker.queues import Entry

if TYPE_CHECKING:
    from minibroker import ManualClock
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection

pytestmark = pytest.mark.semantics(66)


@pytest.fixture
def tx(connection: LocalConnection) -> Channel:
    """A transactional channel, with a queue `q`."""
    channel = connection.channel()
    channel.declare_queue("q")
    channel.tx_select()
    return channel


def ready(channel: Channel, queue: str = "q") -> int:
    return channel.declare_queue(queue, passive=True).message_count


def taken(connection: LocalConnection) -> list[object]:
    items: list[object] = list(connection.outbox)
    connection.outbox.clear()
    return items


def delivered(connection: LocalConnection) -> list[tuple[bytes, bool]]:
    """The deliveries in the outbox: bodies, and whether they had been delivered before."""
    items = taken(connection)
    return [(item.message.body, item.redelivered) for item in items if isinstance(item, Entry)]


def tags(channel: Channel, count: int) -> list[int]:
    """Get so many messages from `q`, and return their tags."""
    return [answer.entry.tag for _ in range(count) if (answer := channel.get("q")) is not None]


# -- publishing


def test_nothing_is_visible_before_the_commit(tx: Channel, channel: Channel) -> None:
    assert tx.publish("", "q", b"1") == 0
    tx.publish("", "q", b"2")
    assert ready(channel) == 0
    assert channel.get("q") is None
    tx.tx_commit()
    assert ready(channel) == 2


def test_a_commit_begins_the_next_transaction(tx: Channel) -> None:
    tx.publish("", "q", b"1")
    tx.tx_commit()
    tx.tx_commit()
    tx.publish("", "q", b"2")
    assert ready(tx) == 1
    tx.tx_rollback()
    assert ready(tx) == 1


def test_a_rollback_discards_publishes(tx: Channel) -> None:
    tx.publish("", "q", b"1")
    tx.tx_rollback()
    tx.tx_commit()
    assert ready(tx) == 0


def test_mandatory_messages_come_back_at_commit(connection: LocalConnection, tx: Channel) -> None:
    tx.publish("", "nowhere", b"1", mandatory=True)
    tx.publish("", "nowhere", b"2", Properties(headers={"a": 1}), mandatory=True)
    assert taken(connection) == []
    tx.tx_commit()
    returned = [item for item in taken(connection) if isinstance(item, Returned)]
    assert [(item.reply_code, item.message.body) for item in returned] == [
        (312, b"1"),
        (312, b"2"),
    ]


def test_errors_of_a_publish_come_at_once(tx: Channel) -> None:
    with pytest.raises(NotFound):
        tx.publish("missing", "", b"")
    with pytest.raises(PreconditionFailed, match="invalid expiration"):
        tx.publish("", "q", b"", Properties(expiration="abc"))
    with pytest.raises(PreconditionFailed, match="routing key"):
        tx.publish("", "k" * 256, b"")
    tx.tx_commit()
    assert ready(tx) == 0


def test_a_binding_made_before_the_commit_comes_too_late(tx: Channel, channel: Channel) -> None:
    tx.publish("amq.direct", "key", b"")
    channel.bind_queue("q", "amq.direct", "key")
    tx.tx_commit()
    assert ready(channel) == 0


def test_a_binding_removed_before_the_commit_still_counts(tx: Channel, channel: Channel) -> None:
    channel.bind_queue("q", "amq.direct", "key")
    tx.publish("amq.direct", "key", b"")
    channel.unbind_queue("q", "amq.direct", "key")
    tx.tx_commit()
    assert ready(channel) == 1


def test_a_queue_or_exchange_deleted_before_the_commit_is_no_error(
    connection: LocalConnection, tx: Channel, channel: Channel
) -> None:
    channel.declare_exchange("x", "fanout")
    channel.declare_queue("r")
    channel.bind_queue("q", "x")
    channel.bind_queue("r", "x")
    tx.publish("x", "", b"", mandatory=True)
    channel.delete_exchange("x")
    channel.delete_queue("r")
    tx.tx_commit()
    assert ready(channel) == 1
    assert taken(connection) == []
    tx.publish("", "q", b"")
    channel.delete_queue("q")
    channel.declare_queue("q")
    tx.tx_commit()
    assert ready(channel) == 0


def test_a_time_to_live_begins_at_the_commit(tx: Channel, clock: ManualClock) -> None:
    tx.publish("", "q", b"", Properties(expiration="1000"))
    clock.advance("5s")
    tx.tx_commit()
    assert ready(tx) == 1
    clock.advance("1s")
    assert ready(tx) == 0


def test_a_delayed_message_is_held_from_the_commit_on(tx: Channel, clock: ManualClock) -> None:
    tx.declare_exchange("later", "x-delayed-message", arguments={"x-delayed-type": "fanout"})
    tx.bind_queue("q", "later")
    carried = Properties(headers={"x-delay": 1000})
    tx.publish("later", "", b"1", carried)
    tx.tx_rollback()
    tx.publish("later", "", b"2", carried, mandatory=True)
    clock.advance("5s")
    assert ready(tx) == 0
    tx.tx_commit()
    clock.advance("999ms")
    assert ready(tx) == 0
    clock.advance("1ms")
    assert ready(tx) == 1


def test_a_commit_that_a_full_queue_refused_says_so(tx: Channel) -> None:
    tx.declare_queue("full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    for queue in ("full", "full", "q"):
        tx.publish("", queue, b"")
    with pytest.raises(PreconditionFailed) as caught:
        tx.tx_commit()
    assert str(caught.value) == "partial tx completion"
    assert (ready(tx, "full"), ready(tx)) == (1, 1)


# -- settling


def test_an_ack_takes_effect_at_the_commit(tx: Channel, connection: LocalConnection) -> None:
    other = connection.channel()
    other.publish("", "q", b"1")
    other.publish("", "q", b"2")
    first, second = tags(tx, 2)
    tx.ack(first)
    tx.ack(second)
    tx.tx_commit()
    tx.close()
    assert ready(other) == 0


def test_a_rollback_forgets_acks_so_the_messages_are_unacked_again(
    tx: Channel, channel: Channel
) -> None:
    channel.publish("", "q", b"1")
    channel.publish("", "q", b"2")
    first, second = tags(tx, 2)
    tx.ack(second)
    tx.ack(first)
    tx.tx_rollback()
    assert list(tx.unacked) == [first, second]
    tx.ack(second, multiple=True)
    tx.tx_commit()
    with pytest.raises(PreconditionFailed, match=f"unknown delivery tag {first}"):
        tx.ack(first)


@pytest.mark.parametrize("requeue", [True, False])
def test_a_nack_or_reject_takes_effect_at_the_commit(
    tx: Channel, channel: Channel, requeue: bool
) -> None:
    channel.publish("", "q", b"1")
    channel.publish("", "q", b"2")
    first, second = tags(tx, 2)
    tx.nack(first, requeue=requeue)
    tx.reject(second, requeue=requeue)
    assert ready(channel) == 0
    tx.tx_rollback()
    assert ready(channel) == 0
    tx.nack(second, multiple=True, requeue=requeue)
    tx.tx_commit()
    assert ready(channel) == (2 if requeue else 0)


def test_what_was_settled_within_a_transaction_cannot_be_settled_again(
    tx: Channel, channel: Channel
) -> None:
    for body in (b"1", b"2", b"3"):
        channel.publish("", "q", body)
    first, second, third = tags(tx, 3)
    tx.ack(first)
    with pytest.raises(PreconditionFailed, match=f"unknown delivery tag {first}"):
        tx.ack(first)
    tx.ack(third, multiple=True)
    with pytest.raises(PreconditionFailed, match=f"unknown delivery tag {second}"):
        tx.ack(second)
    with pytest.raises(PreconditionFailed, match="unknown delivery tag 99"):
        tx.ack(99)
    tx.tx_commit()
    assert tx.unacked == {}


def test_a_channel_that_ends_discards_its_transaction(tx: Channel, channel: Channel) -> None:
    channel.publish("", "q", b"1")
    (tag,) = tags(tx, 1)
    tx.ack(tag)
    tx.publish("", "q", b"2")
    tx.close()
    answer = channel.get("q", no_ack=True)
    assert answer is not None
    assert (answer.entry.message.body, answer.entry.redelivered) == (b"1", True)
    assert channel.get("q") is None


def test_recover_takes_effect_at_once_but_leaves_what_is_settled(
    tx: Channel, channel: Channel
) -> None:
    for body in (b"1", b"2"):
        channel.publish("", "q", body)
    first, _ = tags(tx, 2)
    tx.ack(first)
    tx.recover()
    assert ready(channel) == 1
    tx.tx_commit()
    answer = channel.get("q", no_ack=True)
    assert answer is not None
    assert (answer.entry.message.body, answer.entry.redelivered) == (b"2", True)
    assert channel.get("q") is None


@pytest.mark.parametrize("shared", [True, False])
def test_credit_comes_back_at_the_commit(
    connection: LocalConnection, tx: Channel, channel: Channel, shared: bool
) -> None:
    for body in (b"1", b"2"):
        channel.publish("", "q", body)
    tx.qos(1, global_=shared)
    tx.consume("q")
    assert delivered(connection) == [(b"1", False)]
    tx.ack(1)
    tx.vhost._check()
    assert delivered(connection) == []
    tx.tx_rollback()
    assert delivered(connection) == []
    tx.ack(1)
    tx.tx_commit()
    assert delivered(connection) == [(b"2", False)]


def test_a_shared_limit_set_within_a_transaction_counts_what_is_settled_but_not_committed(
    connection: LocalConnection, tx: Channel, channel: Channel
) -> None:
    for body in (b"1", b"2", b"3", b"4"):
        channel.publish("", "q", body)
    tx.qos(2)
    tx.consume("q")
    assert len(delivered(connection)) == 2
    tx.ack(2, multiple=True)
    tx.qos(2, global_=True)
    assert delivered(connection) == []
    tx.tx_commit()
    assert delivered(connection) == [(b"3", False), (b"4", False)]
    channel.publish("", "q", b"5")
    assert delivered(connection) == []


# -- modes


def test_commit_and_rollback_need_a_transactional_channel(channel: Channel) -> None:
    for method in (channel.tx_commit, channel.tx_rollback):
        with pytest.raises(PreconditionFailed) as caught:
            method()
        assert caught.value.reply_code == 406
        assert str(caught.value) == "channel is not transactional"


def test_a_second_tx_select_changes_nothing(tx: Channel) -> None:
    tx.publish("", "q", b"")
    tx.tx_select()
    tx.tx_commit()
    assert ready(tx) == 1
