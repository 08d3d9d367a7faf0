"""What a server asks of a broker; that it listens is tested with the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import ConnectionForced, NotAllowed
from minibroker.serving import Serves

if TYPE_CHECKING:
    from minibroker import Broker


def test_a_server_attaches_clients_to_a_virtual_host(broker: Broker) -> None:
    broker.add_vhost("v")
    connection = broker.attach("v", "bob")
    assert (connection.vhost.name, connection.user) == ("v", "bob")
    assert connection in broker.vhosts["v"].connections
    connection.close()
    with pytest.raises(NotAllowed, match="vhost w not found"):
        broker.attach("w", "bob")


def test_nobody_is_attached_to_a_closed_broker(broker: Broker) -> None:
    broker.close()
    with pytest.raises(ConnectionForced, match="the broker is closed"):
        broker.attach("/", "guest")


def test_an_impersonator_is_known_when_it_connects(broker: Broker) -> None:
    for name, tags in (("boss", ("impersonator",)), ("bob", ())):
        broker.add_user(name, tags)
        broker.set_permissions(name)
    assert broker.attach("/", "boss").impersonates
    assert not broker.attach("/", "bob").impersonates


def test_permissions_count_again_when_a_connection_is_refreshed(broker: Broker) -> None:
    broker.add_user("bob")
    broker.set_permissions("bob")
    connection = broker.attach("/", "bob")
    channel = connection.channel()
    channel.declare_queue("q", durable=True)
    channel.consume("q")
    broker.set_permissions("bob", read="x")
    assert channel.consumers
    broker.refresh(connection)
    assert not channel.consumers


def test_who_wants_to_know_is_called_once_when_the_broker_closes(broker: Broker) -> None:
    called: list[bool] = []
    broker.on_close(lambda: called.append(broker.closed))
    broker.close()
    broker.close()
    assert called == [False]


def test_the_host_is_what_all_virtual_hosts_share(broker: Broker) -> None:
    assert broker.host is broker.vhosts["/"].host


def test_the_class_alone_knows_no_rules() -> None:
    alone = Serves()
    with pytest.raises(NotImplementedError):
        alone._ensure_open()
    with pytest.raises(NotImplementedError):
        alone._admit("/", "guest")
