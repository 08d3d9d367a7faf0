"""The alternate exchange (52)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker import Broker, Properties
from minibroker.errors import NotFound, PreconditionFailed
from minibroker.events import Returned

if TYPE_CHECKING:
    from minibroker import Message
    from minibroker.channel import Channel
    from minibroker.fields import FieldValue
    from minibroker.local import LocalConnection

REPLY = "amq.rabbitmq.reply-to"


def make(channel: Channel, *queues: str) -> None:
    for queue in queues:
        channel.declare_queue(queue)


def taken(channel: Channel, queue: str) -> list[Message]:
    """All that is ready in a queue, which is empty then."""
    messages = []
    while (answer := channel.get(queue, no_ack=True)) is not None:
        messages.append(answer.entry.message)
    return messages


def reached(channel: Channel, exchange: str, key: str, **properties: FieldValue) -> list[str]:
    """The queues that a message reaches, one name per copy."""
    names = sorted(channel.vhost.queues)
    channel.publish(exchange, key, b"", Properties(**properties))  # type: ignore[arg-type]  # by name
    return [name for name in names for _ in taken(channel, name)]


def returned(connection: LocalConnection) -> list[str]:
    """The routing keys of the messages that came back."""
    items = list(connection.outbox)
    connection.outbox.clear()
    return [item.message.routing_key for item in items if isinstance(item, Returned)]


@pytest.fixture
def alternate(channel: Channel) -> Channel:
    """A direct exchange `x`, its alternate `ae`, and the queue `spare` bound to that."""
    make(channel, "spare", "q")
    channel.declare_exchange("ae", "fanout")
    channel.declare_exchange("x", arguments={"alternate-exchange": "ae"})
    channel.bind_queue("spare", "ae")
    return channel


@pytest.mark.semantics(52)
def test_the_alternate_exchange_gets_what_matched_no_binding(alternate: Channel) -> None:
    alternate.bind_queue("q", "x", "k")
    assert reached(alternate, "x", "k") == ["q"]
    assert reached(alternate, "x", "other") == ["spare"]
    alternate.unbind_queue("q", "x", "k")
    assert reached(alternate, "x", "k") == ["spare"]
    alternate.publish("x", "k", b"")
    (message,) = taken(alternate, "spare")
    assert message.exchange == "x"
    assert message.routing_key == "k"


@pytest.mark.semantics(52)
def test_a_binding_that_leads_nowhere_still_counts_as_one(
    connection: LocalConnection, alternate: Channel
) -> None:
    alternate.declare_exchange("nowhere", "fanout")
    alternate.bind_exchange("nowhere", "x", "k")
    assert reached(alternate, "x", "k") == []
    alternate.publish("x", "k", b"", mandatory=True)
    assert returned(connection) == ["k"]
    assert reached(alternate, "x", "other") == ["spare"]


@pytest.mark.semantics(52)
def test_one_key_that_matches_is_enough_to_leave_the_alternate_out(alternate: Channel) -> None:
    alternate.bind_queue("q", "x", "k")
    assert reached(alternate, "x", "other", headers={"CC": ["k"]}) == ["q"]
    assert reached(alternate, "x", "other", headers={"CC": ["another"]}) == ["spare"]


@pytest.mark.semantics(52)
def test_alternates_of_alternates_are_tried_in_turn(alternate: Channel) -> None:
    for name, following in (("1", "2"), ("2", "3"), ("3", "x"), ("4", "4")):
        alternate.declare_exchange(name, arguments={"alternate-exchange": following})
    assert reached(alternate, "1", "k") == ["spare"]
    alternate.bind_queue("q", "3", "k")
    assert reached(alternate, "1", "k") == ["q"]
    assert reached(alternate, "4", "k") == []


@pytest.mark.semantics(52)
def test_exchanges_that_a_message_comes_to_have_their_own_alternates(alternate: Channel) -> None:
    alternate.declare_exchange("entry", "fanout")
    alternate.bind_exchange("x", "entry")
    alternate.bind_queue("q", "entry")
    assert reached(alternate, "entry", "k") == ["q", "spare"]


@pytest.mark.semantics(52)
def test_what_has_no_alternate_exchange_is_dropped_until_there_is_one(
    connection: LocalConnection, alternate: Channel
) -> None:
    alternate.delete_exchange("ae")
    assert reached(alternate, "x", "k") == []
    alternate.publish("x", "k", b"", mandatory=True)
    assert returned(connection) == ["k"]
    alternate.declare_exchange("ae", "fanout")
    alternate.bind_queue("spare", "ae")
    assert reached(alternate, "x", "k") == ["spare"]


@pytest.mark.semantics(52)
def test_a_mandatory_message_that_the_alternate_takes_does_not_come_back(
    connection: LocalConnection, alternate: Channel
) -> None:
    alternate.publish("x", "k", b"", mandatory=True)
    assert returned(connection) == []
    alternate.unbind_queue("spare", "ae")
    alternate.publish("x", "k", b"", mandatory=True)
    assert returned(connection) == ["k"]


@pytest.mark.semantics(52)
def test_an_alternate_exchange_by_policy_is_used_where_no_argument_names_one(
    broker: Broker, alternate: Channel
) -> None:
    alternate.declare_exchange("y")
    broker.set_policy("p", "^[xy]$", {"alternate-exchange": "amq.fanout"}, apply_to="exchanges")
    alternate.bind_queue("q", "amq.fanout")
    assert reached(alternate, "y", "k") == ["q"]
    assert reached(alternate, "x", "k") == ["spare"]
    broker.delete_policy("p")
    assert reached(alternate, "y", "k") == []


@pytest.mark.semantics(52)
def test_an_alternate_exchange_is_named_by_a_string(channel: Channel) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        channel.declare_exchange("x", arguments={"alternate-exchange": 5})
    assert str(caught.value) == (
        "invalid type 'signedint' for arg 'alternate-exchange' in exchange 'x' in vhost '/'"
    )
    with pytest.raises(NotFound):
        channel.declare_exchange("x", passive=True)
