"""A story that a broker on a log goes through, and what it was promised on the way.

The test stops it at any operation of the file system, opens what is on the disk then, and lets
`Promises.check` compare. Everything is numbered, and a body is its number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minibroker import Broker, ManualClock, Properties
from minibroker.events import Confirmed
from minibroker.queues import Entry

if TYPE_CHECKING:
    from faulty import FaultyFiles
    from minibroker.channel import Channel
    from minibroker.fields import Table
    from minibroker.local import LocalConnection

__all__ = ["SEGMENT", "Promises", "tell"]

SEGMENT = 4096
PERSISTENT = Properties(delivery_mode=2)
QUEUES: dict[str, Table] = {
    "plain": {},
    "timed": {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"},
    "dead": {},
    "quorum": {"x-queue-type": "quorum", "x-delivery-limit": 20},
    "stream": {"x-queue-type": "stream"},
    "levels": {"x-max-priority": 5},
    "copies": {},
}


class Promises:
    """What was promised so far, and what was asked for and may have happened."""

    def __init__(self) -> None:
        self.declared: set[str] = set()
        self.published: dict[str, list[int]] = {name: [] for name in QUEUES}
        self.confirmed: set[int] = set()
        self.settling: set[tuple[str, int]] = set()
        """Settled, but the disk may not know it yet."""
        self.settled: set[tuple[str, int]] = set()
        self.transaction: list[int] = []
        """Published together, so there together or not at all."""

    def committed(self) -> None:
        """Everything so far is on the disk."""
        self.settled |= self.settling
        self.declared.update(name for name, numbers in self.published.items() if numbers)

    def check(self, broker: Broker) -> None:
        """Compare with what a broker has after it was opened."""
        broker._check()
        there = {name: contents(broker, name) for name in QUEUES}
        for name in self.declared:
            assert there[name] is not None, f"queue {name} is gone"
        for name, numbers in there.items():
            if numbers is not None:
                self._check_queue(name, numbers, there)
        together = {number for number in self.transaction if self._is_somewhere(number, there)}
        settled = {number for number in self.transaction if ("plain", number) in self.settling}
        assert together | settled in (set(), set(self.transaction)), f"half of tx: {together}"

    def _check_queue(
        self, name: str, numbers: list[int], there: dict[str, list[int] | None]
    ) -> None:
        assert len(numbers) == len(set(numbers)), f"{name}: twice in {numbers}"
        known = self.published["timed" if name == "dead" else name]
        made_up = set(numbers) - set(known)
        assert not made_up, f"{name}: made up {made_up}"
        back = {number for number in numbers if (name, number) in self.settled}
        assert not back, f"{name}: settled, and there again: {back}"
        if name == "dead":
            return
        other = set(there["dead"] or ()) if name == "timed" else set()
        away = {number for where, number in self.settling if where in {name, "dead"}}
        lost = {
            number
            for number in known
            if number in self.confirmed and number not in numbers and number not in other | away
        }
        assert not lost, f"{name}: confirmed, and lost: {lost}"
        assert not other & set(numbers), "dead-lettered, and there as well"
        if name != "levels":
            assert numbers == sorted(numbers), f"{name}: out of order: {numbers}"

    def _is_somewhere(self, number: int, there: dict[str, list[int] | None]) -> bool:
        return any(number in (numbers or ()) for numbers in there.values())


def contents(broker: Broker, name: str) -> list[int] | None:
    """The numbers in a queue, in the order in which they would go out; None without the queue."""
    queue = broker.vhosts["/"].queues.get(name)
    if queue is None:
        return None
    connection = broker.connect()
    channel = connection.channel()
    numbers: list[int] = []
    if queue.kind == "stream":
        channel.qos(1000)
        channel.consume(name, arguments={"x-stream-offset": "first"})
        while connection.outbox:
            entry = connection.drain(0)
            assert isinstance(entry, Entry)
            numbers.append(number_of(entry))
    else:
        while (got := channel.get(name)) is not None:
            numbers.append(number_of(got.entry))
    connection.close()
    return numbers


def number_of(entry: Entry) -> int:
    """What a message says, which has to be whole."""
    number, _, filling = entry.message.body.partition(b" ")
    assert filling == b"x" * (int(number) * 7 % 400), f"message {int(number)} is not what it was"
    return int(number)


class Teller:
    """Does what happens in the story."""

    def __init__(self, files: FaultyFiles, promises: Promises) -> None:
        self.promises = promises
        self.clock = ManualClock()
        self.broker = Broker(data=files, clock=self.clock, segment_size=SEGMENT)
        self.connection: LocalConnection = self.broker.connect()
        self.channel: Channel = self.connection.channel()
        self.number = 0
        self.waiting: list[int] = []
        """Published and not confirmed yet."""

    def declare(self) -> None:
        for name, arguments in QUEUES.items():
            self.channel.declare_queue(name, durable=True, arguments=arguments)
        self.channel.declare_exchange("both", "fanout", durable=True)
        for name in ("plain", "copies"):
            self.channel.bind_queue(name, "both")
        self.channel.confirm_select()
        self.sync()
        self.promises.declared.update(QUEUES)

    def publish(self, exchange: str, key: str, properties: Properties = PERSISTENT) -> int:
        self.number += 1
        for name in ("plain", "copies") if exchange else (key,):
            self.promises.published[name].append(self.number)
        body = b"%d " % self.number + b"x" * (self.number * 7 % 400)
        self.channel.publish(exchange, key, body, properties)
        self.waiting.append(self.number)
        return self.number

    def confirm(self) -> None:
        """Wait for the confirms of all that was published."""
        published = self.channel.published
        while self.waiting:
            event = self.connection.drain(0)
            if isinstance(event, Confirmed) and event.tag == published:
                assert event.ok
                self.promises.confirmed.update(self.waiting)
                self.waiting.clear()
                self.promises.committed()

    def sync(self) -> None:
        self.broker.sync()
        self.promises.committed()

    def take(self, name: str, count: int, requeue: bool = False) -> None:
        """Get some, and settle them or put them back."""
        for _ in range(count):
            got = self.channel.get(name)
            assert got is not None
            if requeue:
                self.channel.nack(got.entry.tag, requeue=True)
            else:
                self.promises.settling.add((name, number_of(got.entry)))
                self.channel.ack(got.entry.tag)

    def transact(self) -> None:
        """Publish several messages, and settle one, in one transaction."""
        channel = self.connection.channel()
        channel.tx_select()
        first = self.number + 1
        for _ in range(3):
            self.number += 1
            for name in ("plain", "copies"):
                self.promises.published[name].append(self.number)
            body = b"%d " % self.number + b"x" * (self.number * 7 % 400)
            channel.publish("both", "", body, PERSISTENT)
        self.promises.transaction = list(range(first, self.number + 1))
        channel.tx_commit()
        self.promises.confirmed.update(self.promises.transaction)
        self.promises.committed()

    def upkeep(self, checkpoint: bool) -> None:
        """What the worker does besides commits."""
        durability = self.broker._durability
        assert durability is not None
        with durability.committer.exclusively():
            if checkpoint:
                durability.upkeep.make_checkpoint()
            durability.upkeep._next_step = 0.0
            durability.upkeep.tidy()
        assert not durability.committer.failed


def tell(files: FaultyFiles, promises: Promises) -> None:
    """The story, from an empty directory to a closed broker."""
    story = Teller(files, promises)
    story.declare()
    for _ in range(8):
        story.publish("", "plain")
        story.publish("", "timed", Properties(delivery_mode=2, expiration="1000"))
    story.confirm()
    story.take("plain", 3)
    for number in range(6):
        story.publish("", "quorum")
        story.publish("", "stream")
        story.publish("", "levels", Properties(delivery_mode=2, priority=number % 3))
    story.confirm()
    story.take("quorum", 2, requeue=True)
    story.take("quorum", 1)
    story.clock.advance("2s")  # what is timed is dead-lettered
    story.take("dead", 2)
    story.sync()
    story.upkeep(checkpoint=True)
    for _ in range(10):
        story.publish("both", "")
    story.confirm()
    story.transact()
    story.take("copies", 9)
    story.take("plain", 12)
    story.take("levels", 3)
    story.sync()
    story.upkeep(checkpoint=True)
    story.upkeep(checkpoint=False)
    for _ in range(4):
        story.publish("", "stream")
        story.publish("", "plain")
    story.channel.get("plain")  # unacked when the story ends
    story.confirm()
    story.broker.close()
    promises.committed()
