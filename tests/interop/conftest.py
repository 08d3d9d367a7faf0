"""The servers that the tests of real clients run against, and names that no other test uses.

`amqp_server` runs a test on MiniBroker and on RabbitMQ: what a test asks for must hold on both.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .needed import missing
from .servers import RABBITMQ, AmqpServer, MiniBrokerServer, RabbitMQServer

KINDS = ("minibroker", "rabbitmq")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On RabbitMQ a test gets another try: some libraries race with themselves when a channel is
    closed under them, and it is not their tests that we are here for. On MiniBroker there is none.
    """
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is not None and callspec.params.get("amqp_server") == "rabbitmq":
            item.add_marker(pytest.mark.flaky(reruns=2))


@pytest.fixture(scope="session")
def _amqp_servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, AmqpServer]]:
    """The servers that the collected tests want. RabbitMQ takes long to start: it begins at once,
    while the tests of MiniBroker run.
    """
    calls = (getattr(item, "callspec", None) for item in request.session.items)
    wanted = {call.params.get("amqp_server") for call in calls if call is not None}
    servers: dict[str, AmqpServer] = {}
    if "rabbitmq" in wanted and RABBITMQ.exists():
        servers["rabbitmq"] = RabbitMQServer(tmp_path_factory.mktemp("rabbitmq"))
        servers["rabbitmq"].begin()
    if "minibroker" in wanted:
        servers["minibroker"] = MiniBrokerServer(tmp_path_factory.mktemp("minibroker"))
        servers["minibroker"].begin()
    yield servers
    for server in servers.values():
        server.close()
    if "minibroker" in servers:
        assert "Traceback" not in servers["minibroker"].log()


@pytest.fixture(scope="session", params=KINDS)
def amqp_server(request: pytest.FixtureRequest, _amqp_servers: dict[str, AmqpServer]) -> AmqpServer:
    """A server that all tests share, of each kind: end only what the test itself started on it."""
    server = _amqp_servers.get(request.param)
    if server is None:
        missing(f"{RABBITMQ}, of Debian's package rabbitmq-server,")
    server.wait()
    return server


@pytest.fixture
def fresh_amqp_server(tmp_path: Path) -> Iterator[AmqpServer]:
    """A MiniBroker for one test, which may end it and start it again; it keeps what is durable."""
    server = MiniBrokerServer(tmp_path, "--data", str(tmp_path / "data"))
    try:
        server.start()
        yield server
    finally:
        server.close()
    assert "Traceback" not in server.log()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """`name("jobs")`: a name for a queue or an exchange that no other test or run uses."""
    test = re.sub(r"\W+", "-", request.node.name)[:60]
    run = uuid.uuid4().hex[:8]

    def unique(what: str) -> str:
        return f"{test}-{what}-{run}"

    return unique
