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
        "aiormq",
        "7.2.4",
        ("tests",),
        552,
        _container,
        options=("-k", "not amqps and not ssl and not external", "-p", "no:asyncio"),
        requirements=("aiomisc-pytest>=2,<3", "pytest>=8.4,<10"),
        files={"conftest.py": AIORMQ_CONFTEST},
        slow=True,
    ),
    Suite(
        "aio-pika",
        "10.2.1",
        ("tests/test_amqp.py", "tests/test_rpc.py", "tests/test_master.py"),
        0,
        _container,
        options=("-p", "no:asyncio", "-k", "not kill"),
        requirements=("aiomisc-pytest", "shortuuid", "timeout-decorator", "pytest-rst"),
        files={"tests/docker_client.py": NO_CONTAINER},
        slow=True,
    ),
)
