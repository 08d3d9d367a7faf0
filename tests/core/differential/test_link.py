"""A connection without opinions."""

from __future__ import annotations

import socket
from time import monotonic

import pytest

from minibroker.differential.address import Address
from minibroker.differential.link import CannotConnect, Incoming, Link
from minibroker.differential.typed import encode_properties
from minibroker.wire.amqp import spec


def soon() -> float:
    return monotonic() + 10


def call(link: Link, method: spec.MethodRecord, channel: int = 1) -> Incoming:
    link.send(channel, method)
    (incoming,) = link.receive(soon())
    return incoming


def test_methods_go_out_and_come_in(link: Link) -> None:
    assert call(link, spec.ChannelOpen()) == (1, spec.ChannelOpenOk(), b"", b"")
    assert call(link, spec.QueueDeclare("q")).method == spec.QueueDeclareOk("q")


@pytest.mark.parametrize("size", [0, 1, 500_000])
def test_content_comes_whole(link: Link, size: int) -> None:
    call(link, spec.ChannelOpen())
    call(link, spec.QueueDeclare("q"))
    properties = encode_properties({"priority": 3})
    link.publish(1, spec.BasicPublish("", "q"), properties, b"x" * size)
    incoming = call(link, spec.BasicGet("q", no_ack=True))
    assert isinstance(incoming.method, spec.BasicGetOk)
    assert (incoming.properties, incoming.body) == (properties, b"x" * size)


def test_the_end_is_told_once(link: Link) -> None:
    assert call(link, spec.ChannelFlow(), channel=5).method == spec.ConnectionClose(
        504, "CHANNEL_ERROR - expected 'channel.open'", 20, 20
    )
    assert call(link, spec.ConnectionCloseOk(), channel=0) == (0, None, b"", b"")
    assert link.over
    assert link.receive(soon()) == []
    link.close()
    link.send(0, spec.ConnectionCloseOk())


def test_who_waits_too_long_gets_nothing(link: Link) -> None:
    assert link.receive(monotonic() + 0.01) == []
    assert link.receive(monotonic() - 1) == []


def test_nobody_there_and_nobody_let_in_cannot_connect(address: Address) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(CannotConnect, match="refused"):
            Link(address._replace(port=nobody.getsockname()[1]))
    with pytest.raises(CannotConnect, match="Login was refused"):
        Link(address._replace(password="wrong"))
    with pytest.raises(CannotConnect, match="vhost none not found"):
        Link(address._replace(vhost="none"))


def test_who_says_nothing_cannot_be_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minibroker.differential.link.TIMEOUT", 0.05)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(CannotConnect, match="no answer"),
    ):
        Link(Address("127.0.0.1", silent.getsockname()[1], "guest", "guest", "/"))
