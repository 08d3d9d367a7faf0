"""A log that is written step by step, whatever happens to its disk, and what is left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faulty import PowerCut
from minibroker.store import Log, record
from small_logs import body, open_log, read_all

if TYPE_CHECKING:
    from faulty import FaultyFiles

__all__ = ["STEPS", "Run", "check"]

STEPS = "a aas aaaas ar aaas s aaaaaa s ra as aaa"
"""a: append, s: sync, r: roll."""


class Run:
    """A log that is written, until the power goes off or to the end, whatever fails."""

    def __init__(self, files: FaultyFiles, first: int = 0) -> None:
        self.files = files
        self.appended = first
        """How many records the log was given."""
        self.written = first
        """How many of these it took without an error."""
        self.promised = first
        """How many of them are on the disk."""
        self.log: Log | None = None

    def open(self) -> None:
        self.log = open_log(self.files).log

    def step(self, step: str) -> None:
        assert self.log is not None
        if step == "a":
            self.appended += 1
            self.log.append([record.encode(1, body(self.appended - 1, 150))])
        elif step == "r":
            self.log.roll()
        else:
            self.log.sync()
            self.promised = self.appended
        self.written = self.appended
        self.log._check()

    def all_of(self, steps: str) -> None:
        for step in steps.replace(" ", ""):
            self.step(step)

    def all(self, steps: str = STEPS) -> bool:
        """Whether the power stayed on."""
        try:
            self.open()
            self.all_of(steps)
        except PowerCut:
            return False
        return True


def check(files: FaultyFiles, least: int, most: int) -> int:
    """Open a log again; how many records there are, which are the first ones that were appended."""
    opened = open_log(files)
    found = len(opened.found)
    assert opened.payloads == [body(number, 150) for number in range(found)]
    assert least <= found <= most
    positions = [position for position, _, _ in opened.found]
    assert read_all(opened.log, positions) == opened.payloads
    opened.log.close()
    assert files.opened == []
    return found
