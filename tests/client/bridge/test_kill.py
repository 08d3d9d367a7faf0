"""kill -9 on the bridge, its target and its source: nothing is lost, the order stays, and what
comes twice has the same message id.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import Connection
from minibroker_client.bridge import Bridge, BridgeLink

from ...cli.served import environment
from ...interop.needed import missing
from ...interop.servers import RABBITMQ, AmqpServer, MiniBrokerServer, RabbitMQServer
from .conftest import SECONDS, Side, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BODIES = [b"%d" % number for number in range(3000)]
KINDS = {"minibroker": MiniBrokerServer, "rabbitmq": RabbitMQServer}
numbers = itertools.count()


def fill(url: str, queue: str = "q") -> None:
    """A queue with all messages, which have no ids."""
    with Connection(url) as connection:
        raw = connection.channel().raw
        raw.declare_queue(queue, durable=True)
        raw.confirm_select()
        for body in BODIES:
            raw.publish("", queue, body, raw.properties({"delivery_mode": 2}))
        raw.wait_for_answers(0, SECONDS)


def count(url: str, queue: str) -> int:
    """How many messages are ready there; none while the broker is away."""
    try:
        with Connection(url) as connection:
            return connection.channel().declare_queue(queue, passive=True).message_count
    except Connection.connection_errors:
        return 0


def received(url: str, queue: str) -> list[Any]:
    """All messages of a queue, which is deleted."""
    messages: list[Any] = []
    with Connection(url) as connection:
        channel = connection.channel()
        number = channel.declare_queue(queue, passive=True).message_count
        channel.consume(queue, lambda each: messages.append(each.message), no_ack=True)
        while len(messages) < number:
            connection.drain_events(SECONDS)
        channel.delete_queue(queue)
    return messages


def check(messages: list[Any]) -> None:
    """All are there, in order, and what is there twice has one id."""
    assert list(dict.fromkeys(bytes(each.body) for each in messages)) == BODIES
    ids = {(bytes(each.body), each.properties.message_id) for each in messages}
    assert len(ids) == len({message_id for _, message_id in ids}) == len(BODIES)


@pytest.fixture
def queue(amqp_server: AmqpServer) -> str:
    """A durable queue at the target, for one test."""
    name = f"bridged-{next(numbers)}"
    with Connection(amqp_server.url) as connection:
        connection.channel().declare_queue(name, durable=True)
    return name


def command(source: str, target: str, queue: str) -> subprocess.Popen[bytes]:
    """The bridge in a process of its own; slow enough to be killed in between."""
    return subprocess.Popen(
        [
            sys.executable, "-m", "minibroker", "bridge", "--from", source, "--queue", "q", "--to",
            target, "--exchange", "", "--routing-key", queue, "--name", "up", "--rate", "4000",
        ],
        stderr=subprocess.DEVNULL, env=environment(),
    )  # fmt: skip


def test_a_bridge_that_is_killed_goes_on_from_where_it_was(
    amqp_server: AmqpServer, queue: str, tmp_path: Path
) -> None:
    source = f"file://{tmp_path}/spool"
    fill(source)
    for part in (1, 2, 3):
        process = command(source, amqp_server.url, queue)
        try:
            until(lambda part=part: count(amqp_server.url, queue) >= part * 700)  # type: ignore[misc]  # a lambda's default
        finally:
            process.kill()
            process.wait()
    link = BridgeLink(
        name="up", source=source, queue="q", target=amqp_server.url, exchange="",
        routing_key=queue, lag_interval=0.01,
    )  # fmt: skip
    with Bridge(link) as bridge:
        until(lambda: bridge.health()["up"].lag == 0)
    assert count(source, "q") == 0
    check(received(amqp_server.url, queue))


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AmqpServer]:
    """A server of this test's own, which keeps what is durable."""
    if request.param == "rabbitmq" and not RABBITMQ.exists():
        missing(f"{RABBITMQ}, of Debian's package rabbitmq-server,")
    made: AmqpServer
    if request.param == "rabbitmq":
        made = RabbitMQServer(tmp_path)
    else:
        made = MiniBrokerServer(tmp_path, "--data", str(tmp_path / "data"))
    try:
        made.start()
        yield made
    finally:
        made.close()


def test_a_target_that_is_killed_has_all_when_it_is_back(server: AmqpServer, near: Side) -> None:
    near.publish(*BODIES)
    with Connection(server.url) as connection:
        connection.channel().declare_queue("out", durable=True)
    link = BridgeLink(
        name="up", source=near.where, queue="q", target=server.url, exchange="", rate=4000,
        routing_key="out", lag_interval=0.01, interval_start=0.1, interval_step=0.1, interval_max=1,
    )  # fmt: skip
    with Bridge(link) as bridge:
        until(lambda: bridge.health()["up"].forwarded > 500)
        server.kill()
        until(lambda: bridge.health()["up"].state == "retrying")
        assert bridge.health()["up"].lag
        server.start()
        until(lambda: bridge.health()["up"].lag == 0)
    assert near.count() == 0
    check(received(server.url, "out"))


def test_a_source_that_is_killed_gives_all_when_it_is_back(server: AmqpServer, far: Side) -> None:
    fill(server.url)
    link = BridgeLink(
        name="down", source=server.url, queue="q", target=far.where, exchange="", rate=4000,
        lag_interval=0.01, interval_start=0.1, interval_step=0.1, interval_max=1,
    )  # fmt: skip
    with Bridge(link) as bridge:
        until(lambda: bridge.health()["down"].forwarded > 500)
        server.kill()
        until(lambda: bridge.health()["down"].state == "retrying")
        server.start()
        until(lambda: bridge.health()["down"].state == "running")
        until(lambda: bridge.health()["down"].lag == 0)
    assert count(server.url, "q") == 0
    check(far.take())
