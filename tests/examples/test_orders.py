"""examples/orders.py prints the same on every URL."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minibroker import Broker

from ..cli.served import environment
from ..client.remote.places import KINDS, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..interop.servers import AmqpServer

PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "orders.py"
PRINTED = """\
billed: cups, kettle, spoons, tea
shipped: 1 kettle, 12 spoons, 2 cups, 3 tea
dropped once: cups
dead-lettered: nothing by shop-billing as rejected
"""
SECONDS = 120


@pytest.fixture(params=["memory", "file", "minibroker-native", "amqp", "rabbitmq", *KINDS])
def url(
    request: pytest.FixtureRequest, tmp_path: Path, amqp_servers: Callable[[str], AmqpServer]
) -> Iterator[str]:
    """The URL of each kind of broker and system."""
    if request.param == "memory":
        yield "memory://"
    elif request.param == "file":
        yield f"file://{tmp_path}/queues"
    elif request.param == "rabbitmq":
        yield amqp_servers("rabbitmq").url
    elif request.param in KINDS:
        with place_of(request.param) as place:
            yield place
    else:
        with Broker() as broker, broker.listen() as server:
            yield server.url if request.param == "amqp" else server.native_url


def test_the_example_prints_the_same_on_every_url(url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", PROGRAM, url],
        capture_output=True, text=True, timeout=SECONDS, check=False, env=environment(),
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == (PRINTED, "", 0)
