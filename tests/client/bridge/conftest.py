"""What the tests of bridges share: two brokers, a link between them, and patience."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from minibroker import Broker
from minibroker_client import Connection
from minibroker_client.bridge import BridgeLink

from ..resilience.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 20.0


def until(condition: Callable[[], object]) -> None:
    """Return when it holds; fail when it does not for too long."""
    look_again = threading.Event()
    for _ in range(int(SECONDS / 0.002)):
        if condition():
            return
        look_again.wait(0.002)
    raise AssertionError("it does not come")


class Side:
    """A broker with a durable queue `q`, and a channel on it that confirms."""

    def __init__(self, where: Any) -> None:
        self.where = where
        self.connection = Connection(where)
        self.raw = self.connection.channel().raw
        self.raw.declare_queue("q", durable=True)
        self.raw.confirm_select()

    def publish(self, *bodies: bytes, key: str = "q", exchange: str = "", **values: Any) -> None:
        """Publish, and wait until it is confirmed."""
        for body in bodies:
            self.raw.publish(
                exchange, key, body, self.raw.properties({"delivery_mode": 2, **values})
            )
        self.raw.wait_for_answers(0, SECONDS)

    def count(self, queue: str = "q") -> int:
        """How many messages are ready."""
        return self.raw.declare_queue(queue, passive=True).message_count

    def take(self, queue: str = "q") -> list[Any]:
        """All ready messages, acked."""
        taken = []
        while (fetched := self.raw.get(queue, no_ack=True)) is not None:
            taken.append(fetched.delivery.message)
        return taken

    def bodies(self, queue: str = "q") -> list[bytes]:
        """The bodies of all ready messages, acked."""
        return [bytes(message.body) for message in self.take(queue)]


@pytest.fixture
def near() -> Iterator[Side]:
    """The source: a broker on the system's clock."""
    with Broker() as broker:
        side = Side(broker)
        with side.connection:
            yield side
        broker._check()


@pytest.fixture
def far() -> Iterator[Side]:
    """The target."""
    with Broker() as broker:
        side = Side(broker)
        with side.connection:
            yield side
        broker._check()


@pytest.fixture
def link(near: Side, far: Side) -> Callable[..., BridgeLink]:
    """Make a link from `near` to `far`, which is quick to try again."""

    def made(**settings: Any) -> BridgeLink:
        usual = {
            "name": "up", "source": near.where, "queue": "q", "target": far.where, "exchange": "",
            "interval_start": 0.01, "interval_step": 0.01, "interval_max": 0.05,
            "lag_interval": 0.01,
        }  # fmt: skip
        return BridgeLink(**{**usual, **settings})

    return made


@pytest.fixture(params=["amqp", "minibroker"])
def scheme(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def proxy(far: Side) -> Iterator[Proxy]:
    """A proxy in front of `far`."""
    with far.where.listen() as server:
        port = urlsplit(server.url).port
        assert port is not None
        with Proxy(port) as proxy:
            yield proxy
