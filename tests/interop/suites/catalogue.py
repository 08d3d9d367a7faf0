"""The test suites that clients publish with their source: how each is run, and what is left out.

Only data: `runner` runs them. What RabbitMQ 3.10.8 scored is from running the same suite there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["SUITES", "Suite"]

Environment = Callable[[str, int], dict[str, str]]
"""Variables for a host and a port."""


@dataclass(frozen=True, slots=True)
class Suite:
    """One client's own tests."""

    name: str
    """As the index of Python packages knows it."""
    version: str
    paths: tuple[str, ...]
    """What is run of the unpacked source."""
    passes: int
    """How many tests have to pass: as many as on RabbitMQ."""
    environment: Environment
    options: tuple[str, ...] = ()
    """Further arguments for pytest."""
    requirements: tuple[str, ...] = ()
    """What the tests need besides the client itself."""
    files: dict[str, str] = field(default_factory=dict)
    """Files that are missing from the source, or stand in for a container."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Tests that fail, by their ids, and why they have to."""
    slow: bool = False
    """Whether it runs only when MINIBROKER_FULL_SUITES=1."""


def _rabbitmq_host(host: str, port: int) -> dict[str, str]:
    return {"RABBITMQ_HOST": host, "RABBITMQ_5672_TCP": str(port)}


def _rabbitmq_url(host: str, port: int) -> dict[str, str]:
    return {"RABBITMQ_URL": f"amqp://guest:guest@{host}:{port}/%2F"}


def _container(host: str, port: int) -> dict[str, str]:
    return {"BROKER_HOST": host, "BROKER_PORT": str(port)}


AIORMQ_CONFTEST = """
import os
from types import SimpleNamespace
import pytest
from yarl import URL

@pytest.fixture(scope="session")
def rabbitmq_container():
    port = int(os.environ["BROKER_PORT"])
    return SimpleNamespace(host=os.environ["BROKER_HOST"], ports={"5672/tcp": port, "5671/tcp": 1})

@pytest.fixture(scope="session")
def amqp_direct_url(rabbitmq_container):
    return URL.build(scheme="amqp", user="guest", password="guest", path="//",
                     host=rabbitmq_container.host, port=rabbitmq_container.ports["5672/tcp"])
"""

NO_CONTAINER = """
import os
from types import SimpleNamespace

class DockerNotAvailableError(Exception): pass
DockerHostInfo = ContainerInfo = SimpleNamespace

def check_docker_available():
    return SimpleNamespace()

class DockerClient:
    def __init__(self, info=None): pass
    def run(self, image, ports, environment=None):
        port = int(os.environ["BROKER_PORT"])
        return SimpleNamespace(id="broker", host=os.environ["BROKER_HOST"],
                               ports={"5672/tcp": port, "5671/tcp": 1})
    def kill(self, container_id): pass
    def remove(self, container_id): pass
"""

AMQPSTORM_CONFTEST = """
import os
from types import SimpleNamespace
import amqpstorm
from amqpstorm.tests.functional import utility

begin = amqpstorm.Connection.__init__

def begin_here(self, *place, **options):
    if len(place) < 4:
        options.setdefault("port", int(os.environ["BROKER_PORT"]))
    begin(self, *place, **options)

amqpstorm.Connection.__init__ = begin_here

class Api:  # the tests clean up with the management API
    def __init__(self, *_, **__):
        self.queue = SimpleNamespace(delete=lambda name: self._delete("queue", name))
        self.exchange = SimpleNamespace(delete=lambda name: self._delete("exchange", name))

    def _delete(self, kind, name):
        with amqpstorm.Connection(os.environ["AMQP_HOST"], "guest", "guest") as connection:
            with connection.channel() as channel:
                getattr(channel, kind).delete(name)

utility.ManagementApi = Api
"""

SUITES = (
    Suite(
        "amqp",
        "5.4.2",
        ("t/integration",),
        48,
        _rabbitmq_host,
        options=("-k", "not tls"),
        requirements=("pytest-rerunfailures",),
    ),
    Suite(
        "kombu",
        "5.7.0",
        ("t/integration/test_py_amqp.py",),
        51,
        _rabbitmq_host,
        requirements=("pytest-rerunfailures", "hypothesis", "pytz"),
    ),
    Suite(
        "rabbitpy",
        "3.0.2",
        ("tests/test_integration.py", "tests/integration"),
        40,
        _rabbitmq_url,
        requirements=("python-dotenv",),
    ),
    Suite(
        "aiorabbit",
        "1.0.3",
        ("tests",),
        154,
        lambda host, port: {"RABBITMQ_URI": f"amqp://guest:guest@{host}:{port}/%2f"},
        requirements=("pamqp==3.3.0",),
        files={"tests/__init__.py": "", "build/test-environment": ""},
        left_out={
            "tests.test_exchange.ExchangeTestCase::test_exchange_declare_invalid_exchange_type": (
                "RabbitMQ 3.10 closes the connection (503), the test wants the channel closed"
            ),
            "tests.test_integration.ReconnectPublisherConfirmsTestCase::"
            "test_confirm_select_already_invoked_on_reconnect": (
                "a race of the test with itself: it fails on RabbitMQ, too"
            ),
        },
    ),
    Suite(
        "amqpstorm",
        "3.1.4",
        tuple(
            f"amqpstorm/tests/functional/test_{part}.py"
            for part in ("basic", "exchange", "generic", "legacy", "queue", "reliability", "tx")
        ),
        95,
        lambda host, port: {
            **_container(host, port),
            "AMQP_HOST": host,
            "AMQP_USERNAME": "guest",
            "AMQP_PASSWORD": "guest",
            "AMQP_URI": f"amqp://guest:guest@{host}:{port}/%2F",
        },
        requirements=("requests",),
        files={"conftest.py": AMQPSTORM_CONFTEST},
    ),
    Suite(
        "celery",
        "5.7.0",
        tuple(
            f"t/integration/test_{part}.py"
            for part in ("tasks", "inspect", "group_chains", "beat", "loader")
        ),
        94,
        lambda host, port: {
            "TEST_BROKER": f"pyamqp://guest:guest@{host}:{port}//",
            "TEST_BACKEND": "rpc",
            "C_FORCE_ROOT": "1",
        },
        options=("-p", "no:warnings"),
        requirements=(
            "pytest-rerunfailures",
            "pytest-timeout",
            "pytest-subtests",
            "pytest-order",
            "pytest-celery",
            "freezegun",
            "pydantic",
            "redis",
        ),
        left_out={
            f"t.integration.test_tasks.test_trace_log_arguments::test_task_{end}": (
                "looks for a record of level INFO that Celery's own set-up of the logs lets through"
            )
            for end in ("success", "failed")
        },
        slow=True,
    ),
    Suite(
        "aiormq",
        "7.2.4",
        ("tests",),
        547,
        _container,
        options=("-k", "not amqps and not ssl and not external", "-p", "no:asyncio"),
        requirements=("aiomisc-pytest>=2,<3", "pytest>=8.4,<10"),
        files={"conftest.py": AIORMQ_CONFTEST},
        left_out=dict.fromkeys(
            (
                f"tests.{test}[{url}{rest}]"
                for url in ("amqp", "amqp-named")
                for test, rest in (
                    (
                        "test_connection::test_closing_waiter_cancellation",
                        "-cancel-connection-True",
                    ),
                    (
                        "test_connection::test_closing_waiter_cancellation",
                        "-timeout-connection-True",
                    ),
                    ("test_connection_futures::test_connection_close_during_publish_drain", ""),
                )
            ),
            "a race of the client with itself: all of them fail on RabbitMQ, too",
        ),
    ),
    Suite(
        "aio-pika",
        "10.2.1",
        ("tests/test_amqp.py", "tests/test_rpc.py", "tests/test_master.py"),
        312,
        _container,
        options=("-p", "no:asyncio", "-k", "not kill"),
        requirements=("aiomisc-pytest", "shortuuid", "timeout-decorator", "pytest-rst"),
        files={"tests/docker_client.py": NO_CONTAINER},
    ),
)
