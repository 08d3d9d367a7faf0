"""Whether a log is whole: every byte that means something is looked at, and every entry looked up.

A log of which this finds nothing to say is one that a broker opens. Changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..journal import checkpoint
from .entries import contents, name_of_place
from .mending import mend
from .reading import Problem
from .salvage import Salvage, salvage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..store import FileSystem

__all__ = ["Report", "check"]


@dataclass(slots=True)
class Report:
    """What was found in a directory."""

    problems: list[Problem] = field(default_factory=list)
    """What is damaged; nothing in a log that is whole."""
    segments: int = 0
    size: int = 0
    """Bytes of the segments."""
    records: int = 0
    queues: int = 0
    messages: int = 0
    """Entries in queues, and messages that exchanges hold."""
    checkpoint: str | None = None
    """The file of the newest checkpoint."""
    torn: tuple[str, int] | None = None
    """File and offset of a write that was never finished, which is no damage."""
    left_over: list[str] = field(default_factory=list)
    """Files that are not needed any more, which is none either."""

    def summary(self) -> Iterator[str]:
        """What was found, besides damage, in lines."""
        yield f"segments: {self.segments}, bytes: {self.size}, records: {self.records}"
        yield f"queues: {self.queues}, messages: {self.messages}"
        yield f"newest checkpoint: {self.checkpoint or 'none'}"
        if self.torn is not None:
            name, offset = self.torn
            yield (
                f"torn end: {name}, offset {offset}: as a write leaves it that was never finished; "
                "a broker cuts it off"
            )
        if self.left_over:
            yield f"left over, not needed: {', '.join(sorted(self.left_over))}"


def check(files: FileSystem) -> Report:
    """Look at a directory that nobody has open. Raises LogVersionUnknown and OSError."""
    names = checkpoint.find(files)
    found = salvage(files, names[0] if names else None)
    survey = found.survey
    report = Report(
        segments=len(survey.segments),
        size=sum(segment.size for segment in survey.segments),
        records=found.records,
        queues=len(found.state.queues),
        checkpoint=found.checkpoint,
        torn=survey.torn,
        left_over=[*survey.left_over, *names[1:]],
    )
    report.problems = found.problems
    if not found.problems:
        # Of what is lost everything else that refers to it would be reported, too.
        where = found.checkpoint or "log"
        report.problems += [Problem(where, 0, what) for what in mend(found.state)]
    _look_up(found, report)
    return report


def _look_up(found: Salvage, report: Report) -> None:
    """Whether the log has the message of each entry."""
    known = {(problem.file, problem.offset) for problem in report.problems}
    log = found.survey.log()
    try:
        for number, place in found.state.places.items():
            for content in contents(number, place, log):
                report.messages += 1
                if content.problem is None:
                    continue
                file, offset, what = content.problem
                if (file, offset) not in known:
                    name = name_of_place(found.state, number)
                    report.problems.append(Problem(file, offset, f"{what} ({name})"))
    finally:
        log.close()
