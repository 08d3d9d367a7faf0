from __future__ import annotations

import pytest

from minibroker_client.buffering import AbsentChannel, AbsentConnection
from minibroker_client.exceptions import LeaseLost, RecoverableConnectionError


def test_declarations_and_consumers_are_taken_for_later() -> None:
    channel = AbsentConnection().channel(None)
    channel.declare_exchange("e", "topic", durable=True)
    assert channel.declare_queue("q", durable=True) == ("q", 0, 0)
    channel.bind_queue("q", "e", "k")
    channel.qos(5)
    channel.confirm_select()
    assert channel.consume("q", print, tag="t") == "t"
    assert channel.consume("q", print).startswith("ctag-")
    channel.cancel("t")
    assert channel.wait_for_confirms() == []
    assert channel.answer(1) is None
    channel.close()
    assert (channel.closed, channel.lost, channel.unconfirmed) == (False, True, 0)


def test_what_needs_the_broker_is_refused() -> None:
    channel = AbsentChannel()
    for call in (
        channel.declare_queue, lambda: channel.declare_queue("q", passive=True),
        lambda: channel.declare_exchange("e", passive=True), lambda: channel.get("q"),
        lambda: channel.publish("", "q", b"", None), channel.tx_commit, lambda: channel.ack(1),
        channel.recover, lambda: channel.confirmed(1),
    ):  # fmt: skip
        with pytest.raises(RecoverableConnectionError, match="away"):
            call()


def test_acks_of_lost_deliveries_are_told_so() -> None:
    lost = AbsentChannel()
    lost.highest_tag = 5
    channel = AbsentChannel()
    channel.go_on_from(lost)  # type: ignore[arg-type]  # as much of one as is asked for
    with pytest.raises(LeaseLost):
        channel.ack(5)
    with pytest.raises(RecoverableConnectionError):
        channel.ack(6)


def test_properties_are_records() -> None:
    assert AbsentChannel().properties({"type": "x"}).type == "x"
