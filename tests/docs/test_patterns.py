"""The programs of docs/patterns.md on every transport: only the URL is another one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minibroker import Broker

from ..client.remote.places import KINDS, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..interop.servers import AmqpServer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "patterns.md"
PROGRAMS = dict(
    re.findall(
        r"^## ([^\n]+)\n.*?^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
)
OURS = 'URL = "memory://"'
NEEDS_A_BROKER = {"Requests and replies", "Replaying a stream"}
WHERE = ["memory", "file", "minibroker-native", "amqp", "rabbitmq", *KINDS]


@pytest.fixture(params=WHERE)
def url(
    request: pytest.FixtureRequest, tmp_path: Path, amqp_servers: Callable[[str], AmqpServer]
) -> Iterator[str]:
    """The URL of a broker that nobody else uses, or of a RabbitMQ."""
    if request.param == "rabbitmq":
        yield amqp_servers("rabbitmq").url
    elif request.param in KINDS:
        with place_of(request.param) as place:
            yield place
    elif request.param == "file":
        yield f"file://{tmp_path}/queues"
    elif request.param == "memory":
        yield f"memory://{tmp_path.name}"
    else:
        with Broker() as broker, broker.listen() as server:
            yield server.url if request.param == "amqp" else server.native_url


def test_the_page_has_the_patterns_that_people_copy() -> None:
    assert len(PROGRAMS) == 8
    assert all(program.count(OURS) == 1 for program in PROGRAMS.values())


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_pattern_runs_on_every_transport(
    request: pytest.FixtureRequest, url: str, name: str
) -> None:
    if request.node.callspec.params["url"] in KINDS and name in NEEDS_A_BROKER:
        return  # refused there, which tests/client/remote/test_refusals.py has
    program = PROGRAMS[name].replace(OURS, f"URL = {url!r}")
    if name == "A pool of workers with arrays":
        pytest.importorskip("numpy")
    exec(compile(program, name, "exec"), {"__name__": "__main__"})
