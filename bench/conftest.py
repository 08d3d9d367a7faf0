"""What the benchmarks share: races that pytest-benchmark runs, and one table of all findings.

The rounds are those of pytest-benchmark, whose own table has the times of ours; between them the
peers take their turns. `--benchmark-json=FILE` writes both. Nothing here fails because of a time.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from .clients import Client, Library
from .ratio import Finding, Race, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

FINDINGS = pytest.StashKey[list[Finding]]()
DISK = Path(__file__).parent.parent / ".benchmarks"
"""Where files are written; git does not see it."""
SMOKE = 50
"""With `--benchmark-disable` everything is done once, and so many times smaller."""


def repeat(
    benchmark: BenchmarkFixture,
    work: Callable[[], object],
    prepare: Callable[[], object],
    rounds: int,
) -> None:
    """Let pytest-benchmark time `work`, with `prepare` before each round."""

    def setup() -> None:
        prepare()  # what it returns would be taken for arguments of `work`

    benchmark.pedantic(work, setup=setup, rounds=rounds)  # type: ignore[no-untyped-call]  # theirs


class RunRace(Protocol):
    """Runs a race and reports what it found."""

    def __call__(self, race: Race, rounds: int = 21) -> None: ...


class Sized(Protocol):
    """A number of units for this run."""

    def __call__(self, units: int) -> int: ...


class OpenClient(Protocol):
    """Opens a client of one of the libraries, which is closed after the benchmark."""

    def __call__(
        self, library: Library, exchange_type: str = "direct", queues: int = 1
    ) -> Client: ...


@pytest.fixture
def sized(benchmark: BenchmarkFixture) -> Sized:
    """The number of units as given, or a small one when it only has to be seen that all runs."""
    return lambda units: units if benchmark.enabled else max(units // SMOKE, 1)


@pytest.fixture
def report(
    benchmark: BenchmarkFixture, pytestconfig: pytest.Config
) -> Callable[[list[Finding]], None]:
    """Add findings to the table, and to what `--benchmark-json` writes."""

    def add(findings: list[Finding]) -> None:
        if not benchmark.enabled:
            return
        pytestconfig.stash.setdefault(FINDINGS, []).extend(findings)
        for finding in findings:
            benchmark.extra_info[f"{finding.case} against {finding.peer}"] = {
                "median": finding.value.median,
                "quartiles": [finding.value.low, finding.value.high],
                "seconds": [finding.ours, finding.theirs],
                "target": str(finding.target or ""),
            }

    return add


@pytest.fixture
def run_race(benchmark: BenchmarkFixture, report: Callable[[list[Finding]], None]) -> RunRace:
    """Run a race in rounds of pytest-benchmark."""

    def run(race: Race, rounds: int = 21) -> None:
        if benchmark.enabled:
            race.warm_up()
        repeat(benchmark, race.ours.turn, race.get_ready, rounds)
        report(race.finish())

    return run


@pytest.fixture
def directory() -> Iterator[Path]:
    """A new directory on the disk that the repository is on; /tmp may be memory. It is removed."""
    DISK.mkdir(exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="log-", dir=DISK))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def open_client() -> Iterator[OpenClient]:
    """Open a client of one of the libraries."""
    with ExitStack() as stack:

        def opened(library: Library, exchange_type: str = "direct", queues: int = 1) -> Client:
            client = Client(library, exchange_type, queues)
            stack.callback(client.close)
            return client

        yield opened


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table of findings after that of pytest-benchmark."""
    findings = config.stash.get(FINDINGS, [])
    if not findings:
        return
    terminalreporter.section("side by side, median of the rounds")
    for line in table(findings):
        terminalreporter.write_line(line)
    terminalreporter.write_line(
        "value: times as fast as the peer; with a target `at most`, times its cost, or bytes"
    )
