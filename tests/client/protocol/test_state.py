from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.wire.amqp.spec import QueueDeclare, QueueDeclareOk
from minibroker_client.exceptions import NotFound, RecoverableConnectionError
from minibroker_client.protocol.state import name_of

if TYPE_CHECKING:
    from minibroker_client.protocol.channel import ProtocolChannel

    from .pair import Pair


def test_a_method_has_its_name_in_amqp() -> None:
    assert name_of(QueueDeclareOk()) == "queue.declare-ok"


def test_closing_twice_does_nothing(pair: Pair, channel: ProtocolChannel) -> None:
    channel.close()
    channel.close()
    assert channel.closed
    assert pair.client.channels == {}
    with pytest.raises(RecoverableConnectionError, match="the channel is closed"):
        channel.declare_queue("q")


def test_an_error_nobody_waits_for_is_raised_by_draining(
    pair: Pair, channel: ProtocolChannel
) -> None:
    pair.publish(channel, b"x", exchange="nowhere")
    with pytest.raises(NotFound):
        pair.drain()
    assert channel.closed
    with pytest.raises(RecoverableConnectionError):
        channel.get("q")
    assert pair.drain() == []


def test_an_error_that_was_raised_by_a_call_is_not_raised_again(
    pair: Pair, channel: ProtocolChannel
) -> None:
    pair.publish(channel, b"x", exchange="nowhere")
    pair.talk()
    with pytest.raises(NotFound):
        channel.get("q")
    assert pair.drain() == []


def test_closing_a_channel_that_the_broker_closed_forgets_its_error(
    pair: Pair, channel: ProtocolChannel
) -> None:
    pair.publish(channel, b"x", exchange="nowhere")
    pair.talk()
    channel.close()
    assert pair.drain() == []


def test_both_sides_may_close_at_the_same_time(pair: Pair, channel: ProtocolChannel) -> None:
    pair.publish(channel, b"x", exchange="nowhere")
    channel.close()
    assert channel.closed
    assert pair.channel().declare_queue("q").queue == "q"


def test_several_that_wait_are_told_who_ended_it_and_that_it_ended(
    pair: Pair, channel: ProtocolChannel
) -> None:
    first = channel.request(_declare("nowhere"))
    second = channel.request(_declare("q"))
    pair.talk()
    with pytest.raises(NotFound):
        first.result()
    with pytest.raises(RecoverableConnectionError, match="queue.declare"):
        second.result()


def _declare(name: str) -> QueueDeclare:
    return QueueDeclare(name, passive=True)
