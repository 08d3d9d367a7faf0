"""A connection in the process. Waiting in other threads: `test_threads`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import ConnectionForced
from minibroker.events import Returned
from minibroker.queues import Entry

if TYPE_CHECKING:
    from minibroker import Broker
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection


def test_what_is_there_is_handed_out_in_order(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q")
    channel.consume("q")
    channel.publish("", "q", b"1")
    channel.publish("", "nowhere", b"2", mandatory=True)
    first, second = connection.drain(), connection.drain()
    assert isinstance(first, Entry)
    assert first.message.body == b"1"
    assert isinstance(second, Returned)


def test_nothing_within_the_timeout_is_a_timeout_error(connection: LocalConnection) -> None:
    with pytest.raises(TimeoutError, match="nothing arrived within 0 seconds"):
        connection.drain(0)
    assert connection.wake is None


def test_a_closed_connection_says_so(connection: LocalConnection) -> None:
    connection.close()
    with pytest.raises(ConnectionForced, match="the connection is closed"):
        connection.drain()


def test_leaving_the_block_closes_it(broker: Broker) -> None:
    with broker.connect() as connection:
        channel = connection.channel()
    assert connection.closed
    assert channel.closed
    connection.close()
