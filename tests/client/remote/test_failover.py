"""A server that goes and comes back, and another one instead of it, as a program sees it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import Connection, Queue
from minibroker_client.exceptions import LeaseLost

from ...external.servers import SERVERS
from .places import KINDS, url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from minibroker_client import Message

    from ...external.servers import ExternalServer

    Started = Callable[[str], ExternalServer]

DURABLE = [server.kind for server in SERVERS if server.durable and server.kind in KINDS]
OPTIONS = {"recover": True, "interval_start": 0.05, "interval_step": 0, "lease": 2}
SECONDS = 30


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """Starts servers of the test's own."""
    servers: list[ExternalServer] = []

    def started(kind: str) -> ExternalServer:
        [made] = [each for each in SERVERS if each.kind == kind]
        directory = tmp_path / str(len(servers))
        directory.mkdir()
        own: dict[str, Any] = {"lock": 2} if kind == "azureservicebus" else {}
        servers.append(made(directory, **own))
        if servers[-1].service:
            pytest.skip("a real service is not killed")
        servers[-1].start()
        return servers[-1]

    yield started
    for server in servers:
        server.close()


def drain_until(connection: Connection, is_done: Callable[[], object]) -> None:
    while not is_done():
        connection.drain_events(timeout=SECONDS)


@pytest.mark.parametrize("kind", DURABLE)
def test_a_consumer_goes_on_after_its_server_was_killed_in_mid_traffic(
    kind: str, started: Started
) -> None:
    server = started(kind)
    got: list[str] = []
    queue = Queue("q", durable=True)

    def receive(body: str, message: Message) -> None:
        got.append(body)
        try:
            message.ack()
        except LeaseLost:
            got.remove(body)

    with (
        Connection(url_of(server), transport_options=OPTIONS) as connection,
        Connection(url_of(server), transport_options=OPTIONS) as other,
    ):
        producer = other.Producer(auto_declare=False)
        policy = {"interval_start": 0.05, "interval_step": 0, "max_retries": 400}
        with connection.Consumer([queue], callbacks=[receive], prefetch_count=3):
            for number in range(5):
                producer.publish(f"before {number}", routing_key="q", declare=[queue])
            drain_until(connection, lambda: len(got) >= 2)
            server.kill()
            back = threading.Thread(target=server.start)
            back.start()
            for number in range(5):
                producer.publish(
                    f"after {number}", routing_key="q", retry=True, retry_policy=policy
                )
            back.join()
            expected = {f"{when} {number}" for when in ("before", "after") for number in range(5)}
            drain_until(connection, lambda: set(got) >= expected)
    assert set(got) == expected


@pytest.mark.skipif("redis" not in KINDS, reason="not one of the systems to test")
def test_a_program_goes_on_at_the_next_url_when_its_server_is_gone(started: Started) -> None:
    first, second = started("redis"), started("redis")
    urls = f"{url_of(first)};{url_of(second)}"
    got: list[str] = []
    with Connection(urls, transport_options=OPTIONS) as connection:
        queue = Queue("q", durable=True)

        def receive(body: str, message: Message) -> None:
            got.append(body)
            message.ack()

        with connection.Consumer([queue], callbacks=[receive]):
            connection.Producer().publish("at the first", routing_key="q")
            drain_until(connection, lambda: got)
            first.kill()
            with Connection(url_of(second)) as there:
                there.Producer().publish("at the second", routing_key="q", declare=[queue])
            drain_until(connection, lambda: len(got) == 2)
        assert connection.as_uri() == f"{url_of(second)}"
    assert got == ["at the first", "at the second"]


@pytest.mark.parametrize("kind", DURABLE)
def test_what_is_published_while_the_server_is_away_is_kept_and_sent_when_it_is_back(
    kind: str, started: Started
) -> None:
    server = started(kind)
    options = {**OPTIONS, "buffer": {"max_messages": 100}, "max_retries": 0}
    queue = Queue("q", durable=True)
    with Connection(url_of(server), transport_options=options) as connection:
        producer = connection.Producer()
        producer.publish("before", routing_key="q", declare=[queue])
        connection.wait_for_confirms(SECONDS)
        server.kill()
        for number in range(3):
            producer.publish(f"away {number}", routing_key="q")
        server.start()
        connection.wait_for_confirms(SECONDS)
    got: list[str] = []
    with Connection(url_of(server), transport_options=OPTIONS) as connection:

        def receive(body: str, message: Message) -> None:
            got.append(body)
            message.ack()

        with connection.Consumer([queue], callbacks=[receive]):
            drain_until(connection, lambda: len(got) >= 4)
    assert list(dict.fromkeys(got)) == ["before", "away 0", "away 1", "away 2"]
