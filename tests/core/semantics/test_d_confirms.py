"""Publisher confirms (61 to 65)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from minibroker import Properties
from minibroker.errors import PreconditionFailed
from minibroker.events import Confirmed, Returned
from minibroker.queues import Entry

if TYPE_CHECKING:
    from minibroker.channel import Channel
    from minibroker.fields import Table
    from minibroker.local import LocalConnection


def taken(connection: LocalConnection) -> list[object]:
    """All that lies in the outbox, which is empty then."""
    items: list[object] = list(connection.outbox)
    connection.outbox.clear()
    return items


def confirms(connection: LocalConnection) -> list[tuple[int, bool]]:
    """The confirms in the outbox: sequence numbers, and whether ack or nack."""
    return [(item.tag, item.ok) for item in taken(connection) if isinstance(item, Confirmed)]


@pytest.mark.semantics(61, 65)
def test_confirms_count_every_publish_from_confirm_select_on(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q")
    assert channel.publish("", "q", b"before") == 0
    channel.confirm_select()
    numbers = [
        channel.publish("", "q", b"1"),
        channel.publish("", "nowhere", b"2"),
        channel.publish("amq.fanout", "", b"3"),
        channel.publish("", "q", b"4", Properties(expiration="1000", headers={"a": 1})),
    ]
    assert numbers == [1, 2, 3, 4]
    assert confirms(connection) == [(1, True), (2, True), (3, True), (4, True)]


@pytest.mark.semantics(61)
def test_a_second_confirm_select_is_harmless(connection: LocalConnection, channel: Channel) -> None:
    channel.confirm_select()
    channel.publish("", "q", b"")
    channel.confirm_select()
    assert channel.publish("", "q", b"") == 2
    assert confirms(connection) == [(1, True), (2, True)]


@pytest.mark.semantics(61)
def test_each_channel_counts_its_own_confirms(connection: LocalConnection) -> None:
    first, second, plain = (connection.channel() for _ in range(3))
    first.confirm_select()
    second.confirm_select()
    assert [first.publish("", "q", b""), first.publish("", "q", b"")] == [1, 2]
    assert second.publish("", "q", b"") == 1
    assert plain.publish("", "q", b"") == 0
    items = taken(connection)
    assert [(item.channel, item.tag) for item in items if isinstance(item, Confirmed)] == [
        (first, 1),
        (first, 2),
        (second, 1),
    ]


@pytest.mark.semantics(61)
def test_a_channel_has_confirms_or_transactions_but_not_both(
    connection: LocalConnection,
) -> None:
    confirming, transacting = connection.channel(), connection.channel()
    confirming.confirm_select()
    with pytest.raises(PreconditionFailed) as caught:
        confirming.tx_select()
    assert str(caught.value) == "cannot switch from confirm to tx mode"
    transacting.tx_select()
    with pytest.raises(PreconditionFailed) as caught:
        transacting.confirm_select()
    assert str(caught.value) == "cannot switch from tx to confirm mode"


@pytest.mark.semantics(62)
def test_a_transient_message_is_confirmed_when_it_is_enqueued(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("transient")
    channel.declare_queue("durable", durable=True)
    channel.confirm_select()
    channel.publish("", "durable", b"", Properties(delivery_mode=1))
    assert confirms(connection) == [(1, True)]
    channel.publish("", "transient", b"", Properties(delivery_mode=2))
    assert confirms(connection) == [(2, True)]
    assert channel.declare_queue("durable", passive=True).message_count == 1


@pytest.mark.semantics(62)
def test_a_confirm_comes_behind_the_delivery_that_it_follows(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q")
    channel.consume("q", no_ack=True)
    channel.confirm_select()
    channel.publish("", "q", b"")
    delivery, confirm = taken(connection)
    assert isinstance(delivery, Entry)
    assert isinstance(confirm, Confirmed)


@pytest.mark.semantics(63)
def test_an_unroutable_mandatory_message_is_returned_before_it_is_confirmed(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.confirm_select()
    carried = Properties(message_id="7", timestamp=datetime(2026, 11, 23, tzinfo=UTC))
    channel.publish("amq.topic", "a.b", b"body", carried, mandatory=True)
    returned, confirmed = taken(connection)
    assert isinstance(returned, Returned)
    assert (returned.channel, returned.reply_code, returned.reply_text) == (
        channel,
        312,
        "NO_ROUTE",
    )
    message = returned.message
    assert (message.exchange, message.routing_key, message.body) == ("amq.topic", "a.b", b"body")
    assert message.properties == carried
    assert confirmed == Confirmed(channel, 1, multiple=False, ok=True)


@pytest.mark.semantics(63)
def test_an_unroutable_message_is_just_confirmed_when_it_is_not_mandatory(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.confirm_select()
    channel.publish("", "nowhere", b"")
    assert taken(connection) == [Confirmed(channel, 1, multiple=False, ok=True)]


@pytest.mark.semantics(63, 67)
def test_without_confirms_a_mandatory_message_is_returned_alone(
    connection: LocalConnection, channel: Channel
) -> None:
    assert channel.publish("", "nowhere", b"", mandatory=True) == 0
    (returned,) = taken(connection)
    assert isinstance(returned, Returned)


@pytest.mark.semantics(64)
def test_a_full_queue_that_rejects_publishes_gives_a_nack_though_others_accepted(
    connection: LocalConnection, channel: Channel
) -> None:
    full: Table = {"x-max-length": 1, "x-overflow": "reject-publish"}
    channel.declare_queue("full", arguments=full)
    channel.declare_queue("open")
    for queue in ("full", "open"):
        channel.bind_queue(queue, "amq.fanout")
    channel.confirm_select()
    channel.publish("amq.fanout", "", b"1")
    channel.publish("amq.fanout", "", b"2")
    channel.publish("", "open", b"3")
    assert confirms(connection) == [(1, True), (2, False), (3, True)]
    assert channel.declare_queue("full", passive=True).message_count == 1
    assert channel.declare_queue("open", passive=True).message_count == 3


@pytest.mark.semantics(64)
def test_messages_that_drop_head_drops_are_confirmed(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q", arguments={"x-max-length": 1})
    channel.confirm_select()
    for body in (b"1", b"2", b"3"):
        channel.publish("", "q", body)
    assert confirms(connection) == [(1, True), (2, True), (3, True)]
    answer = channel.get("q")
    assert answer is not None
    assert answer.entry.message.body == b"3"


@pytest.mark.semantics(64)
def test_a_publish_to_a_queue_that_was_deleted_is_confirmed(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q")
    channel.confirm_select()
    channel.publish("", "q", b"")
    channel.delete_queue("q")
    channel.publish("", "q", b"")
    assert confirms(connection) == [(1, True), (2, True)]


@pytest.mark.semantics(65)
def test_a_nack_for_one_queue_does_not_hold_up_confirms_of_others(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("full", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    channel.declare_queue("open")
    channel.confirm_select()
    for queue in ("open", "full", "open", "full"):
        channel.publish("", queue, b"")
    # None is coalesced, so none says anything about another one.
    assert taken(connection) == [
        Confirmed(channel, 1, multiple=False, ok=True),
        Confirmed(channel, 2, multiple=False, ok=False),
        Confirmed(channel, 3, multiple=False, ok=True),
        Confirmed(channel, 4, multiple=False, ok=False),
    ]
