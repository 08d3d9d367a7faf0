"""Whose a queue is (33, 34)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker import Broker
from minibroker.errors import (
    PreconditionFailed,
    ResourceLocked,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.channel import Channel
    from minibroker.errors import AMQPError
    from minibroker.local import LocalConnection


def refusal(call: Callable[[], object], error: type[AMQPError] = PreconditionFailed) -> str:
    """The words of the error; of exactly this class."""
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    return str(caught.value)


def locked(queue: str) -> str:
    return (
        f"cannot obtain exclusive access to locked queue '{queue}' in vhost '/'. It could be "
        "originally declared on another connection or the exclusive property value does not "
        "match that of the original declaration."
    )


@pytest.mark.semantics(33)
def test_an_exclusive_queue_is_never_durable_whatever_was_asked_for(
    broker: Broker, connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q", durable=True, exclusive=True)
    channel.declare_queue("q", durable=False, exclusive=True)
    channel.declare_queue("q", durable=True, exclusive=True)
    assert not broker.vhosts["/"].queues["q"].declaration.lasting
    channel.declare_queue("p", durable=True)
    assert broker.vhosts["/"].queues["p"].declaration.lasting
    connection.close()
    assert list(broker.vhosts["/"].queues) == ["p"]


@pytest.mark.semantics(33)
def test_an_exclusive_queue_declared_again_is_compared_but_for_durable(channel: Channel) -> None:
    channel.declare_queue("q", exclusive=True)
    assert refusal(lambda: channel.declare_queue("q", exclusive=True, auto_delete=True)) == (
        "inequivalent arg 'auto_delete' for queue 'q' in vhost '/': "
        "received 'true' but current is 'false'"
    )
    assert refusal(lambda: channel.declare_queue("q"), ResourceLocked) == locked("q")


@pytest.mark.semantics(34)
def test_an_exclusive_queue_is_locked_for_other_connections(
    broker: Broker, channel: Channel
) -> None:
    channel.declare_queue("q", exclusive=True)
    channel.bind_queue("q", "amq.direct", "k")
    other = broker.connect().channel()
    calls: list[Callable[[], object]] = [
        lambda: other.declare_queue("q", exclusive=True),
        lambda: other.declare_queue("q"),
        lambda: other.declare_queue("q", durable=True, auto_delete=True),
        lambda: other.declare_queue("q", passive=True),
        lambda: other.consume("q"),
        lambda: other.get("q"),
        lambda: other.purge_queue("q"),
        lambda: other.delete_queue("q"),
        lambda: other.bind_queue("q", "amq.direct", "other"),
        lambda: other.bind_queue("q", "amq.direct", "k"),
        lambda: other.unbind_queue("q", "amq.direct", "k"),
    ]
    for call in calls:
        assert refusal(call, ResourceLocked) == locked("q")
    channel.publish("amq.direct", "k", b"")
    assert channel.declare_queue("q", passive=True).message_count == 1


@pytest.mark.semantics(34)
def test_anybody_may_publish_to_an_exclusive_queue(broker: Broker, channel: Channel) -> None:
    channel.declare_queue("q", exclusive=True)
    broker.connect().channel().publish("", "q", b"from elsewhere")
    answer = channel.get("q")
    assert answer is not None
    assert answer.entry.message.body == b"from elsewhere"


@pytest.mark.semantics(34)
def test_another_channel_of_the_same_connection_is_not_locked_out(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q", exclusive=True)
    other = connection.channel()
    channel.close()
    assert other.declare_queue("q", passive=True) == ("q", 0, 0)
    assert other.declare_queue("q", exclusive=True) == ("q", 0, 0)
    other.bind_queue("q", "amq.direct", "k")
    assert other.get("q") is None
    assert other.delete_queue("q") == 0


@pytest.mark.semantics(34, 37)
def test_unbinding_what_is_not_bound_asks_not_whose_queue_it_is(
    broker: Broker, channel: Channel
) -> None:
    channel.declare_queue("q", exclusive=True)
    channel.bind_queue("q", "amq.direct", "k", {"n": 1})
    other = broker.connect().channel()
    other.unbind_queue("q", "amq.direct", "other")
    other.unbind_queue("q", "amq.direct", "k")
    other.unbind_queue("q", "amq.topic", "k", {"n": 1})
    assert refusal(
        lambda: other.unbind_queue("q", "amq.direct", "k", {"n": 1}), ResourceLocked
    ) == locked("q")
