"""The order of a handshake, and how long it may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.server.amqp.states import CLOSED
from minibroker.wire.amqp import spec

from ..pair import Client, frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock
    from minibroker.wire.amqp.spec import MethodRecord


@pytest.mark.parametrize("steps", range(4))
def test_each_step_may_come_only_when_it_is_its_turn(broker: Broker, steps: int) -> None:
    in_order: list[MethodRecord] = [
        Client(broker).start_ok(),
        spec.ConnectionTuneOk(2047, 131_072, 0),
        spec.ConnectionOpen("/"),
    ]
    names = ["starting", "tuning", "opening", "running"]
    for wrong in (*in_order[:steps], *in_order[steps + 1 :]):
        client = Client(broker)
        client.greet()
        for method in in_order[:steps]:
            client.send(0, method)
        close = client.ask(0, wrong, spec.ConnectionClose)
        assert close.reply_code == 504
        assert close.reply_text == (
            f"CHANNEL_ERROR - unexpected method in connection state {names[steps]}"
        )


@pytest.mark.parametrize("steps", range(3))
def test_nothing_but_the_handshake_may_come_before_it_is_done(broker: Broker, steps: int) -> None:
    sent: list[MethodRecord] = [
        Client(broker).start_ok(),
        spec.ConnectionTuneOk(2047, 131_072, 0),
    ]
    for channel, method in ((1, spec.ChannelOpen()), (0, spec.QueueDeclare("q"))):
        client = Client(broker)
        client.greet()
        for each in sent[:steps]:
            client.send(0, each)
        assert client.send(channel, method)[0].method.reply_code == 504  # type: ignore[attr-defined]  # a close
    assert broker.vhosts["/"].queues == {}


@pytest.mark.semantics(2)
@pytest.mark.parametrize("steps", range(5))
def test_a_handshake_that_takes_longer_than_ten_seconds_is_dropped(
    broker: Broker, clock: ManualClock, steps: int
) -> None:
    client = Client(broker)
    doing: list[Callable[[], object]] = [
        lambda: client.feed(b"AMQ"),
        lambda: client.feed(b"P\x00\x00\x09\x01"),
        lambda: client.send(0, client.start_ok()),
        lambda: client.send(0, spec.ConnectionTuneOk(2047, 131_072, 0)),
    ]
    for step in doing[:steps]:
        clock.advance(2)
        step()
    clock.advance(10 - 2 * steps - 0.001)
    assert not client.server.aborted
    clock.advance(0.001)
    assert client.server.aborted
    assert client.outlet.events[-1][1]["reason"] == "the handshake took too long"
    assert client.outlet.woken_times


@pytest.mark.semantics(2)
def test_who_has_finished_the_handshake_may_stay(broker: Broker, clock: ManualClock) -> None:
    client = Client(broker).open()
    clock.advance("1h")
    assert not client.server.ending


@pytest.mark.semantics(2)
def test_a_slow_client_is_not_helped_by_sending_something_each_second(
    broker: Broker, clock: ManualClock
) -> None:
    client = Client(broker)
    client.greet()
    for byte in frame(1, 0, bytes(3000))[:10]:
        clock.advance(1)
        client.server.receive(bytes((byte,)))
    assert client.server.aborted


def test_a_client_that_is_gone_during_the_handshake_leaves_nothing(
    broker: Broker, clock: ManualClock
) -> None:
    client = Client(broker)
    client.login()
    client.server.lost()
    clock.advance("1m")
    assert client.server.state is CLOSED
    assert broker.next_deadline() is None


def test_a_client_may_close_during_the_handshake(broker: Broker) -> None:
    client = Client(broker)
    client.login()
    client.ask(0, spec.ConnectionClose(200, "bye"), spec.ConnectionCloseOk)
    assert client.server.ending
