from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker_client import Queue
from minibroker_client.exceptions import ChannelLimitExceeded, ConnectionLimitExceeded

if TYPE_CHECKING:
    from minibroker_client import Connection


def test_connections_come_from_the_pool_and_go_back(connection: Connection) -> None:
    with connection.Pool(limit=1) as pool:
        with pool.acquire() as one:
            assert one is not connection
            assert not one.connected
            Queue("q")(one).declare()
            with pytest.raises(ConnectionLimitExceeded):
                pool.acquire()
        assert one.connected
        two = pool.acquire()
        assert two is one
        two.close()
        assert two.connected
    assert not one.connected


def test_a_connection_that_an_error_went_through_is_not_used_again(
    connection: Connection,
) -> None:
    with connection.Pool(limit=1) as pool:
        one = pool.acquire().connect()
        with pytest.raises(KeyError), one:
            raise KeyError
        assert not one.connected
        assert pool.acquire() is not one


def test_a_channel_can_be_had_with_its_connection(connection: Connection) -> None:
    with connection.Pool(limit=1) as pool:
        with pool.acquire_channel(block=True) as (one, channel):
            assert channel is one.default_channel
        assert pool.acquire() is one


def test_channels_come_from_the_pool_and_go_back(connection: Connection) -> None:
    pool = connection.ChannelPool(limit=1)
    channel = pool.acquire()
    with pytest.raises(ChannelLimitExceeded):
        pool.acquire()
    channel.release()
    assert not channel.closed
    assert pool.acquire() is channel
    pool.force_close_all()
    assert channel.closed


def test_a_channel_that_was_closed_is_replaced(connection: Connection) -> None:
    pool = connection.ChannelPool(limit=1)
    channel = pool.acquire()
    channel.close()
    channel.release()
    again = pool.acquire()
    assert again is not channel
    assert not again.closed
