"""Virtual hosts, users and policies of a broker, and what is said of those that there are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import AccessRefused, ConnectionForced, NotAllowed, PreconditionFailed
from minibroker.events import Cancelled

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


def test_a_user_logs_in_with_the_password_it_was_given_last(broker: Broker) -> None:
    broker.add_user("ada", password="first")
    assert broker.users.verify("ada", b"first")
    broker.add_user("ada", tags=["administrator"])
    assert broker.users.verify("ada", b"first")
    broker.change_password("ada", "second")
    assert not broker.users.verify("ada", b"first")
    assert broker.users.verify("ada", b"second")
    broker.change_password("ada", None)
    assert not broker.users.verify("ada", b"second")


def test_passwords_are_salted(broker: Broker) -> None:
    broker.add_user("ada", password="same")
    broker.add_user("bob", password="same")
    assert broker.users.get("ada").password != broker.users.get("bob").password


def test_a_name_that_no_client_could_send_is_refused(broker: Broker) -> None:
    with pytest.raises(PreconditionFailed, match="virtual host name 'üüü"):
        broker.add_vhost("ü" * 128)
    with pytest.raises(PreconditionFailed, match="user name 'uuu"):
        broker.add_user("u" * 256)
    assert list(broker.vhosts) == ["/"]


def test_a_user_needs_a_name_and_a_password_characters(broker: Broker) -> None:
    with pytest.raises(ValueError, match="name must not be empty"):
        broker.add_user("")
    with pytest.raises(ValueError, match="password must not be empty"):
        broker.add_user("ada", password="")
    with pytest.raises(KeyError, match="no user 'ada'"):
        broker.change_password("ada", "x")
    assert not broker.users.by_name


def test_the_connections_of_a_user_end_with_it(broker: Broker) -> None:
    for name in ("ada", "bob"):
        broker.add_user(name)
        broker.set_permissions(name)
    ada, bob = broker.connect(user="ada"), broker.connect(user="bob")
    broker.delete_user("ada")
    assert (ada.closed, bob.closed) == (True, False)
    assert str(ada.ended_by()) == "user 'ada' is deleted"
    with pytest.raises(NotAllowed, match="refused for user 'ada'"):
        broker.connect(user="ada")
    with pytest.raises(KeyError, match="no user 'ada'"):
        broker.delete_user("ada")


def test_permissions_that_are_cleared_let_nobody_in_from_now_on(broker: Broker) -> None:
    broker.add_user("ada")
    broker.set_permissions("ada")
    connection = broker.connect(user="ada")
    broker.clear_permissions("ada")
    assert not connection.closed
    with pytest.raises(NotAllowed, match="access to vhost '/' refused"):
        broker.connect(user="ada")
    broker.clear_permissions("ada")
    with pytest.raises(KeyError, match="no user 'bob'"):
        broker.clear_permissions("bob")


def test_a_connection_that_is_refreshed_loses_what_it_may_not_read_any_more(
    broker: Broker,
) -> None:
    broker.add_user("ada")
    broker.set_permissions("ada")
    connection = broker.connect(user="ada")
    channel = connection.channel()
    for name in ("kept", "lost"):
        channel.declare_queue(name)
        channel.consume(name, tag=name)
    broker.set_permissions("ada", read="^kept$")
    broker.refresh(connection)
    event = connection.drain(0)
    assert isinstance(event, Cancelled)
    assert event.consumer_tag == "lost"
    with pytest.raises(AccessRefused, match="read access to queue 'lost'"):
        channel.consume("lost")
    broker.clear_permissions("ada")
    with pytest.raises(NotAllowed):
        broker.refresh(connection)
