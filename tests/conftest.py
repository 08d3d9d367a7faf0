"""What all tests share: Hypothesis draws the same examples on each run and keeps no files.

`pytest --hypothesis-profile=thorough` looks further, with new examples each time.

`amqp_server` runs a test on MiniBroker and on RabbitMQ: what a test asks for must hold on both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from .interop.needed import missing
from .interop.servers import RABBITMQ, AmqpServer, MiniBrokerServer, RabbitMQServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KINDS = ("minibroker", "rabbitmq")

# No deadline and no complaint about slow examples: a busy machine must not fail a test.
_ANY_MACHINE = settings(
    database=None, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("repeatable", _ANY_MACHINE, derandomize=True)
settings.register_profile("thorough", _ANY_MACHINE, max_examples=2000, stateful_step_count=200)
settings.load_profile("repeatable")


def _wanted(session: pytest.Session) -> set[object]:
    """The kinds of servers that the collected tests are parametrized with."""
    calls = (getattr(item, "callspec", None) for item in session.items)
    return {value for call in calls if call is not None for value in call.params.values()
            if isinstance(value, str) and value in KINDS}  # fmt: skip


@pytest.fixture(scope="session")
def amqp_servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], AmqpServer]]:
    """`amqp_servers("rabbitmq")`: a server that all tests share, ready. It skips without one.

    RabbitMQ takes long to start: it begins at once, while the tests of MiniBroker run.
    """
    servers: dict[str, AmqpServer] = {}
    wanted = _wanted(request.session)
    if "rabbitmq" in wanted and RABBITMQ.exists():
        servers["rabbitmq"] = RabbitMQServer(tmp_path_factory.mktemp("rabbitmq"))
        servers["rabbitmq"].begin()
    if "minibroker" in wanted:
        servers["minibroker"] = MiniBrokerServer(tmp_path_factory.mktemp("minibroker"))
        servers["minibroker"].begin()

    def ready(kind: str) -> AmqpServer:
        server = servers.get(kind)
        if server is None:
            missing(f"{RABBITMQ}, of Debian's package rabbitmq-server,")
        server.wait()
        return server

    yield ready
    for server in servers.values():
        server.close()
    if "minibroker" in servers:
        assert "Traceback" not in servers["minibroker"].log()


@pytest.fixture(scope="session", params=KINDS)
def amqp_server(
    request: pytest.FixtureRequest, amqp_servers: Callable[[str], AmqpServer]
) -> AmqpServer:
    """A server that all tests share, of each kind: end only what the test itself started on it."""
    return amqp_servers(request.param)
