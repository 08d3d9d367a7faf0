"""What the tests of real clients share: a server of one's own, unique names."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .servers import AmqpServer, MiniBrokerServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On RabbitMQ a test gets another try: some libraries race with themselves when a channel is
    closed under them, and it is not their tests that we are here for. On MiniBroker there is none.
    """
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is not None and callspec.params.get("amqp_server") == "rabbitmq":
            item.add_marker(pytest.mark.flaky(reruns=2))


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
