from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client.bridge.mqtt import transport
from minibroker_client.transport.base import Listener

from ..conftest import SECONDS
from .conftest import Roomy, Stranger, address, address_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker_client.bridge import BridgeLink

    MakeLink = Callable[..., BridgeLink]

NOBODY = Listener(lambda _: None, lambda _: None)


def test_it_drains_until_nothing_comes(down: MakeLink, stranger: Stranger) -> None:
    connection = transport.connect(address_of(down(), "from"))
    inbox: list[Any] = []
    connection.channel(NOBODY).consume("s/#", inbox.append)
    stranger.publish("s/1", b"1", b"2")
    while len(inbox) < 2:
        connection.drain(SECONDS)
    assert [each.message.body for each in inbox] == [b"1", b"2"]
    with pytest.raises(TimeoutError, match="nothing came"):
        connection.drain(0)
    connection.heartbeat_check()
    connection.close()
    connection.close()
    assert connection.closed


def test_a_target_has_a_channel_that_confirms(up: MakeLink) -> None:
    connection = transport.connect(address_of(up(), "to"))
    channel = connection.channel(NOBODY)
    channel.confirm_select()
    channel.declare_exchange("amq.topic", passive=True)
    number = channel.publish("", "a", b"x", channel.properties({}))
    channel.wait_for_answers(0, SECONDS)
    assert channel.answer(number)
    connection.close()
    assert channel.closed


def test_nobody_but_a_link_connects(mosquitto: Roomy) -> None:
    for use in (transport.connect, transport.check):
        with pytest.raises(ValueError, match="is an end of a bridge only"):
            use(address(mosquitto.url))
