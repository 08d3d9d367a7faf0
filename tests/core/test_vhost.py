"""What a virtual host keeps, and that it lets go of what is deleted."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from minibroker import Broker, ManualClock, Properties
from minibroker.errors import ConnectionForced, NotAllowed, NotFound
from minibroker.events import Cancelled
from minibroker.exchanges import Exchange

if TYPE_CHECKING:
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection

DELAYED = {"x-delayed-type": "fanout"}


def ready(channel: Channel, queue: str) -> int:
    return channel.declare_queue(queue, passive=True).message_count


def alive(name: str) -> int:
    """How many exchanges of that name are in memory."""
    gc.collect()
    return sum(isinstance(each, Exchange) and each.name == name for each in gc.get_objects())


# -- bindings


@pytest.mark.parametrize("kind", ["direct", "x-delayed-message"])
@pytest.mark.parametrize("end", ["unbind", "delete"])
def test_an_exchange_that_is_gone_is_not_kept_by_what_it_was_bound_to(
    channel: Channel, kind: str, end: str
) -> None:
    channel.declare_queue("q")
    channel.declare_exchange("x", "fanout")
    for _ in range(3):
        channel.declare_exchange("short", kind, auto_delete=True, arguments=DELAYED)
        channel.bind_queue("q", "short", "1")
        channel.bind_queue("q", "short", "2")
        channel.bind_exchange("x", "short", "1")
        if end == "unbind":
            channel.unbind_queue("q", "short", "1")
            channel.unbind_queue("q", "short", "2")
            channel.unbind_exchange("x", "short", "1")
        else:
            channel.delete_exchange("short")
    with pytest.raises(NotFound):
        channel.declare_exchange("short", passive=True)
    assert alive("short") == 0


def test_one_of_two_bindings_to_a_queue_still_ends_with_the_queue(
    broker: Broker, channel: Channel
) -> None:
    channel.declare_queue("q")
    channel.bind_queue("q", "amq.direct", "1")
    channel.bind_queue("q", "amq.direct", "2")
    channel.unbind_queue("q", "amq.direct", "1")
    channel.delete_queue("q")
    assert not broker.vhosts["/"].exchanges["amq.direct"].is_bound


def test_a_queue_declared_anew_has_no_bindings_of_its_namesake(channel: Channel) -> None:
    channel.declare_queue("q")
    channel.bind_queue("q", "amq.fanout")
    channel.publish("amq.fanout", "", b"")
    channel.delete_queue("q")
    channel.declare_queue("q")
    channel.publish("amq.fanout", "", b"")
    assert ready(channel, "q") == 0
    channel.publish("", "q", b"")
    assert ready(channel, "q") == 1


def test_deleting_an_exchange_ends_bindings_to_it_as_well(channel: Channel) -> None:
    channel.declare_queue("q")
    channel.declare_exchange("x", "fanout")
    channel.bind_exchange("x", "amq.direct", "k")
    channel.bind_queue("q", "x")
    channel.publish("amq.direct", "k", b"")
    channel.delete_exchange("x")
    channel.declare_exchange("x", "fanout")
    channel.bind_queue("q", "x")
    channel.publish("amq.direct", "k", b"")
    assert ready(channel, "q") == 1


def test_an_exchange_bound_to_itself_is_deleted_like_any_other(channel: Channel) -> None:
    channel.declare_exchange("x", "fanout", auto_delete=True)
    channel.bind_exchange("x", "x")
    channel.delete_exchange("x")
    with pytest.raises(NotFound):
        channel.declare_exchange("x", passive=True)
    assert alive("x") == 0


# -- queues


def test_consumers_of_a_queue_that_goes_away_are_told_and_forgotten(
    broker: Broker, connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q")
    tags = [channel.consume("q"), connection.channel().consume("q")]
    broker.connect().channel().delete_queue("q")
    events = [connection.drain(0) for _ in tags]
    assert [each.consumer_tag for each in events if isinstance(each, Cancelled)] == tags
    assert all(not each.consumers for each in connection.channels)


def test_an_exclusive_queue_goes_with_its_connection_and_is_forgotten_before(
    broker: Broker, connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q", exclusive=True)
    channel.declare_queue("p", exclusive=True)
    channel.delete_queue("p")
    assert list(connection.exclusive) == ["q"]
    connection.close()
    other = broker.connect().channel()
    with pytest.raises(NotFound):
        other.declare_queue("q", passive=True)
    other.declare_queue("p")
    assert ready(other, "p") == 0


# -- held messages


def test_a_message_held_for_later_goes_to_the_queues_that_are_bound_by_then(
    channel: Channel, clock: ManualClock
) -> None:
    for queue in ("a", "b", "cc"):
        channel.declare_queue(queue)
    channel.declare_exchange("x", "x-delayed-message", arguments={"x-delayed-type": "direct"})
    channel.bind_queue("a", "x", "k")
    channel.bind_queue("cc", "x", "cc")
    channel.publish("x", "k", b"", Properties(headers={"x-delay": 1000, "CC": ["cc"]}))
    channel.unbind_queue("a", "x", "k")
    channel.bind_queue("b", "x", "k")
    clock.advance("999ms")
    assert [ready(channel, queue) for queue in ("a", "b", "cc")] == [0, 0, 0]
    clock.advance("1ms")
    assert [ready(channel, queue) for queue in ("a", "b", "cc")] == [0, 1, 1]


# -- policies


def test_a_policy_applies_to_what_is_there_and_to_what_comes(
    broker: Broker, channel: Channel, clock: ManualClock
) -> None:
    channel.declare_queue("old")
    broker.set_policy("p", ".*", {"message-ttl": 1000}, apply_to="queues")
    channel.declare_queue("new")
    for queue in ("old", "new"):
        channel.publish("", queue, b"")
    clock.advance(1)
    assert [ready(channel, queue) for queue in ("old", "new")] == [0, 0]
    broker.delete_policy("p")
    for queue in ("old", "new"):
        channel.publish("", queue, b"")
    clock.advance(1)
    assert [ready(channel, queue) for queue in ("old", "new")] == [1, 1]


# -- the end


def test_a_virtual_host_that_is_deleted_takes_everything_along(broker: Broker) -> None:
    broker.add_vhost("v")
    connection = broker.connect("v")
    channel = connection.channel()
    channel.declare_exchange("mine", "x-delayed-message", arguments=DELAYED)
    channel.declare_queue("q", exclusive=True)
    channel.declare_queue("p", arguments={"x-expires": 1000})
    channel.bind_queue("p", "mine")
    channel.publish("mine", "", b"", Properties(headers={"x-delay": 1000}))
    channel.consume("q")
    broker.delete_vhost("v")
    assert connection.closed
    assert "v" not in broker.vhosts
    assert broker.next_deadline() is None
    with pytest.raises(ConnectionForced):
        connection.channel()
    with pytest.raises(NotAllowed, match="vhost v not found"):
        broker.connect("v")
    broker.add_vhost("v")
    assert "mine" not in broker.vhosts["v"].exchanges
    assert not broker.vhosts["v"].queues
