"""Contenders measured side by side: their turns alternate, and each round is compared on its own.

Two programs that are measured one after the other are measured on two machines, when the machine is
shared or changes its speed: here that makes a factor of two. So each round has one turn of every
contender, a ratio is taken within the round, and what is reported is the median of these ratios
with their quartiles. Knows nothing of brokers, and nothing of pytest.
"""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Contender", "Finding", "Race", "Spread", "Target", "at_least", "at_most", "table"]


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, and their lower and upper quartile."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of one value or more; ValueError without any."""
        if not values:
            raise ValueError("no values")
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, _, high = quantiles(values, n=4, method="inclusive")
        return cls(low, median(values), high)


@dataclass(frozen=True, slots=True)
class Target:
    """What a value has to reach, or must not exceed."""

    kind: Literal["at least", "at most"]
    limit: float

    def met(self, value: float) -> bool:
        """Whether a value is good enough."""
        return value >= self.limit if self.kind == "at least" else value <= self.limit

    def __str__(self) -> str:
        return f"{self.kind} {self.limit:g}"


def at_least(limit: float) -> Target:
    """A target to reach: how many times as fast as the peer."""
    return Target("at least", limit)


def at_most(limit: float) -> Target:
    """A target not to exceed: how many times the cost of the peer, or how many bytes."""
    return Target("at most", limit)


@dataclass(slots=True)
class Contender:
    """Something that takes turns. `run` does `units` of the work and is timed."""

    name: str
    run: Callable[[], object]
    units: int
    prepare: Callable[[], object] = _nothing
    """Called before each turn, and not timed."""
    seconds: list[float] = field(default_factory=list)
    """Per unit, one for each turn."""

    def get_ready(self) -> None:
        """Prepare, and collect the garbage of the others, so that nobody pays for it."""
        self.prepare()
        gc.collect()

    def turn(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """Do the work once, and note how long a unit took."""
        start = clock()
        self.run()
        self.seconds.append((clock() - start) / self.units)

    def warm_up(self) -> None:
        """Do the work once, without noting anything."""
        self.prepare()
        self.run()


@dataclass(slots=True)
class Finding:
    """One line of the table: a value, and what it should be."""

    case: str
    value: Spread
    target: Target | None = None
    peer: str = ""
    """Whom the value compares with; empty for a value that is no ratio."""
    ours: float | None = None
    """Seconds per unit, as the peer's: medians over all rounds."""
    theirs: float | None = None

    @property
    def verdict(self) -> str:
        """`met` or `missed`, nothing without a target."""
        if self.target is None:
            return ""
        return "met" if self.target.met(self.value.median) else "missed"


class Race:
    """Ours against one peer or more, in rounds.

    Whoever runs it calls `get_ready` before each turn of ours and `finish` after the last one. The
    peers run before ours in one round and after it in the next: with A for ours, BA AB BA AB.
    """

    def __init__(self, case: str, ours: Contender, *peers: tuple[Contender, Target | None]) -> None:
        self.case = case
        self.ours = ours
        self.peers = peers

    def warm_up(self) -> None:
        """Let everybody run once without noting it."""
        for contender in (*(peer for peer, _ in self.peers), self.ours):
            contender.warm_up()

    def get_ready(self) -> None:
        """Let the peers take the turns that are due before the next one of ours."""
        done = len(self.ours.seconds)
        self._run_peers(done if done % 2 else done + 1)
        self.ours.get_ready()

    def finish(self) -> list[Finding]:
        """Let the peers take the turns that are left; one finding for each of them."""
        self._run_peers(len(self.ours.seconds))
        return [self._finding(peer, target) for peer, target in self.peers]

    def _run_peers(self, turns: int) -> None:
        for peer, _ in self.peers:
            while len(peer.seconds) < turns:
                peer.get_ready()
                peer.turn()

    def _finding(self, peer: Contender, target: Target | None) -> Finding:
        ours, theirs = self.ours.seconds, peer.seconds
        is_cost = target is not None and target.kind == "at most"
        ratios = _ratios(ours, theirs) if is_cost else _ratios(theirs, ours)
        return Finding(
            self.case, Spread.of(ratios), target, peer.name, median(ours), median(theirs)
        )


def _ratios(above: Iterable[float], below: Iterable[float]) -> list[float]:
    """Round by round: the rounds of one machine at one time are compared, and no others."""
    return [one / other for one, other in zip(above, below, strict=True)]


HEADINGS = ("case", "ours us", "peer us", "against", "value", "quartiles", "target", "verdict")


def table(findings: Iterable[Finding]) -> list[str]:
    """The lines of a table of all findings."""
    rows = [HEADINGS, *(_row(finding) for finding in findings)]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def _row(finding: Finding) -> tuple[str, ...]:
    value = finding.value
    return (
        finding.case,
        _microseconds(finding.ours),
        _microseconds(finding.theirs),
        finding.peer,
        f"{value.median:.3g}" if value.median < 100 else f"{value.median:.0f}",
        "" if value.low == value.high else f"{value.low:.3g} to {value.high:.3g}",
        "" if finding.target is None else str(finding.target),
        finding.verdict,
    )


def _microseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1e6:.2f}"
