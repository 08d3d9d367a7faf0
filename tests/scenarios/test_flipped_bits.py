"""One bit of a log is not what was written: opening it gives what was there, or is refused.

Every byte of every file is tried, of a log that was closed, and of one whose process was killed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from faulty import FaultyFiles
from minibroker import Broker, ManualClock, Properties
from minibroker.errors import LogDamaged, LogVersionUnknown
from story import PERSISTENT, SEGMENT, contents

if TYPE_CHECKING:
    from collections.abc import Iterator

QUEUES = ("plain", "quorum", "levels")


def small_log(closed: bool) -> tuple[FaultyFiles, dict[str, list[int] | None]]:
    """A log with a bit of everything, and what is in its queues."""
    files = FaultyFiles()
    broker = Broker(data=files, clock=ManualClock(), segment_size=SEGMENT)
    connection = broker.connect()
    channel = connection.channel()
    channel.declare_queue("plain", durable=True)
    channel.declare_queue("quorum", durable=True, arguments={"x-queue-type": "quorum"})
    channel.declare_queue("levels", durable=True, arguments={"x-max-priority": 3})
    for number in range(1, 25):
        body = b"%d " % number + b"x" * (number * 7 % 400)
        channel.publish(
            "", QUEUES[number % 3], body, Properties(delivery_mode=2, priority=number % 4)
        )
        if number % 4 == 0:
            broker.sync()
        if number == 12:
            for name in QUEUES:
                got = channel.get(name)
                assert got is not None
                channel.ack(got.entry.tag)
            durability = broker._durability
            assert durability is not None
            with durability.committer.exclusively():
                durability.upkeep.make_checkpoint()
    channel.publish("", "plain", b"25 " + b"x" * 175, PERSISTENT)
    broker.sync()
    if closed:
        broker.close()
        left = FaultyFiles(files.contents())
    else:
        left = files.after_kill()
    with Broker(data=left.after_kill(), clock=ManualClock(), segment_size=SEGMENT) as again:
        there = {name: contents(again, name) for name in QUEUES}
    assert sum(len(numbers or ()) for numbers in there.values()) == 22
    return left, there


def flipped(contents: dict[str, bytes]) -> Iterator[tuple[str, int, dict[str, bytes]]]:
    """All files with one bit of one of them flipped, another one in each byte."""
    for name, data in contents.items():
        if name == "reserve":
            continue
        for offset in range(len(data.rstrip(b"\0")) + 8):
            if offset < len(data):
                changed = bytearray(data)
                changed[offset] ^= 1 << (offset * 5 % 8)
                yield name, offset, {**contents, name: bytes(changed)}


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "killed"])
def test_a_flipped_bit_changes_nothing_or_is_found(closed: bool) -> None:
    files, there = small_log(closed)
    refused = 0
    for name, offset, changed in flipped(files.contents()):
        damaged = FaultyFiles(changed)
        try:
            with Broker(data=damaged, clock=ManualClock(), segment_size=SEGMENT) as broker:
                broker._check()
                found = {queue: contents(broker, queue) for queue in QUEUES}
        except LogDamaged as error:
            assert error.file, f"{name}, {offset}"
            assert damaged.contents() == changed, "something was changed before it was refused"
            refused += 1
        except LogVersionUnknown:
            refused += 1
        else:
            assert found == there, f"{name}, {offset}"
        assert not damaged.opened
    assert refused > 1000
