"""Bytes of a ready message beyond its body: 400 at most, measured by tracemalloc."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from minibroker import Properties

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker
    from minibroker.channel import Channel

MESSAGES = 20_000
BODY = 100
LIMIT = 400


def overhead(
    publish: Callable[[bytes], object], then: Callable[[], object] = lambda: None
) -> float:
    """Bytes that one message takes besides the object of its body."""
    bodies = [number.to_bytes(BODY, "big") for number in range(MESSAGES)]
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for body in bodies:
            publish(body)
        then()
        return (tracemalloc.get_traced_memory()[0] - before) / MESSAGES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("durable", "arguments"),
    [
        (False, {}),
        (False, {"x-max-priority": 5}),
        (False, {"x-message-ttl": 60_000, "x-max-length-bytes": 10**9}),
        (True, {"x-queue-type": "quorum"}),
        (True, {"x-queue-type": "stream"}),
    ],
    ids=["classic", "priorities", "limits", "quorum", "stream"],
)
def test_a_ready_message_takes_at_most_400_bytes_besides_its_body(
    channel: Channel, durable: bool, arguments: dict[str, str | int]
) -> None:
    channel.declare_queue("jobs", durable=durable, arguments=arguments)
    assert overhead(lambda body: channel.publish("", "jobs", body)) <= LIMIT


def test_a_message_with_its_own_properties_keeps_to_the_limit(channel: Channel) -> None:
    channel.declare_queue("jobs")

    def publish(body: bytes) -> None:
        properties = Properties(content_type="application/json", delivery_mode=2, priority=3)
        channel.publish("", "jobs", body, properties)

    assert overhead(publish) <= LIMIT


def test_a_message_with_an_expiration_keeps_to_the_limit(channel: Channel) -> None:
    channel.declare_queue("jobs")
    properties = Properties(expiration="60000")
    assert overhead(lambda body: channel.publish("", "jobs", body, properties)) <= LIMIT


def test_a_message_that_came_back_keeps_to_the_limit(channel: Channel) -> None:
    channel.declare_queue("jobs")

    def return_all() -> None:
        while channel.get("jobs"):
            pass
        channel.recover()

    assert overhead(lambda body: channel.publish("", "jobs", body), return_all) <= LIMIT


def test_the_memory_limit_counts_no_less_than_a_message_takes(
    make_broker: Callable[..., Broker],
) -> None:
    broker = make_broker(memory_limit=10**9)
    channel = broker.connect().channel()
    channel.declare_queue("jobs")
    taken = overhead(lambda body: channel.publish("", "jobs", body))
    assert broker.memory_used is not None
    assert broker.memory_used >= MESSAGES * (BODY + taken)
