from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker_client.exceptions import NotFound

if TYPE_CHECKING:
    from minibroker_client import Channel, Connection


def test_what_is_declared_is_recorded_and_what_is_undone_forgotten(
    connection: Connection, channel: Channel
) -> None:
    topology = connection.topology
    channel.declare_exchange("a", "topic")
    channel.declare_exchange("b", "fanout", auto_delete=True)
    channel.declare_queue("q", arguments={"x-max-length": 5})
    channel.bind_queue("q", "a", "k")
    channel.bind_exchange("b", "a", "k")
    assert topology.exchanges["b"]["auto_delete"] is True
    assert topology.queues["q"]["arguments"] == {"x-max-length": 5}
    assert len(topology.bindings) == 2
    channel.unbind_queue("q", "a", "k")
    channel.unbind_exchange("b", "a", "k")
    assert not topology.bindings
    channel.delete_queue("q")
    channel.delete_exchange("a")
    assert (list(topology.queues), list(topology.exchanges)) == ([], ["b"])


def test_what_is_only_looked_at_is_not_recorded(connection: Connection, channel: Channel) -> None:
    channel.declare_exchange("amq.topic", "topic", passive=True)
    with pytest.raises(NotFound):
        channel.declare_queue("q", passive=True)
    assert not connection.topology.exchanges
    assert not connection.topology.queues


def test_a_binding_of_the_queue_declared_last_is_not_recorded(
    connection: Connection, channel: Channel
) -> None:
    channel.declare_queue("q")
    channel.bind_queue("", "amq.topic", "k")
    assert not connection.topology.bindings
    assert channel.purge_queue("q") == 0


def test_closing_the_connection_forgets_everything(connection: Connection) -> None:
    connection.default_channel.declare_queue("q")
    connection.close()
    assert not connection.topology.queues
