"""The client on other systems against Kombu, on the same server: publish, then consume and ack.

Everything runs in this process but the server. In each round each side connects, makes a queue,
publishes so many messages, and consumes them; what is compared is one round's publishing and one
round's consuming, and all that was sent has to arrive, once.
"""

from __future__ import annotations

import gc
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pytest

from .conftest import DISK
from .ratio import Finding, Spread, Target, at_least
from .system_ends import PREFETCH, WINDOW, bodies_of
from .systems import SYSTEMS, Ends, System, ends_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

    from .conftest import Sized
    from .system_ends import End

    Report = Callable[[list[Finding]], None]

ROUNDS = 7
pytestmark = pytest.mark.filterwarnings("default")  # of Kombu and of the libraries of systems


class Side:
    """One way to do it, and how long a message took in each round."""

    def __init__(self, opens: Callable[[], End], bodies: list[bytes]) -> None:
        self._opens = opens
        self._bodies = bodies
        self.publishing: list[float] = []
        self.consuming: list[float] = []

    def round(self) -> None:
        """Publish all and consume all, on a new connection. The first message is not counted: what
        is opened or made on first use is there then.
        """
        first, *others = self._bodies
        end = self._opens()
        try:
            end.publish([first])
            got = list(end.consume(1))
            gc.collect()
            begun = time.perf_counter()
            end.publish(others)
            published = time.perf_counter()
            got += end.consume(len(others))
            consumed = time.perf_counter()
        finally:
            end.close()
        assert sorted(got) == self._bodies
        self.publishing.append((published - begun) / len(others))
        self.consuming.append((consumed - published) / len(others))

    def forget(self) -> None:
        """Forget the rounds so far."""
        self.publishing.clear()
        self.consuming.clear()


class Sides:
    """All that take turns, and what comes of it."""

    def __init__(self, system: System, ends: Ends, bodies: list[bytes]) -> None:
        self._system = system
        self._ours = Side(ends.ours, bodies)
        self._windowed = Side(ends.windowed, bodies)
        self._theirs = Side(ends.theirs, bodies)
        self._all = [self._theirs, self._ours, self._windowed]
        self._their_window = self._theirs
        if ends.their_window is not None:
            self._their_window = Side(ends.their_window, bodies)
            self._all.append(self._their_window)

    def run(self, rounds: int, *, warm_up: bool) -> None:
        """Take turns: in one order, and in the other in the next round."""
        if warm_up:
            for side in self._all:
                side.round()
                side.forget()
        for number in range(rounds):
            for side in self._all if number % 2 else reversed(self._all):
                side.round()

    def findings(self) -> list[Finding]:
        """One for each thing that is compared."""
        system, ours, theirs = self._system, self._ours, self._theirs
        windowed, their_window = self._windowed.publishing, self._their_window.publishing
        window = f"publish, {WINDOW} confirms outstanding"
        consume = f"consume and ack, prefetch {PREFETCH}"
        return [
            self._finding("publish", ours.publishing, theirs.publishing, system.publish),
            self._finding(window, windowed, their_window, system.window),
            self._finding(consume, ours.consuming, theirs.consuming, system.consume),
        ]

    def _finding(
        self, case: str, ours: list[float], theirs: list[float], wanted: float | None
    ) -> Finding:
        system = self._system
        ratios = [their / our for our, their in zip(ours, theirs, strict=True)]
        target: Target | None = None if wanted is None else at_least(wanted)
        name = f"{system.name}: {case}"
        return Finding(
            name, Spread.of(ratios), target, system.peer, median(ours), median(theirs)
        )  # fmt: skip


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory for what a server writes, on the disk of the repository."""
    DISK.mkdir(exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="system-", dir=DISK))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda each: f"{each.name}-{each.peer}")
def bench_system(  # noqa: PLR0913 -- fixtures
    place: Path, closing: ExitStack, monkeypatch: pytest.MonkeyPatch, report: Report,
    sized: Sized, benchmark: BenchmarkFixture, system: System,
) -> None:  # fmt: skip
    ends = ends_of(system, place, closing, monkeypatch)
    sides = Sides(system, ends, bodies_of(max(sized(system.number), 2)))
    measured = benchmark.enabled

    def rounds() -> None:
        sides.run(ROUNDS if measured else 1, warm_up=measured)

    benchmark.pedantic(rounds, rounds=1)  # type: ignore[no-untyped-call]  # theirs
    report(sides.findings())
