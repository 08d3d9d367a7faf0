"""Programs in which MiniBroker once differed from RabbitMQ 3.10.8.

Each file has a shrunk program and the record of what RabbitMQ does, as `minibroker differential
--save` writes it, under the name of what it is about.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from minibroker import Broker
from minibroker.differential.address import Address
from minibroker.differential.execute import Patience, execute
from minibroker.differential.program import Program
from minibroker.differential.watch import Watch

from ..servers import AmqpServer

FILES = sorted((Path(__file__).parent / "programs").glob("*.json"))
EVERY = pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])


@pytest.fixture(scope="module")
def minibroker() -> Iterator[str]:
    with Broker(profile="rabbitmq-3.10") as broker, broker.listen("127.0.0.1", 0) as server:
        yield server.url


def check(url: str, file: Path) -> None:
    saved = json.loads(file.read_text(encoding="utf-8"))
    program = Program.from_json(saved["program"])
    address = Address.parse(url)
    watch = Watch(address, "programs")
    try:
        record = execute(program, address, watch, "programs-", Patience(rounds=3, pause=0.005))
    finally:
        watch.close()
    assert record == saved["record"]


@EVERY
def test_minibroker_does_what_rabbitmq_does(minibroker: str, file: Path) -> None:
    check(minibroker, file)


@EVERY
@pytest.mark.parametrize("amqp_server", ["rabbitmq"], indirect=True)
def test_rabbitmq_does_what_was_recorded(amqp_server: AmqpServer, file: Path) -> None:
    check(amqp_server.url, file)
