"""Where two records of one program differ, to be read by people. Knows no broker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from .program import Program
from .typed import Json

__all__ = ["Difference", "first_difference", "told"]


class Difference(NamedTuple):
    """The first operation that two brokers did not answer alike."""

    at: int
    """The index of the operation; behind the last one at the end."""
    expected: Json
    found: Json
    """What was observed that is not in the other, by where it was observed."""


def first_difference(expected: Sequence[Json], found: Sequence[Json]) -> Difference | None:
    """The first difference between two records, None if they are equal."""
    for index, (one, other) in enumerate(zip(expected, found, strict=True)):
        if one != other:
            keys = sorted({*one, *other}, key=str)
            differing = [key for key in keys if one.get(key) != other.get(key)]
            return Difference(
                index,
                {key: one[key] for key in differing if key in one},
                {key: other[key] for key in differing if key in other},
            )
    return None


def told(program: Program, difference: Difference) -> str:
    """A program and where it ended differently, as lines of text."""
    lines = [f"program of seed {program.seed}:"]
    for index, operation in enumerate(program.operations):
        mark = ">" if index == difference.at else " "
        lines.append(f" {mark} {index}: {operation}")
    if difference.at >= len(program.operations):
        lines.append(" > the end: one connection after the other closes, the queues are emptied")
    for name, observed in (("expected", difference.expected), ("found", difference.found)):
        lines.append(f"  {name}:")
        lines += [f"    {line}" for line in _shown(observed)]
    return "\n".join(lines)


def _shown(observed: Json) -> list[str]:
    if not observed:
        return ["nothing"]
    lines = []
    for where, events in observed.items():
        if isinstance(events, list):
            lines += [f"{where}: {json.dumps(event)}" for event in events]
        else:
            lines.append(f"{where}: {json.dumps(events)}")
    return lines
