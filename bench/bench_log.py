"""A broker with a log against persistent queues of others, and against the bare disk.

Everything is on one disk, in a directory that is removed again. Messages are persistent, bodies are
100 bytes, and a confirm says what `fsync` promises.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from minibroker import Broker, Properties
from minibroker.events import Confirmed
from minibroker_client import Connection, Producer, Queue

from .log_peers import BODY, BareFile, DiskCache, LiteQueue, PersistQueue
from .ratio import Contender, Race, at_least

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import RunRace, Sized
    from .log_peers import Peer
    from .ratio import Target

MESSAGES = 20_000
PUTS = 1000
SETTLED = 300
"""Puts of a peer that also takes them out: up to 3 ms each."""
SYNCS = 300
OUTSTANDING = 1000
"""Publishes that wait for their confirm at the most. All of these at once beat half of them: one
sync is for more."""
PREFETCH = 500
ROUNDS = 11
PERSISTENT = Properties(delivery_mode=2)
TARGETS: tuple[tuple[type[Peer], Target], ...] = (
    (DiskCache, at_least(20)),
    (PersistQueue, at_least(40)),
    (LiteQueue, at_least(20)),
)


class Publisher:
    """A connection in confirm mode with one durable queue."""

    def __init__(self, broker: Broker, name: str = "q") -> None:
        self.broker = broker
        self.name = name
        self.connection = broker.connect()
        self.channel = self.connection.channel()
        self.channel.declare_queue(name, durable=True)
        self.channel.confirm_select()
        self.tag = self.confirmed = 0

    def wait(self) -> None:
        """Take the next confirm, which stands for all before it."""
        event = self.connection.drain(60)
        assert isinstance(event, Confirmed), event
        assert event.ok, event
        self.confirmed = event.tag

    def wait_for_all(self) -> None:
        """Take confirms until there is none outstanding."""
        while self.confirmed < self.tag:
            self.wait()

    def publish(self, number: int) -> None:
        """Publish so many, with as many outstanding as may be; all are confirmed in the end."""
        name, publish = self.name, self.channel.publish
        end = self.tag + number
        while self.tag < end:
            for _ in range(min(self.confirmed + OUTSTANDING, end) - self.tag):
                self.tag = publish("", name, BODY, PERSISTENT)
            if self.tag < end:
                self.wait()
        self.wait_for_all()

    def one_by_one(self, number: int) -> None:
        """Publish a message and wait for its confirm, so many times."""
        name, publish, wait = self.name, self.channel.publish, self.wait
        for _ in range(number):
            self.tag = publish("", name, BODY, PERSISTENT)
            wait()

    def through_a_consumer(self, number: int) -> None:
        """As `publish`, and a consumer on a connection of its own acks each message."""
        name, publish = self.name, self.channel.publish
        with self.broker.connect() as connection:
            channel = connection.channel()
            channel.qos(PREFETCH)
            channel.consume(name)
            drain, ack = connection.drain, channel.ack
            for _ in range(number):
                if self.tag - self.confirmed >= OUTSTANDING:
                    self.wait()
                self.tag = publish("", name, BODY, PERSISTENT)
                ack(drain(60).tag)  # type: ignore[union-attr]  # there are no events here
            self.wait_for_all()

    def empty(self) -> None:
        """Start a turn with nothing in the queue, and nothing to be written."""
        self.channel.purge_queue(self.name)
        self.broker.sync()

    @property
    def position(self) -> int:
        """Where the log ends."""
        durability = self.broker._durability
        assert durability is not None
        return durability.committer.log.end

    def bytes_written(self) -> int:
        """How much is written for one message that is waited for."""
        self.empty()
        before = self.position
        self.one_by_one(1)
        return self.position - before


@pytest.fixture
def peers(directory: Path) -> Iterator[list[tuple[Peer, Target]]]:
    """One queue of each of the others, not opened yet, and what we want to be against it."""
    with ExitStack() as stack:
        opened = [(peer(directory), target) for peer, target in TARGETS]
        for each, _ in opened:
            stack.callback(each.close)
        yield opened


def _turn(peer: Peer, puts: int, settled: bool) -> Contender:
    """A peer's turn, with an empty queue at its start."""
    if settled:
        name, run = f"{peer.name}, {peer.takes}", peer.put_take_settle
    else:
        name, run = f"{peer.name}, put", peer.put
    return Contender(name, lambda: run(puts), puts, peer.renew)


def bench_many_outstanding(
    run_race: RunRace, sized: Sized, directory: Path, peers: list[tuple[Peer, Target]]
) -> None:
    """Peers wait for each put: they have no other way, short of a transaction of one's own."""
    number, puts = sized(MESSAGES), sized(PUTS)
    with Broker(data=directory / "log") as broker:
        publisher = Publisher(broker)
        ours = Contender("minibroker", lambda: publisher.publish(number), number, publisher.empty)
        others = [(_turn(peer, puts, settled=False), target) for peer, target in peers]
        run_race(Race("log, 1,000 outstanding", ours, *others), ROUNDS)


def bench_publish_consume_ack(
    run_race: RunRace, sized: Sized, directory: Path, peers: list[tuple[Peer, Target]]
) -> None:
    """All in one thread. Peers take out what they have just put, which is the best for them."""
    number, puts = sized(MESSAGES), sized(SETTLED)
    with Broker(data=directory / "log") as broker:
        publisher = Publisher(broker)
        ours = Contender(
            "minibroker", lambda: publisher.through_a_consumer(number), number, publisher.empty
        )
        others = [(_turn(peer, puts, settled=True), target) for peer, target in peers]
        run_race(Race("log, publish, consume, ack", ours, *others), ROUNDS)


def _against_the_disk(
    ours: Contender, case: str, size: int, directory: Path, target: Target | None
) -> tuple[Race, BareFile]:
    bare = BareFile(directory, size)
    number = ours.units
    return Race(
        case, ours, (Contender(bare.name, lambda: bare.put(number), number, bare.renew), target)
    ), bare


def bench_one_at_a_time(run_race: RunRace, sized: Sized, directory: Path) -> None:
    """Against as many bytes as the log gets, written and synced without anything around it."""
    number = sized(SYNCS)
    with Broker(data=directory / "log") as broker:
        publisher = Publisher(broker)
        ours = Contender(
            "minibroker", lambda: publisher.one_by_one(number), number, publisher.empty
        )
        size = publisher.bytes_written()
        race, bare = _against_the_disk(ours, "log, one at a time", size, directory, at_least(0.7))
        run_race(race, 21)
        bare.close()


def bench_one_at_a_time_through_the_client(
    run_race: RunRace, sized: Sized, directory: Path
) -> None:
    """`Producer.publish` returns when the message is on the disk (`confirm_publish`)."""
    number = sized(SYNCS)
    with Broker(data=directory / "other") as broker:
        size = Publisher(broker).bytes_written()
    options = {"confirm_publish": True}
    with Connection(f"file://{directory}/log", transport_options=options) as connection:
        channel = connection.channel()
        queue = Queue("q", durable=True)(channel)
        queue.declare()
        producer = Producer(channel, routing_key="q")

        def publish() -> None:
            for _ in range(number):
                producer.publish(BODY)

        ours = Contender("minibroker", publish, number, queue.purge)
        race, bare = _against_the_disk(ours, "log, client, one at a time", size, directory, None)
        run_race(race, 21)
        bare.close()


@pytest.mark.parametrize("fsync", ["interval:100ms", "never"])
def bench_without_waiting_for_the_disk(
    run_race: RunRace, sized: Sized, directory: Path, fsync: str
) -> None:
    """What a put promises with diskcache: that it outlives the process, not the machine."""
    number, puts = sized(MESSAGES), sized(PUTS)
    with ExitStack() as stack:
        peer = DiskCache(directory)
        stack.callback(peer.close)
        broker = stack.enter_context(Broker(data=directory / "log", fsync=fsync))
        publisher = Publisher(broker)
        ours = Contender("minibroker", lambda: publisher.publish(number), number, publisher.empty)
        race = Race(
            f"log, 1,000 outstanding, {fsync}", ours, (_turn(peer, puts, settled=False), None)
        )
        run_race(race, ROUNDS)
