"""kill -9 of the producer, the consumer, a bridge and the server, twenty times on each system.

A chain: a producer, a queue, a bridge process, another queue, a consumer. Nothing that was
confirmed may be missing at the end, and what came twice is counted and written to the log of the
test (`pytest -o log_cli=true --log-level INFO` shows it).
"""

from __future__ import annotations

import json
import logging
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ...cli.served import environment
from ...external.servers import SERVERS
from .chain import PREFETCH
from .places import KINDS, url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...external.servers import ExternalServer

logger = logging.getLogger(__name__)
KILLS = 20
LEASE = 2
SECONDS = 90.0
"""For what is left to arrive, at the end."""
PROGRAM = Path(__file__).with_name("chain.py")
CONFIG = """
[[link]]
name = "chain"
from = {url}
to = {url}
queue = "first"
exchange = ""
routing_key = "last"
confirm_window = 20
interval_start = 0.1
interval_step = 0
source_options = {{ lease = {lease} }}
target_options = {{ lease = {lease} }}
"""


class Chain:
    """The processes, each of which can be killed and started again."""

    def __init__(self, url: str, directory: Path) -> None:
        self.directory = directory
        options = json.dumps({"lease": LEASE})
        config = directory / "bridge.toml"
        config.write_text(CONFIG.format(url=json.dumps(url), lease=LEASE))
        python = sys.executable
        self.commands: dict[str, list[str | Path]] = {
            "producer": [python, PROGRAM, "produce", url, self.ledger("producer"), options],
            "consumer": [python, PROGRAM, "consume", url, self.ledger("consumer"), options],
            "bridge": [python, "-m", "minibroker", "bridge", "--config", config],
        }
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def ledger(self, role: str) -> Path:
        return self.directory / f"{role}.ledger"

    def numbers(self, role: str) -> list[int]:
        """What a ledger says; a line that a kill cut off does not count."""
        whole = self.ledger(role).read_bytes().rpartition(b"\n")[0]
        return [int(line) for line in whole.split()]

    def start(self, role: str) -> None:
        with (self.directory / f"{role}.log").open("ab") as log:
            self.running[role] = subprocess.Popen(
                self.commands[role], stdout=log, stderr=log, env=environment()
            )

    def kill(self, role: str) -> None:
        process = self.running.pop(role)
        process.kill()
        process.wait()

    def close(self) -> None:
        for role in list(self.running):
            self.kill(role)

    def logs(self) -> str:
        return "\n".join(
            f"{path.name}: {path.read_text()[-3000:]}" for path in self.directory.glob("*.log")
        )


def until(is_done: Callable[[], object], what: Callable[[], str]) -> None:
    end = time.monotonic() + SECONDS
    while not is_done():
        if time.monotonic() > end:
            pytest.fail(what())
        time.sleep(0.02)


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ExternalServer]:
    """A server of this test's own."""
    [made] = [each for each in SERVERS if each.kind == request.param]
    own: dict[str, Any] = {"lock": LEASE, "max_deliveries": 1000}
    server = made(tmp_path, **own) if request.param == "azureservicebus" else made(tmp_path)
    if server.service:
        pytest.skip("a real service is not killed")
    server.start()
    yield server
    server.close()


@pytest.fixture
def chain(server: ExternalServer, tmp_path: Path) -> Iterator[Chain]:
    directory = tmp_path / "chain"
    directory.mkdir()
    chain = Chain(url_of(server), directory)
    for role in ("producer", "consumer"):
        chain.ledger(role).touch()
    chain.start("producer")
    until(lambda: chain.numbers("producer"), chain.logs)
    chain.start("bridge")
    chain.start("consumer")
    yield chain
    chain.close()


def test_nothing_is_lost_when_anybody_is_killed_at_any_time(
    server: ExternalServer, chain: Chain
) -> None:
    until(lambda: chain.numbers("consumer"), chain.logs)
    drawn = random.Random(server.kind)
    victims = ["producer", "consumer", "bridge"]
    if server.durable:
        victims.append("server")
    killed = []
    for _ in range(KILLS):
        time.sleep(drawn.uniform(0.05, 0.5))  # a moment of the run like any other
        victim = drawn.choice(victims)
        killed.append(victim)
        if victim == "server":
            server.restart()
        else:
            chain.kill(victim)
            chain.start(victim)
    goes_on = len(chain.numbers("producer")) + 20
    until(lambda: len(chain.numbers("producer")) > goes_on, chain.logs)
    chain.ledger("producer").with_suffix(".stop").touch()
    chain.running.pop("producer").wait(SECONDS)
    confirmed = set(chain.numbers("producer"))

    def missing() -> str:
        lost = sorted(confirmed - set(chain.numbers("consumer")))
        return f"{len(lost)} of {len(confirmed)} are missing: {lost[:20]} {chain.logs()}"

    until(lambda: confirmed <= set(chain.numbers("consumer")), missing)
    found = chain.numbers("consumer")
    again = len(found) - len(set(found))
    counts = {victim: killed.count(victim) for victim in victims}
    told = "%s: %d confirmed, %d came again; killed: %s"
    logger.info(told, server.kind, len(confirmed), again, counts)
    # Of a kill comes again, at most, what was under way in one place: at the consumer, at the
    # bridge (which had taken as much as it likes from the first queue, once), at the producer one.
    assert again <= KILLS * (PREFETCH + 20 + 1) * 3
