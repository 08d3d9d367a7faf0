"""Looking at a log that no broker has open: whether it is whole, what is in it, and repairing it.

Reads what a broker would refuse: `reading` goes on behind damage, `survey` finds the files,
`salvage` makes a state of what is whole, `entries` looks each message up. `check`, `dump` and
`repair` are the three commands, without printing; `rebuild` writes a new log for the last one, and
`directory` is where all this happens on a disk.
"""

from __future__ import annotations

from .check import Report, check
from .directory import DiskArchive, NotALog, open_directory
from .dump import dump
from .reading import Problem
from .repair import Archive, Repair, repair

__all__ = [
    "Archive",
    "DiskArchive",
    "NotALog",
    "Problem",
    "Repair",
    "Report",
    "check",
    "dump",
    "open_directory",
    "repair",
]
