"""Each language: a client whose connection is cut connects again and goes on, in the way that its
library has for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from ..processes import ServerProcess
from ..proxy import Proxy
from ..servers import AmqpServer

Command = Sequence[str | Path]


@pytest.fixture
def proxy(amqp_server: AmqpServer) -> Iterator[Proxy]:
    proxy = Proxy(amqp_server.port)
    yield proxy
    proxy.close()


def test_a_consumer_comes_back_to_what_it_had_not_acknowledged(
    program: Command,
    amqp_server: AmqpServer,
    proxy: Proxy,
    name: Callable[[str], str],
    tmp_path: Path,
) -> None:
    url = amqp_server.url.replace(str(amqp_server.port), str(proxy.port))
    client = ServerProcess([*program, "reconnect", url, name("r")], tmp_path / "errors.log")
    try:
        client.wait_for("^consuming$", 30)
        proxy.cut()
        printed = client.wait_for(r"^\{.*\}$", 60)[0]
        assert client.process.wait(20) == 0
    finally:
        client.kill()
    assert json.loads(printed) == {"body": "kept", "redelivered": True}
