"""Clients' own tests, as they are published, against MiniBroker."""

from __future__ import annotations

import faulthandler
import os
from typing import TYPE_CHECKING

import pytest

from ..servers import MiniBrokerServer
from .catalogue import SUITES, Suite
from .runner import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REQUIRED = os.environ.get("MINIBROKER_REQUIRE_SERVERS") == "1"
FULL = os.environ.get("MINIBROKER_FULL_SUITES") == "1"

pytestmark = pytest.mark.skipif(
    not (REQUIRED or FULL), reason="fetches sources: MINIBROKER_FULL_SUITES=1 runs all of them"
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MiniBrokerServer]:
    faulthandler.cancel_dump_traceback_later()  # a suite may take longer than any test of ours
    made = MiniBrokerServer(tmp_path, "--log-level", "warning")
    made.start()
    yield made
    made.close()
    assert "Traceback" not in made.log()


@pytest.mark.parametrize("suite", SUITES, ids=[suite.name for suite in SUITES])
def test_the_clients_own_tests_pass_as_on_rabbitmq(
    suite: Suite, server: MiniBrokerServer, tmp_path: Path
) -> None:
    if suite.slow and not FULL:
        pytest.skip("takes minutes: MINIBROKER_FULL_SUITES=1 runs it")
    outcome = run(suite, server.host, server.port, tmp_path)
    unexpected = set(outcome.failed) - set(suite.left_out)
    assert not unexpected, outcome.output
    assert outcome.passed >= suite.passes, outcome.output
