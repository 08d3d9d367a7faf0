"""A real process is killed in the middle of its work, again and again: nothing it was promised is
lost, nothing that it settled comes back, and nothing is made up.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from minibroker import Broker
from minibroker.journal import checkpoint
from minibroker.store import DiskFileSystem, Recovery

CYCLES = 10
"""Of each of the five runs: fifty kills altogether."""
ROUND = 35
"""Deliveries that the writer settles before it says so."""
SEGMENT = 1 << 16
WRITER = Path(__file__).with_name("killed_writer.py")


class Promises:
    """What the killed processes were told, all together."""

    def __init__(self) -> None:
        self.confirmed: set[int] = set()
        self.settled: set[int] = set()
        self.next = 1

    def hear(self, line: str) -> None:
        kind, *numbers = line.split()
        if kind == "c":
            self.confirmed.update(range(self.next, int(numbers[0]) + 1))
        else:
            self.settled.update(map(int, numbers))


def let_it_work_and_kill_it(directory: Path, promises: Promises, lines: int) -> None:
    writer = subprocess.Popen(
        [sys.executable, str(WRITER), str(directory), str(promises.next)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    with writer:
        for _ in range(lines):
            line = writer.stdout.readline()
            assert line, "the writer ended by itself"
            promises.hear(line)
        writer.kill()
        # What it had said by then, but for half a line.
        for line in writer.stdout.read().splitlines(keepends=True):
            if line.endswith("\n"):
                promises.hear(line)
    assert writer.returncode == -signal.SIGKILL


def garble_the_end(directory: Path, chance: random.Random) -> None:
    """Write garbage behind the last frame, as a write that was cut short may leave it."""
    files = DiskFileSystem(directory)
    newest = checkpoint.find(files)
    since = checkpoint.read(files, newest[0]).position if newest else 0
    recovery = Recovery(files, since)
    list(recovery.frames())
    last = directory / recovery.segments[-1].name
    with last.open("r+b") as file:
        file.seek(recovery.segments[-1].size)
        file.write(chance.randbytes(chance.randrange(1, 3000)))


def what_is_there(directory: Path, copy: Path) -> dict[int, bool]:
    """The messages in the queue, in order, and whether each had been delivered; from a copy."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(directory, copy)
    found: dict[int, bool] = {}
    with Broker(data=copy, segment_size=SEGMENT) as broker:
        broker._check()
        if "q" not in broker.vhosts["/"].queues:
            return {}
        channel = broker.connect().channel()
        while (got := channel.get("q", no_ack=True)) is not None:
            number = int(got.entry.message.body.split()[0])
            assert number not in found, f"{number} twice"
            assert got.entry.message.body == b"%d " % number * (number % 50 + 1)
            found[number] = got.entry.redelivered
        broker._check()
    return found


@pytest.mark.parametrize("seed", range(5))
def test_after_every_kill_what_was_confirmed_is_there_and_what_was_settled_is_gone(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    promises = Promises()
    directory = tmp_path / "log"
    for cycle in range(CYCLES):
        let_it_work_and_kill_it(directory, promises, chance.randrange(1, 60))
        if cycle % 2:
            garble_the_end(directory, chance)
        there = what_is_there(directory, tmp_path / "copy")
        assert list(there) == sorted(there), "out of order"
        assert not promises.settled & set(there), "what was settled came back"
        lost = promises.confirmed - set(there) - promises.settled
        # A round of settling may have come to the disk before the writer could say so. What was
        # settled was delivered, and what was not delivered came after all that was.
        assert len(lost) <= ROUND, f"lost: {sorted(lost)}"
        fresh = min((number for number, redelivered in there.items() if not redelivered), default=0)
        assert not fresh or all(number < fresh for number in lost), f"lost: {sorted(lost)}"
        promises.settled |= lost
        promises.next = max([promises.next, *there, *promises.confirmed]) + 1
