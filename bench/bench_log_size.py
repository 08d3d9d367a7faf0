"""A log that is large: memory, opening it, and the room that it takes on the disk.

What needs a process of its own is in `log_child.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from statistics import median
from typing import TYPE_CHECKING, TypeAlias

import pytest

from minibroker import Broker, Properties
from minibroker.events import Confirmed

from .conftest import repeat
from .ratio import Finding, Spread, at_least, at_most

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from .conftest import Sized

Report: TypeAlias = Callable[[list[Finding]], None]

CHILD = Path(__file__).parent / "log_child.py"
MEBIBYTE = 1 << 20
RECORDS = 400_000
FANNED_OUT = 5000
LIVE = 5000
CHURN = 20
"""Times the live messages are replaced."""
KIBIBYTE = bytes(1024)
PERSISTENT = Properties(delivery_mode=2)


def _in_a_child(what: str, directory: Path, number: int) -> dict[str, float]:
    arguments = [sys.executable, str(CHILD), what, str(directory), str(number)]
    done = subprocess.run(arguments, check=True, stdout=subprocess.PIPE)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _rounds(
    benchmark: BenchmarkFixture, work: Callable[[], dict[str, float]], rounds: int
) -> list[dict[str, float]]:
    """What each round of the work found."""
    found: list[dict[str, float]] = []
    repeat(benchmark, lambda: found.append(work()), lambda: None, rounds)
    return found


def _one(case: str, value: float, limit: float) -> Finding:
    return Finding(case, Spread(value, value, value), at_most(limit))


def size_of(directory: Path) -> int:
    """Bytes of all files, while others may be made and deleted."""
    size = 0
    for path in directory.iterdir():
        with suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("number", [10_000, 100_000, 1_000_000])
def bench_a_backlog(
    benchmark: BenchmarkFixture, report: Report, sized: Sized, directory: Path, number: int
) -> None:
    """Memory while it is queued, and after a clean close the time to the first delivery.

    Each opening is in a process of its own, without its imports. Files are in the page cache.
    """
    messages = sized(number)
    filled = _in_a_child("fill", directory, messages)
    opened = _rounds(benchmark, lambda: _in_a_child("reopen", directory, messages), rounds=5)
    seconds = Spread.of([each["seconds"] for each in opened])
    case = f"seconds to the first delivery of {number:,}"
    findings = [Finding(case, seconds, at_most(0.5))]
    if number == 1_000_000:
        growth = filled["growth"] / MEBIBYTE
        findings.append(_one("MiB of memory for 1,000,000 of 1 KiB", growth, 64))
    report(findings)


def bench_after_a_kill(
    benchmark: BenchmarkFixture, report: Report, sized: Sized, directory: Path
) -> None:
    """Opening a log without a checkpoint: every record is read."""
    records = sized(RECORDS)
    _in_a_child("kill", directory, records)
    rounds = _rounds(benchmark, lambda: _in_a_child("recover", directory, records), rounds=7)
    opening = [each["open"] / records for each in rounds]
    reading = [each["checksum"] / records for each in rounds]
    ratios = [theirs / ours for ours, theirs in zip(opening, reading, strict=True)]
    report(
        [
            Finding(
                "thousand records a second, after a kill",
                Spread.of([0.001 / each for each in opening]),
                at_least(250),
            ),
            Finding(
                "opening after a kill",
                Spread.of(ratios),
                None,
                "read and zlib.crc32",
                median(opening),
                median(reading),
            ),
        ]
    )


def bench_fan_out_on_the_disk(
    benchmark: BenchmarkFixture, report: Report, sized: Sized, directory: Path
) -> None:
    """All files after closing, so with the checkpoint: 10 queues of a message against one."""
    messages = sized(FANNED_OUT)

    def published(queues: int) -> int:
        below = directory / str(queues)
        with Broker(data=below) as broker:
            channel = broker.connect().channel()
            for index in range(queues):
                channel.declare_queue(f"q{index}", durable=True)
                channel.bind_queue(f"q{index}", "amq.fanout")
            for _ in range(messages):
                channel.publish("amq.fanout", "", KIBIBYTE, PERSISTENT)
        return size_of(below)

    sizes: list[float] = []
    repeat(benchmark, lambda: sizes.append(published(10) / published(1)), lambda: None, rounds=1)
    report([_one("bytes on the disk, 10 queues against one", sizes[0], 1.5)])


class Churn:
    """A queue whose messages are unacked, and replaced in any order."""

    def __init__(self, broker: Broker, live: int) -> None:
        self.connection = broker.connect()
        self.channel = self.connection.channel()
        self.channel.declare_queue("q", durable=True)
        self.channel.consume("q")
        self.publisher = broker.connect()
        self.publishing = self.publisher.channel()
        self.publishing.confirm_select()
        self.confirmed = 0
        self.random = Random(1)
        self.tags = [self.publish() for _ in range(live)]

    def publish(self) -> int:
        """Publish a message and take its delivery; the delivery tag."""
        tag = self.publishing.publish("", "q", KIBIBYTE, PERSISTENT)
        while tag - self.confirmed >= 1000:
            event = self.publisher.drain(60)
            assert isinstance(event, Confirmed), event
            self.confirmed = event.tag
        delivered: int = self.connection.drain(60).tag  # type: ignore[union-attr]  # no events
        return delivered

    def replace(self, number: int) -> None:
        """Ack a message, whichever, and publish another, so many times."""
        tags, choose = self.tags, self.random.randrange
        for _ in range(number):
            index = choose(len(tags))
            self.channel.ack(tags[index])
            tags[index] = self.publish()


def bench_room_after_churn(
    benchmark: BenchmarkFixture, report: Report, sized: Sized, directory: Path
) -> None:
    """Bytes of all files, reserve and checkpoint too, against what is allowed: twice the records of
    the live messages, and two segments.

    While: the most that was seen each time as many had come and gone as are alive. After: when the
    broker has had half a second without work. Which message goes is drawn, so that no segment is
    ever without live ones by itself.
    """
    live, segment = sized(LIVE), MEBIBYTE
    log = directory / "log"
    sizes: list[float] = []

    def churned() -> None:
        with Broker(data=log, segment_size=segment) as broker:
            churn = Churn(broker, live)
            for turn in range(CHURN):
                churn.replace(live)
                broker.sync()
                if turn == CHURN - 1:
                    time.sleep(0.5 if benchmark.enabled else 0)
                sizes.append(size_of(log) / (2 * _weight(broker) + 2 * segment))

    repeat(benchmark, churned, lambda: None, rounds=1)
    after, most = sizes[-1], max(sizes[:-1])
    report(
        [
            _one("room after churn, of what is allowed", after, 1),
            Finding("room while churning", Spread.of([most]), None),
        ]
    )


def _weight(broker: Broker) -> int:
    """Bytes of the records of live messages."""
    durability = broker._durability
    assert durability is not None
    return durability.committer.log.weight
