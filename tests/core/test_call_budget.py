"""Python calls per message, counted: unlike seconds they do not depend on the machine."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

import pytest

from minibroker import Properties
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

    from minibroker import Broker
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection

WARM = 3
"""Messages before counting: routes are remembered, and timeouts watched, from then on."""
COUNTED = 10
"""Messages counted: no budget is one of averages."""


def calls(function: Callable[[], None]) -> list[str]:
    """The names of the Python functions that `function` calls, without its own."""
    names: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            names.append(frame.f_code.co_qualname)

    before = sys.getprofile()
    gc.disable()  # what other tests left behind may call when it is collected
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(before)
        gc.enable()
    return names[1:]


def round_trip(
    channel: Channel, connection: LocalConnection, exchange: str, key: str
) -> Callable[[], None]:
    """Publish one message, and drain and ack its delivery."""
    properties = Properties(content_type="text/plain", delivery_mode=2)

    def run() -> None:
        channel.publish(exchange, key, b"x", properties)
        entry = connection.drain(0)
        assert isinstance(entry, Entry)
        channel.ack(entry.tag)

    return run


def budget_holds(run: Callable[[], None], budget: int) -> None:
    for _ in range(WARM):
        run()
    for _ in range(COUNTED):
        names = calls(run)
        assert len(names) <= budget, "\n".join(names)


@pytest.mark.parametrize("prefetch", [0, 1, 10])
@pytest.mark.parametrize("durable", [False, True])
def test_publish_deliver_ack_takes_nine_python_calls(
    channel: Channel, connection: LocalConnection, prefetch: int, durable: bool
) -> None:
    channel.qos(prefetch)
    channel.declare_queue("jobs", durable=durable)
    channel.consume("jobs")
    budget_holds(round_trip(channel, connection, "", "jobs"), 9)


@pytest.mark.parametrize(("exchange", "key"), [("amq.direct", "k"), ("amq.topic", "a.b.c")])
def test_the_type_of_the_exchange_costs_no_calls_on_repeated_keys(
    channel: Channel, connection: LocalConnection, exchange: str, key: str
) -> None:
    channel.declare_queue("jobs")
    channel.bind_queue("jobs", exchange, key)
    channel.consume("jobs")
    budget_holds(round_trip(channel, connection, exchange, key), 9)


@pytest.mark.parametrize("copies", [1, 2, 5, 20])
def test_each_further_queue_of_a_fanout_takes_four_more_calls(
    channel: Channel, connection: LocalConnection, copies: int
) -> None:
    for number in range(copies):
        channel.declare_queue(f"q{number}")
        channel.bind_queue(f"q{number}", "amq.fanout")
        channel.consume(f"q{number}")
    take = connection.outbox.popleft  # without a call each, as the client's transport does it

    def run() -> None:
        channel.publish("amq.fanout", "", b"x")
        while connection.outbox:
            entry = take()
            assert isinstance(entry, Entry)
            channel.ack(entry.tag)

    budget_holds(run, 9 + 4 * (copies - 1))


def test_a_message_that_waits_in_its_queue_keeps_to_the_budget(
    broker: Broker, channel: Channel
) -> None:
    taker = broker.connect()
    takers = taker.channel()
    channel.declare_queue("jobs")
    takers.qos(1)
    takers.consume("jobs")
    channel.publish("", "jobs", b"first")
    held = [taker.drain(0)]

    def run() -> None:
        channel.publish("", "jobs", b"x")
        entry = held.pop()
        assert isinstance(entry, Entry)
        takers.ack(entry.tag)
        held.append(taker.drain(0))

    budget_holds(run, 9)


@pytest.mark.parametrize("prefetch", [0, 1, 10])
@pytest.mark.parametrize("confirms", [False, True])
def test_a_log_costs_six_calls_more_and_a_confirm_one(
    make_broker: Callable[..., Broker], tmp_path: Path, prefetch: int, confirms: bool
) -> None:
    broker = make_broker(data=tmp_path)
    connection = broker.connect()
    channel = connection.channel()
    channel.declare_queue("jobs", durable=True)
    channel.qos(prefetch)
    channel.consume("jobs")
    if confirms:
        channel.confirm_select()
    budget_holds(round_trip(channel, connection, "", "jobs"), 9 + 6 + confirms)


def test_a_commit_takes_no_call_for_each_message(
    make_broker: Callable[..., Broker], tmp_path: Path
) -> None:
    broker = make_broker(data=tmp_path)
    channel = broker.connect().channel()
    channel.declare_queue("jobs", durable=True)
    properties = Properties(delivery_mode=2)

    def commit(messages: int) -> int:
        for _ in range(messages):
            channel.publish("", "jobs", b"x", properties)
        return len(calls(broker.sync))

    commit(1)
    assert commit(200) == commit(20)
