"""How many there may be (46)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker import Broker
from minibroker.errors import NotAllowed, PreconditionFailed
from minibroker.limits import Limits

if TYPE_CHECKING:
    from minibroker.channel import Channel


def test_without_a_limit_there_may_be_any_number(broker: Broker, channel: Channel) -> None:
    assert Limits() == Limits(queues=None, exchanges=None, connections=None)
    for number in range(100):
        broker.connect()
        channel.declare_queue(f"q{number}")
        channel.declare_exchange(f"x{number}")


@pytest.mark.semantics(46)
def test_a_virtual_host_may_limit_its_queues(broker: Broker, channel: Channel) -> None:
    broker.add_vhost("v")
    broker.set_limits("v", queues=1)
    limited = broker.connect("v").channel()
    limited.declare_queue("p")
    with pytest.raises(PreconditionFailed) as caught:
        limited.declare_queue("q")
    assert str(caught.value) == (
        "cannot declare queue 'q': queue limit in vhost 'v' (1) is reached"
    )
    with pytest.raises(PreconditionFailed, match=r"cannot declare queue 'amq\.gen-"):
        limited.declare_queue()
    assert limited.declare_queue("p").queue == "p"
    channel.declare_queue("p")
    channel.declare_queue("q")
    limited.delete_queue("p")
    limited.declare_queue("q")
    broker.set_limits("v")
    limited.declare_queue("p")


@pytest.mark.semantics(46)
def test_the_broker_may_limit_the_queues_of_all_virtual_hosts(
    broker: Broker, channel: Channel
) -> None:
    broker.add_vhost("v")
    broker.set_limits(None, queues=2)
    other = broker.connect("v").channel()
    channel.declare_queue("a")
    other.declare_queue("b")
    for each in (channel, other):
        with pytest.raises(PreconditionFailed) as caught:
            each.declare_queue("c")
        assert str(caught.value) == (
            "cannot declare queue 'c': queue limit in cluster (2) is reached"
        )
    channel.declare_queue("a")
    other.declare_queue("b")


@pytest.mark.semantics(46)
@pytest.mark.parametrize("vhost", ["/", None])
def test_exchanges_may_be_limited(broker: Broker, channel: Channel, vhost: str | None) -> None:
    there = len(broker.vhosts["/"].exchanges)
    broker.set_limits(vhost, exchanges=there + 1)
    channel.declare_exchange("x")
    with pytest.raises(PreconditionFailed) as caught:
        channel.declare_exchange("y")
    assert str(caught.value) == (
        f"cannot declare exchange 'y' in vhost '/': exchange limit of {there + 1} is reached"
    )
    channel.declare_exchange("x")
    channel.declare_exchange("amq.direct", durable=True)
    channel.delete_exchange("x")
    channel.declare_exchange("y")


@pytest.mark.semantics(46)
def test_connections_may_be_limited_for_a_virtual_host(broker: Broker) -> None:
    broker.set_limits(connections=1)
    broker.add_vhost("v")
    first = broker.connect()
    broker.connect("v")
    with pytest.raises(NotAllowed) as caught:
        broker.connect()
    assert str(caught.value) == (
        "access to vhost '/' refused for user 'guest': connection limit (1) is reached"
    )
    first.close()
    broker.connect()


@pytest.mark.semantics(46)
def test_connections_may_be_limited_for_the_whole_broker(broker: Broker) -> None:
    broker.set_limits(None, connections=2)
    broker.add_vhost("v")
    broker.connect()
    last = broker.connect("v")
    for vhost in ("/", "v"):
        with pytest.raises(NotAllowed) as caught:
            broker.connect(vhost)
        assert str(caught.value) == "connection refused: node connection limit (2) is reached"
    last.close()
    broker.connect()


@pytest.mark.semantics(46)
def test_connections_may_be_limited_for_a_user(broker: Broker) -> None:
    broker.add_vhost("v")
    for name, limit in (("ann", 1), ("bob", None)):
        broker.add_user(name, connections=limit)
        for vhost in ("/", "v"):
            broker.set_permissions(name, vhost)
    broker.connect(user="ann")
    for _ in range(3):
        broker.connect(user="bob")
    with pytest.raises(NotAllowed) as caught:
        broker.connect("v", user="ann")
    assert str(caught.value) == (
        "connection refused for user 'ann': user connection limit (1) is reached"
    )


@pytest.mark.semantics(46)
def test_what_is_there_when_a_limit_is_set_stays(broker: Broker, channel: Channel) -> None:
    channel.declare_queue("q")
    broker.set_limits(queues=0, exchanges=0, connections=0)
    assert channel.declare_queue("q").queue == "q"
    with pytest.raises(PreconditionFailed, match=r"\(0\) is reached"):
        channel.declare_queue("p")
    with pytest.raises(NotAllowed, match=r"\(0\) is reached"):
        broker.connect()
