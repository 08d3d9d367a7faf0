"""A bridge from a directory to RabbitMQ, against publishing there with confirms from this process.

The bridge reads each message from a durable queue, publishes it, waits for the confirm and deletes
it; the publisher has only to publish and to wait. Messages are persistent, with a durable queue at
the target, for both.
"""

from __future__ import annotations

import threading
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

import minibroker_client
from minibroker_client.bridge import Bridge, BridgeLink

from .amqp_brokers import Brokers
from .conftest import DISK
from .ratio import Contender, Race, at_least

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import RunRace, Sized

NUMBER = 20_000
ROUNDS = 7
WINDOW = 1000
BODY = b"x" * 100
PERSISTENT = 2
PATIENCE = 60
_numbers = count(1)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a RabbitMQ."""
    DISK.mkdir(exist_ok=True)
    made = Brokers(tmp_path_factory.mktemp("bridge-brokers"), tmp_path_factory.mktemp("bridge"))
    yield made.rabbitmq().url
    made.close()


class End:
    """A durable queue of a broker, and how to fill it."""

    def __init__(self, url: str, window: int) -> None:
        options = {"confirm_publish": True, "confirm_window": window}
        self.connection = minibroker_client.Connection(url, transport_options=options)
        channel = self.connection.channel()
        self.name = f"bridge-{next(_numbers)}"
        self.queue = minibroker_client.Queue(self.name, durable=True)(channel)
        self.queue.declare()
        self._publish = self.connection.Producer(channel).publish

    def fill(self, number: int) -> None:
        """Publish so many messages, until all are confirmed."""
        for _ in range(number):
            self._publish(BODY, routing_key=self.name, delivery_mode=PERSISTENT)
        self.connection.wait_for_confirms()

    def close(self) -> None:
        """Delete the queue and disconnect."""
        self.queue.delete()
        self.connection.close()


def through(link: BridgeLink, number: int) -> None:
    """Have a bridge forward so many messages."""
    look_again = threading.Event()
    with Bridge(link) as bridge:
        while bridge.health()[link.name].forwarded < number:
            assert not bridge.join(0), bridge.health()
            look_again.wait(0.005)


def bench_bridge_to_rabbitmq(target: str, directory: Path, run_race: RunRace, sized: Sized) -> None:
    number = sized(NUMBER)
    source_url = f"file://{directory}/spool"
    source, sink = End(source_url, WINDOW), End(target, WINDOW)
    link = BridgeLink(
        source=source_url, queue=source.name, target=target, exchange="", routing_key=sink.name,
        confirm_window=WINDOW,
    )  # fmt: skip

    def prepare() -> None:
        sink.queue.purge()
        source.queue.purge()
        source.fill(number)

    ours = Contender("bridge", lambda: through(link, number), number, prepare=prepare)
    theirs: Any = Contender(
        "amqp:// publisher", lambda: sink.fill(number), number, prepare=sink.queue.purge
    )
    race = Race("file:// to RabbitMQ, confirmed", ours, (theirs, at_least(0.5)))
    try:
        run_race(race, ROUNDS)
    finally:
        sink.close()
        source.close()
