"""Virtual hosts, users and policies of a broker, and what is said of those that there are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import AccessRefused, ConnectionForced, NotAllowed

if TYPE_CHECKING:
    from minibroker import Broker


def test_a_virtual_host_is_made_once_and_deleted_with_its_connections(broker: Broker) -> None:
    broker.add_vhost("test")
    made = broker.vhosts["test"]
    broker.add_vhost("test")
    assert broker.vhosts["test"] is made
    connection = broker.connect("test")
    connection.channel().declare_queue("q")
    broker.delete_vhost("test")
    assert connection.closed
    with pytest.raises(NotAllowed, match="vhost test not found"):
        broker.connect("test")


def test_what_is_not_there_is_named(broker: Broker) -> None:
    with pytest.raises(KeyError, match="no vhost 'x'"):
        broker.delete_vhost("x")
    with pytest.raises(KeyError, match="no vhost 'x'"):
        broker.set_limits("x", queues=1)
    with pytest.raises(KeyError, match="no vhost 'x'"):
        broker.set_policy("p", ".*", {"max-length": 1}, vhost="x")
    with pytest.raises(KeyError, match="no user 'ada'"):
        broker.set_permissions("ada")
    broker.add_user("ada")
    with pytest.raises(KeyError, match="no vhost 'x'"):
        broker.set_permissions("ada", "x")
    assert broker.delete_policy("p") is False


def test_permissions_count_for_connections_from_now_on(broker: Broker) -> None:
    broker.add_user("ada", tags=["administrator"])
    with pytest.raises(NotAllowed, match="refused for user 'ada'"):
        broker.connect(user="ada")
    broker.set_permissions("ada", configure="^mine")
    channel = broker.connect(user="ada").channel()
    channel.declare_queue("mine")
    with pytest.raises(AccessRefused, match="'other'"):
        channel.declare_queue("other")


def test_a_policy_applies_at_once_until_it_is_deleted(broker: Broker) -> None:
    channel = broker.connect().channel()
    channel.declare_queue("q")
    for number in range(3):
        channel.publish("", "q", b"%d" % number)
    broker.set_policy("short", "^q$", {"max-length": 1}, operator=True)
    assert channel.declare_queue("q", passive=True).message_count == 1
    assert broker.delete_policy("short", operator=True) is True
    channel.publish("", "q", b"3")
    assert channel.declare_queue("q", passive=True).message_count == 2


def test_a_closed_broker_gets_no_virtual_host_any_more(broker: Broker) -> None:
    broker.close()
    with pytest.raises(ConnectionForced, match="the broker is closed"):
        broker.add_vhost("late")
