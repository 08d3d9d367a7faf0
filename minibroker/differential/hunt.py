"""Many programs on two brokers, and what became of each. Knows no terminal.

A record that differs is not yet a difference: a broker that is slower than was waited for, or that
answers otherwise every time, is not at fault. So the program runs again, with patience, several
times on the broker that is the measure. What that broker itself does in more than one way is not
compared.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from .address import Address
from .compare import Difference, first_difference
from .execute import Patience, execute
from .program import Program
from .shrink import shrink
from .typed import Json
from .watch import Watch

__all__ = ["BROKEN", "DIFFERENT", "EQUAL", "UNSTEADY", "Hunt", "Outcome"]

EQUAL, DIFFERENT, UNSTEADY, BROKEN = "equal", "different", "unsteady", "broken"

QUICK = Patience()
PATIENT = Patience(rounds=3, pause=0.01, timeout=10.0)
INTERNAL_ERROR = '"reply_code": 541'
AGAIN = 3
"""How often a program runs again on the broker that is the measure."""


class Outcome(NamedTuple):
    """What became of one program."""

    kind: str
    """EQUAL or DIFFERENT; UNSTEADY where the measure itself has more than one answer, BROKEN where
    it says that it failed: nobody is to be equal to that."""
    program: Program
    """Shrunk where it is DIFFERENT."""
    difference: Difference | None = None
    record: Sequence[Json] = ()
    """What the measure does, if the other does something different."""

    def as_json(self) -> Json:
        """What is worth keeping of a difference: the program can be run again from it."""
        assert self.difference is not None
        return {
            "program": self.program.to_json(),
            **self.difference._asdict(),
            "record": self.record,
        }


@dataclass(slots=True)
class _Side:
    """One of the two brokers."""

    address: Address
    watch: Watch


class Hunt:
    """Two brokers that are compared. Raises CannotConnect, as all its methods.

    Use it as a context manager, or call `close`.
    """

    def __init__(self, measure: Address, target: Address) -> None:
        self.token = f"d{secrets.token_hex(3)}"
        self._number = 0
        self._measure = _Side(measure, Watch(measure, self.token))
        self._target = _Side(target, Watch(target, self.token))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave both brokers as they were."""
        self._measure.watch.close()
        self._target.watch.close()

    def run(self, programs: Iterable[Program]) -> Iterator[Outcome]:
        """What becomes of each program, one after the other."""
        for program in programs:
            yield self.compare(program)

    def compare(self, program: Program) -> Outcome:
        """Run a program on both brokers, and shrink it if they differ."""
        self._number += 1
        if self._record(self._measure, program, QUICK) == self._record(
            self._target, program, QUICK
        ):
            return Outcome(EQUAL, program)
        outcome = self._judge(program)
        if outcome.kind != DIFFERENT:
            return outcome
        smaller = self._judge(shrink(program, self._differs))
        return smaller if smaller.kind == DIFFERENT else outcome

    def _judge(self, program: Program) -> Outcome:
        """Whether a program is to be trusted, and whether the brokers differ in it then."""
        expected = self._record(self._measure, program, PATIENT)
        found = self._record(self._target, program, PATIENT)
        if INTERNAL_ERROR in json.dumps(expected):
            return Outcome(BROKEN, program)
        difference = first_difference(expected, found)
        for _ in range(AGAIN):
            if self._record(self._measure, program, PATIENT) != expected:
                return Outcome(UNSTEADY, program)
        if difference is None:
            return Outcome(EQUAL, program)
        if self._only_at_once(program):
            return Outcome(UNSTEADY, program)
        return Outcome(DIFFERENT, program, difference, expected)

    def _only_at_once(self, program: Program) -> bool:
        """Whether the brokers agree when nothing is published before all before it has settled.

        Then it is the pace that they differ in: what the first of several messages causes
        elsewhere, a letter say, may come before the second one or behind it.
        """
        slower = program.one_by_one()
        if len(slower.operations) == len(program.operations):
            return False
        expected = self._record(self._measure, slower, PATIENT)
        return expected == self._record(self._target, slower, PATIENT)

    def _differs(self, program: Program) -> bool:
        """Whether the brokers differ, without being sure: there are many to ask this of."""
        expected = self._record(self._measure, program, QUICK)
        if expected == self._record(self._target, program, QUICK):
            return False
        if INTERNAL_ERROR in json.dumps(expected):
            return False
        return expected == self._record(self._measure, program, QUICK)

    def _record(self, side: _Side, program: Program, patience: Patience) -> list[Json]:
        prefix = f"{self.token}{self._number % 10000:04}-"
        return execute(program, side.address, side.watch, prefix, patience)
