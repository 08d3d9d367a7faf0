from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import Connection
from minibroker_client.exceptions import MessageNacked, MessageReturned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minibroker import Broker


@pytest.fixture(params=["memory", "amqp", "minibroker"])
def windowed(request: pytest.FixtureRequest, broker: Broker) -> Iterator[Connection]:
    """A connection whose channels may have four publishes unconfirmed."""
    options = {"confirm_publish": True, "confirm_window": 4}
    if request.param == "memory":
        with Connection(broker, transport_options=options) as connection:
            yield connection
        return
    with broker.listen() as server:
        url = server.url if request.param == "amqp" else server.native_url
        with Connection(url, transport_options=options) as connection:
            yield connection


def test_a_window_bounds_what_is_unconfirmed(windowed: Connection) -> None:
    channel = windowed.default_channel
    channel.declare_queue("q")
    for _ in range(20):
        channel.publish("", "q", b"x")
        assert channel.raw.unconfirmed < 4
    windowed.wait_for_confirms(timeout=20)
    assert channel.raw.unconfirmed == 0
    assert channel.declare_queue("q", passive=True).message_count == 20


def test_a_refused_message_is_raised_by_a_later_call(windowed: Connection) -> None:
    channel = windowed.default_channel
    channel.declare_queue("q", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    channel.publish("", "q", b"1")
    channel.publish("", "q", b"2")
    with pytest.raises(MessageNacked, match="refused 1 messages"):
        channel.wait_for_confirms(timeout=20)
    channel.wait_for_confirms(timeout=20)


def test_a_message_that_comes_back_is_raised_by_a_later_call(windowed: Connection) -> None:
    channel = windowed.default_channel
    channel.publish("", "nowhere", b"x", mandatory=True)
    with pytest.raises(MessageReturned, match="nowhere"):
        channel.wait_for_confirms(timeout=20)


def test_with_a_time_for_the_confirm_a_message_is_waited_for_all_the_same(
    windowed: Connection,
) -> None:
    channel = windowed.default_channel
    channel.declare_queue("q")
    channel.publish("", "q", b"x", confirm_timeout=20)
    assert channel.raw.unconfirmed == 0
    told: list[Any] = []
    channel.events["basic_return"].add(lambda *what: told.append(what))
    channel.publish("", "nowhere", b"x", mandatory=True, confirm_timeout=20)
    assert told[0][2] == "nowhere"


def test_without_confirms_there_is_nothing_to_wait_for(broker: Broker) -> None:
    with Connection(broker) as connection:
        connection.default_channel.declare_queue("q")
        connection.default_channel.publish("", "q", b"x")
        connection.wait_for_confirms()
