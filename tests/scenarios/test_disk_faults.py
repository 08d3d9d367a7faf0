"""A disk that is full or fails: publishers hear of it, nothing that was confirmed is lost, memory
and disk agree, and all goes on by itself when it can.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from faulty import FaultyFiles
from minibroker import Broker, ManualClock
from minibroker.errors import InternalError, PublisherBlocked
from minibroker.events import Blocked, Confirmed, Unblocked
from minibroker.queues import Entry
from story import PERSISTENT, SEGMENT, contents

if TYPE_CHECKING:
    from minibroker.local import LocalConnection

QUEUES = ("one", "two", "quorum")


class Diary:
    """Publishes and settles on a disk that may fail, and notes what it was told."""

    def __init__(self, files: FaultyFiles) -> None:
        self.files = files
        self.broker = self.open()
        self.connection: LocalConnection = self.broker.connect()
        self.channel = self.connection.channel()
        self.number = 0
        self.outstanding: dict[int, int] = {}
        """What was published, by its tag."""
        self.confirmed: set[int] = set()
        self.refused: set[int] = set()
        self.settled: set[tuple[str, int]] = set()
        self.told: list[object] = []

    def open(self) -> Broker:
        """Open the broker, again when the disk fails right then."""
        for _ in range(50):
            try:
                return Broker(data=self.files, clock=ManualClock(), segment_size=SEGMENT)
            except OSError:
                assert not self.files.opened, "left open"
        raise AssertionError("it does not open")

    def declare(self) -> None:
        for name in QUEUES:
            kind = "quorum" if name == "quorum" else "classic"
            self.channel.declare_queue(name, durable=True, arguments={"x-queue-type": kind})
        self.channel.declare_exchange("all", "fanout", durable=True)
        for name in QUEUES:
            self.channel.bind_queue(name, "all")
        self.channel.confirm_select()

    def publish(self) -> None:
        self.number += 1
        body = b"%d " % self.number + b"x" * (self.number * 7 % 400)
        try:
            tag = self.channel.publish("all", "", body, PERSISTENT, timeout=0)
        except PublisherBlocked as error:
            assert "low on disk" in str(error)
            self.refused.add(self.number)
        else:
            self.outstanding[tag] = self.number

    def listen(self) -> None:
        """Hear what the broker has to say, committing if need be."""
        while True:
            try:
                event = self.connection.drain(0)
            except TimeoutError:
                return
            assert not isinstance(event, Entry)
            self.told.append(event)
            if isinstance(event, Confirmed):
                for tag in [tag for tag in self.outstanding if tag <= event.tag]:
                    number = self.outstanding.pop(tag)
                    if event.ok:
                        self.confirmed.add(number)

    def settle(self, name: str) -> None:
        got = self.channel.get(name)
        if got is not None:
            self.channel.ack(got.entry.tag)
            self.settled.add((name, int(got.entry.message.body.split()[0])))

    def sync(self) -> None:
        try:
            self.broker.sync()
        except InternalError as error:
            assert "the log cannot be written" in str(error)

    def upkeep(self) -> None:
        durability = self.broker._durability
        assert durability is not None
        with durability.committer.exclusively():
            durability.upkeep.make_checkpoint()
            durability.upkeep._next_step = 0.0
            if not durability.committer.failed:
                durability.upkeep.tidy()

    def live(self) -> None:
        """What happens in every test."""
        self.declare()
        for day in range(12):
            for _ in range(3):
                self.publish()
            self.listen()
            self.settle(QUEUES[day % 3])
            self.settle("one")
            if day % 4 == 3:
                self.sync()
            if day % 5 == 4:
                self.upkeep()

    def compare(self) -> None:
        """Close, open again, and see that nothing is different and nothing confirmed is lost."""
        self.listen()
        self.broker._check()
        before = {name: contents(self.broker, name) for name in QUEUES}
        self.broker.close()
        assert not self.files.opened, "left open"
        with self.open() as again:
            again._check()
            assert {name: contents(again, name) for name in QUEUES} == before
        for name in QUEUES:
            there = set(before[name] or ())
            gone = {number for where, number in self.settled if where == name}
            assert not there & gone
            assert self.confirmed <= there | gone, f"lost in {name}"
            assert not there & self.refused, "refused, and there"
            assert there <= set(range(1, self.number + 1))


def count_of_operations() -> int:
    diary = Diary(FaultyFiles())
    diary.live()
    diary.compare()
    assert len(diary.confirmed) == diary.number
    return diary.files.count


FAULTS = {
    "a full disk, once": {"code": errno.ENOSPC, "part": 37},
    "a full disk, for a while": {"code": errno.ENOSPC, "times": 7},
    "an error, once": {"code": errno.EIO, "drops": True},
    "an error, for a while": {"code": errno.EIO, "times": 9, "drops": True, "part": 111},
    "an error after all was done": {"code": errno.EIO, "done": True},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_operation_fails_memory_and_disk_agree_in_the_end(fault: str) -> None:
    total = count_of_operations()
    for at in range(total):
        files = FaultyFiles()
        files.fail(at, **FAULTS[fault])  # type: ignore[arg-type]  # the table is of keywords
        try:
            diary = Diary(files)
            diary.live()
            files.heal()
            diary.sync()
            diary.publish()
            diary.listen()
            assert diary.number in diary.confirmed, "it does not go on"
            diary.compare()
        except BaseException as error:
            error.add_note(f"operation {at}")
            raise


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_operation_fails_what_was_confirmed_survives_a_power_cut(fault: str) -> None:
    total = count_of_operations()
    for at in range(total):
        files = FaultyFiles()
        files.fail(at, **FAULTS[fault])  # type: ignore[arg-type]  # the table is of keywords
        diary = Diary(files)
        diary.live()
        for seed in range(3):
            with Broker(
                data=files.after_power_cut(seed), clock=ManualClock(), segment_size=SEGMENT
            ) as broker:
                broker._check()
                for name in QUEUES:
                    there = set(contents(broker, name) or ())
                    gone = {number for where, number in diary.settled if where == name}
                    lost = diary.confirmed - there - gone
                    assert not lost, f"operation {at}, disk {seed}: lost in {name}: {lost}"
                    assert not there & diary.refused


def test_a_failed_sync_refuses_its_messages_and_no_later_sync_confirms_them() -> None:
    files = FaultyFiles()
    diary = Diary(files)
    diary.declare()
    diary.sync()
    files.fail(kinds={"sync"}, code=errno.EIO, drops=True)
    diary.publish()
    diary.listen()
    assert [type(event) for event in diary.told] == [Confirmed, Blocked]
    assert diary.confirmed == set()
    assert diary.told[-1] == Blocked("low on disk")
    begun = sum(operation.startswith("create") for operation in files.history)
    diary.publish()  # which waits for the disk, and is lucky
    diary.listen()
    assert diary.told[-2:] == [Unblocked(), diary.told[-1]]
    assert diary.confirmed == {2}
    assert sum(operation.startswith("create") for operation in files.history) == begun + 1
    diary.compare()


def test_a_transaction_says_that_it_could_not_be_written() -> None:
    files = FaultyFiles()
    diary = Diary(files)
    diary.declare()
    diary.sync()
    channel = diary.connection.channel()
    channel.tx_select()
    channel.publish("", "one", b"1 " + b"x" * 7, PERSISTENT)
    files.fail(times=None)
    with pytest.raises(InternalError, match="No space left on device"):
        channel.tx_commit()
    files.heal()
    diary.number = 1
    diary.sync()
    diary.compare()
