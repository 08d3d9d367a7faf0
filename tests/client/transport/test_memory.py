from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from minibroker import Broker, ManualClock
from minibroker_client import exceptions
from minibroker_client.transport.base import Address, Listener
from minibroker_client.transport.memory import MemoryChannel, MemoryConnection, brokers, transport

if TYPE_CHECKING:
    from minibroker_client.transport.base import Returned


def ignore(_: Any) -> None:
    pass


def connect(broker: Broker, **options: Any) -> MemoryConnection:
    return transport.connect(Address("memory", broker=broker, options=options))


def open_channel(connection: MemoryConnection) -> MemoryChannel:
    return connection.channel(Listener(ignore, ignore))


def test_a_named_broker_is_shared_and_gone_when_its_last_connection_closes() -> None:
    one, two = (transport.connect(Address("memory", hostname="shared")) for _ in range(2))
    other = transport.connect(Address("memory"))
    assert brokers.names() == ["", "shared"]
    channel = open_channel(one)
    channel.declare_queue("q")
    assert open_channel(two).declare_queue("q", passive=True) == ("q", 0, 0)
    with pytest.raises(exceptions.NotFound):
        open_channel(other).declare_queue("q", passive=True)
    for connection in (one, one, two, other):
        connection.close()
    assert brokers.names() == []
    again = transport.connect(Address("memory", hostname="shared"))
    with pytest.raises(exceptions.NotFound):
        open_channel(again).declare_queue("q", passive=True)
    again.close()


def test_a_failed_connection_does_not_keep_a_named_broker() -> None:
    with pytest.raises(exceptions.NotAllowed, match=r"connection.open: \(530\).*vhost x"):
        transport.connect(Address("memory", hostname="shared", virtual_host="x"))
    assert brokers.names() == []


def test_a_given_broker_stays_open(broker: Broker) -> None:
    connect(broker).close()
    assert not broker.closed


def test_a_closed_broker_cannot_be_connected_to() -> None:
    broker = Broker(clock=ManualClock())
    broker.close()
    with pytest.raises(exceptions.ConnectionForced, match="the broker is closed"):
        connect(broker)


def test_a_broker_that_closes_takes_its_connections_along() -> None:
    broker = Broker(clock=ManualClock())
    connection = connect(broker)
    channel = open_channel(connection)
    broker.close()
    assert connection.closed
    with pytest.raises(exceptions.RecoverableConnectionError, match="connection is closed"):
        channel.publish("", "q", b"", channel.properties({}))
    with pytest.raises(exceptions.RecoverableConnectionError):
        connection.drain(0)
    connection.close()


def test_the_virtual_host_and_the_user_are_the_brokers(broker: Broker) -> None:
    broker.add_vhost("other")
    broker.add_user("me")
    broker.set_permissions("me", "other")
    address = Address("memory", userid="me", virtual_host="other", broker=broker)
    connection = transport.connect(address)
    assert (connection.inner.user, connection.inner.vhost.name) == ("me", "other")
    connection.close()
    with pytest.raises(exceptions.NotAllowed):
        connect(broker)


@pytest.mark.semantics(87)
def test_a_channel_that_the_broker_closes_raises_why_from_drain(
    broker: Broker, clock: ManualClock
) -> None:
    connection = connect(broker)
    channel = open_channel(connection)
    channel.declare_queue("q")
    channel.publish("", "q", b"", channel.properties({}))
    assert channel.get("q") is not None
    clock.advance("61m")
    with pytest.raises(exceptions.PreconditionFailed, match="timed out"):
        connection.drain(0)
    assert channel.closed
    assert not connection.closed
    connection.close()


def test_a_publisher_that_has_to_wait_too_long_gets_publisher_blocked() -> None:
    told: list[str] = []
    with Broker(clock=ManualClock(), memory_limit=100) as broker:
        connection = connect(
            broker, on_blocked=told.append, on_unblocked=lambda: told.append("unblocked")
        )
        channel = open_channel(connection)
        channel.declare_queue("q")
        plain = channel.properties({})
        channel.publish("", "q", bytes(200), plain)
        with pytest.raises(exceptions.PublisherBlocked, match="low on memory"):
            channel.publish("", "q", b"", plain, timeout=0)
        assert not channel.closed
        connection.drain(0)
        channel.purge_queue("q")
        connection.drain(0)
        assert told == ["low on memory", "unblocked"]
        connection.close()


def test_nobody_has_to_listen_to_blocked() -> None:
    with Broker(clock=ManualClock(), memory_limit=100) as broker:
        connection = connect(broker)
        channel = open_channel(connection)
        channel.declare_queue("q")
        channel.publish("", "q", bytes(200), channel.properties({}))
        channel.purge_queue("q")
        connection.drain(0)
        connection.drain(0)
        connection.close()


def test_what_comes_for_a_closed_channel_is_dropped(broker: Broker) -> None:
    connection = connect(broker)
    returned: list[Returned] = []
    channel = connection.channel(Listener(returned.append, ignore))
    channel.publish("", "nowhere", b"", channel.properties({}), mandatory=True)
    channel.close()
    connection.drain(0)
    assert returned == []
    connection.close()


def test_waiting_for_a_confirm_ends_with_its_timeout(broker: Broker) -> None:
    connection = connect(broker)
    channel = open_channel(connection)
    channel.confirms.published(1)
    with pytest.raises(TimeoutError):
        channel.confirmed(1, timeout=0)
    connection.close()


def test_a_timestamp_may_be_seconds(broker: Broker) -> None:
    connection = connect(broker)
    channel = open_channel(connection)
    when = datetime(2026, 11, 24, tzinfo=UTC)
    assert channel.properties({"timestamp": int(when.timestamp())}).timestamp == when
    assert channel.properties({"timestamp": when}).timestamp == when
    connection.close()
