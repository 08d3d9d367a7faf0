"""Heartbeats: when one is sent, and how long a silent client is waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker import ManualClock
from minibroker.server.amqp.heartbeats import Heartbeats
from minibroker.timers import Timers
from minibroker.wire.amqp import spec
from minibroker.wire.amqp.constants import HEARTBEAT_FRAME

from ..pair import Client

if TYPE_CHECKING:
    from minibroker import Broker

TEN = 10
"""The interval of these tests, in seconds."""


class Beating:
    """Heartbeats, and what they did."""

    def __init__(self) -> None:
        self.timers = Timers()
        self.sent: list[int] = []
        self.gone: list[int] = []
        self.now = 0
        self.heartbeats = Heartbeats(
            self.timers, lambda: self.sent.append(self.now), lambda: self.gone.append(self.now)
        )

    def advance(self, milliseconds: int) -> None:
        """Time passes."""
        end = self.now + milliseconds
        while (due := self.timers.next) is not None and due <= end:
            self.now = due
            self.timers.run_due(due)
        self.now = end


@pytest.mark.semantics(9)
def test_a_heartbeat_is_sent_whenever_nothing_went_out_for_half_an_interval() -> None:
    beating = Beating()
    beating.heartbeats.start(0, TEN)
    beating.advance(15_000)
    assert beating.sent == [5_000, 10_000, 15_000]
    beating.heartbeats.sent = True
    beating.advance(10_000)
    assert beating.sent[3:] == [25_000]


@pytest.mark.semantics(9)
def test_two_silent_intervals_end_it_and_one_does_not() -> None:
    beating = Beating()
    beating.heartbeats.start(0, TEN)
    beating.heartbeats.heard = True
    beating.advance(29_999)  # heard in the first interval, silent in the second one
    assert beating.gone == []
    beating.heartbeats.heard = True
    beating.advance(20_001)
    assert beating.gone == [50_000]


@pytest.mark.semantics(9)
def test_who_is_never_heard_is_given_up_after_two_intervals() -> None:
    beating = Beating()
    beating.heartbeats.start(0, TEN)
    beating.advance(19_999)
    assert beating.gone == []
    beating.advance(1)
    assert beating.gone == [20_000]


@pytest.mark.semantics(17)
def test_a_client_from_which_nothing_is_read_is_not_given_up() -> None:
    beating = Beating()
    beating.heartbeats.start(0, TEN)
    beating.heartbeats.excused = True
    beating.advance(100_000)
    assert beating.gone == []
    beating.heartbeats.excused = False
    beating.advance(20_000)
    assert beating.gone == [120_000]


@pytest.mark.semantics(9)
def test_an_interval_of_0_is_no_heartbeats() -> None:
    beating = Beating()
    beating.heartbeats.start(0, 0)
    assert beating.timers.next is None


def test_nothing_happens_after_the_end() -> None:
    beating = Beating()
    beating.heartbeats.start(0, TEN)
    beating.heartbeats.stop()
    beating.advance(100_000)
    assert (beating.sent, beating.gone) == ([], [])


# -- on a connection


@pytest.mark.semantics(9)
def test_a_connection_that_says_nothing_beats(broker: Broker, clock: ManualClock) -> None:
    client = Client(broker).open(1, heartbeat=TEN)
    client.raw()
    woken = client.outlet.woken_times
    clock.advance(5)  # what was said during the handshake counts
    assert client.raw() == b""
    clock.advance(5)
    assert client.outlet.woken_times > woken
    assert client.raw() == HEARTBEAT_FRAME
    clock.advance(5)
    assert client.raw() == b""  # a heartbeat went out


@pytest.mark.semantics(9)
def test_anything_that_comes_keeps_a_connection_alive(broker: Broker, clock: ManualClock) -> None:
    client = Client(broker).open(1, heartbeat=TEN)
    for _ in range(10):
        clock.advance(19)
        client.feed(HEARTBEAT_FRAME[:1])
        client.feed(HEARTBEAT_FRAME[1:])
    client.declare(1, "q")
    clock.advance(30)
    assert client.server.aborted
    assert client.outlet.events[-1][1]["reason"] == "missed heartbeats"


@pytest.mark.semantics(9)
def test_a_dead_client_gives_back_what_it_had(broker: Broker, clock: ManualClock) -> None:
    dead, other = Client(broker).open(1, heartbeat=TEN), Client(broker).open(1)
    dead.declare(1, "mine", exclusive=True, durable=False)
    dead.declare(1, "q")
    dead.publish(1, b"m", key="q")
    dead.send(1, spec.BasicGet("q"))
    clock.advance(40)
    assert "mine" not in broker.vhosts["/"].queues
    (got,) = other.send(1, spec.BasicGet("q"))
    assert got.body == b"m"


@pytest.mark.semantics(9)
def test_without_heartbeats_a_silent_client_stays(broker: Broker, clock: ManualClock) -> None:
    client = Client(broker).open(1)
    clock.advance("10m")
    client.declare(1, "q")
    assert client.frames.heartbeats == 0
