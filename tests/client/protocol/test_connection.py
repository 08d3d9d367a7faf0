from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker.errors import ConnectionForced as Forced
from minibroker.server import ServerSettings
from minibroker.wire.amqp import spec
from minibroker_client.exceptions import (
    AccessRefused,
    ChannelLimitExceeded,
    CommandInvalid,
    ConnectionForced,
    ConnectionLost,
    NotAllowed,
    RecoverableConnectionError,
    UnexpectedFrame,
)
from minibroker_client.protocol.connection import ProtocolConnection
from minibroker_client.protocol.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker_client.protocol.channel import ProtocolChannel

    from .pair import Pair


def test_the_handshake_agrees_on_limits(connect: Callable[..., Pair]) -> None:
    pair = connect(settings=ServerSettings(heartbeat=17, channel_max=5)).open()
    assert pair.client.heartbeat == 17
    assert pair.client.channel_max == 5
    assert pair.client.server_properties["product"]


@pytest.mark.parametrize(("wanted", "agreed"), [(0, 0), (5, 5), (2.5, 3)])
def test_the_client_chooses_the_heartbeat(
    connect: Callable[..., Pair], wanted: float, agreed: int
) -> None:
    pair = connect(heartbeat=wanted).open()
    assert pair.client.heartbeat in {agreed, round(wanted)}


@pytest.mark.parametrize("chunk", [1, 7])
def test_the_handshake_may_come_in_small_pieces(connect: Callable[..., Pair], chunk: int) -> None:
    pair = connect(chunk=chunk).open()
    assert pair.channel().declare_queue("q").queue == "q"


def test_a_refused_login_is_raised(connect: Callable[..., Pair]) -> None:
    with pytest.raises(AccessRefused, match="Login was refused"):
        connect(userid="guest", password="wrong").open()


def test_an_unknown_virtual_host_is_raised(connect: Callable[..., Pair]) -> None:
    with pytest.raises(NotAllowed, match="vhost x not found"):
        connect(virtual_host="x").open()


@pytest.mark.parametrize("method", ["AMQPLAIN", "PLAIN"])
def test_both_mechanisms_log_in(connect: Callable[..., Pair], method: str) -> None:
    pair = connect(options={"login_method": method}, userid="guest", password="guest").open()
    assert not pair.client.closed


def test_a_mechanism_that_is_not_offered_is_refused_here(connect: Callable[..., Pair]) -> None:
    with pytest.raises(AccessRefused, match="does not take login method EXTERNAL, but PLAIN"):
        connect(options={"login_method": "EXTERNAL"}).open()
    with pytest.raises(ValueError, match="login_method 'MAGIC'"):
        connect(options={"login_method": "MAGIC"})


def test_the_client_says_what_it_is(connect: Callable[..., Pair]) -> None:
    options = {"connection_name": "me", "client_properties": {"team": "blue"}}
    pair = connect(options=options).open()
    said = pair.server.client_properties
    assert said["connection_name"] == "me"
    assert said["team"] == "blue"
    assert said["product"] == "MiniBroker client"


def test_channels_have_numbers_that_are_used_again(connect: Callable[..., Pair]) -> None:
    pair = connect(settings=ServerSettings(channel_max=2)).open()
    first, second = pair.channel(), pair.channel()
    assert (first.channel_id, second.channel_id) == (1, 2)
    with pytest.raises(ChannelLimitExceeded, match="all 2 channels"):
        pair.channel()
    first.close()
    assert pair.channel().channel_id == 1


def test_closing_is_answered_and_ends_everything(pair: Pair, channel: ProtocolChannel) -> None:
    pair.perform(pair.client.close())
    assert pair.client.closed
    assert channel.closed
    assert channel.lost
    with pytest.raises(RecoverableConnectionError, match="connection is closed"):
        channel.declare_queue("q")
    with pytest.raises(RecoverableConnectionError, match="connection is closed"):
        pair.channel()


def test_the_broker_may_close_it(pair: Pair, channel: ProtocolChannel) -> None:
    pair.server.fail(Forced("shutdown"))
    pair.talk()
    with pytest.raises(ConnectionForced, match="shutdown"):
        channel.get("q")
    with pytest.raises(RecoverableConnectionError, match="connection is closed"):
        channel.get("q")


def test_who_waits_when_it_is_lost_is_told_why(pair: Pair, channel: ProtocolChannel) -> None:
    waiting = channel.request(spec.QueueDeclare("x"))
    pair.client.end(ConnectionLost("the cable"))
    pair.client.end(ConnectionLost("again"))
    with pytest.raises(ConnectionLost, match="cable"):
        waiting.result()
    with pytest.raises(RecoverableConnectionError, match="connection is closed"):
        pair.client.ensure_open()


def test_who_was_not_waiting_is_told_once(pair: Pair, channel: ProtocolChannel) -> None:
    pair.client.end(ConnectionLost("the cable"))
    with pytest.raises(ConnectionLost, match="cable"):
        pair.client.ensure_open()
    with pytest.raises(RecoverableConnectionError, match="connection is closed"):
        pair.client.ensure_open()
    pair.client.receive(b"anything")


def test_what_comes_for_a_channel_that_is_closed_is_ignored(pair: Pair) -> None:
    pair.client.method(9, spec.BasicAck(1))
    assert not pair.client.closed


@pytest.mark.parametrize("number", [0, 1])
def test_an_answer_that_nobody_waits_for_ends_the_connection(
    pair: Pair, channel: ProtocolChannel, number: int
) -> None:
    with pytest.raises(UnexpectedFrame, match="nobody waits for queue.purge-ok"):
        pair.client.method(number, spec.QueuePurgeOk())


def test_channel_flow_is_answered(pair: Pair, channel: ProtocolChannel) -> None:
    pair.client.method(1, spec.ChannelFlow(active=True))
    assert pair.client.size


def test_a_cancel_that_wants_an_answer_gets_it(pair: Pair, channel: ProtocolChannel) -> None:
    pair.client.take()
    pair.client.method(1, spec.BasicCancel("t", nowait=False))
    assert b"t" in pair.client.take()


def test_a_hard_error_names_the_method(pair: Pair, channel: ProtocolChannel) -> None:
    channel.consume("q", print, tag="t")
    with pytest.raises(NotAllowed) as caught:
        channel.consume("q", print, tag="t")
    assert caught.value.method == "basic.consume"
    assert pair.client.closed


def test_heartbeats_are_bytes(pair: Pair) -> None:
    assert pair.client.idle
    pair.client.beat()
    assert not pair.client.idle
    assert pair.client.take() == pair.client.heartbeat_frame()


def test_unblocking_is_done_when_nothing_is_blocked(pair: Pair) -> None:
    assert pair.client.unblocking().done


def test_a_returned_message_for_no_channel_is_dropped(pair: Pair) -> None:
    pair.client.returned(9, None)  # type: ignore[arg-type]  # nobody looks at it
    assert not pair.client.urgent


def test_a_broken_frame_ends_the_connection(pair: Pair, channel: ProtocolChannel) -> None:
    waiting = channel.request(spec.QueueDeclare("x"))
    pair.client.receive(b"\x00\x00\x00\x02\x92\x63\x00\xff\xff\xff\xff")
    pair.client.receive(b"\xff" * 20)
    assert pair.client.closed
    assert isinstance(waiting.error, Exception)
    assert not isinstance(waiting.error, CommandInvalid) or waiting.error.reply_code == 503


def test_what_is_bytes_is_for_the_subclass(pair: Pair) -> None:
    bare: Any = ProtocolConnection(pair.address, pair)
    for call in (
        lambda: bare.encode(1, spec.BasicQos()), bare.heartbeat_frame, bare.settle,
        lambda: bare.receive(b""), lambda: bare.new_channel(1, None),
    ):  # fmt: skip
        with pytest.raises(NotImplementedError):
            call()
    bare.handed_out(5)
    assert isinstance(bare.opened, Pending)
