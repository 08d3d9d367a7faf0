"""The broker without its client: `Channel.publish`, `drain`, `Channel.ack`."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from minibroker import Broker, Properties
from minibroker.events import Confirmed
from minibroker.properties import PLAIN

from .clients import KOMBU
from .ratio import Contender, Race, at_least

if TYPE_CHECKING:
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection

    from .conftest import OpenClient, RunRace, Sized

MESSAGES = 5000
KOMBU_MESSAGES = 1000
BODY = bytes(100)


class Core:
    """A connection to the broker with one queue and one consumer."""

    def __init__(self, broker: Broker, name: str = "plain", **arguments: Any) -> None:
        self.name = name
        self.connection: LocalConnection = broker.connect()
        self.channel: Channel = self.connection.channel()
        self.channel.declare_queue(name, durable=True, arguments=arguments)

    def consume(self, prefetch: int = 0) -> Core:
        """Start the consumer; returns the core itself."""
        self.channel.qos(prefetch)
        self.channel.consume(self.name)
        return self

    def one_by_one(self, number: int, properties: Properties = PLAIN) -> None:
        """Publish, drain and ack, `number` times."""
        name = self.name
        publish, drain, ack = self.channel.publish, self.connection.drain, self.channel.ack
        for _ in range(number):
            publish("", name, BODY, properties)
            ack(drain(0).tag)  # type: ignore[union-attr]  # there are no events here

    def in_batches(self, number: int, size: int) -> None:
        """Publish `size`, then drain and ack them; `number` in all."""
        name = self.name
        publish, drain, ack = self.channel.publish, self.connection.drain, self.channel.ack
        for start in range(0, number, size):
            batch = range(min(size, number - start))
            for _ in batch:
                publish("", name, BODY)
            for _ in batch:
                ack(drain(0).tag)  # type: ignore[union-attr]  # there are no events here

    def fetch(self, number: int) -> None:
        """Publish, get and ack, `number` times."""
        channel, name = self.channel, self.name
        for _ in range(number):
            channel.publish("", name, BODY)
            got = channel.get(name)
            assert got is not None
            channel.ack(got.entry.tag)

    def confirmed(self, number: int) -> None:
        """Publish, take the confirm and the delivery, and ack, `number` times."""
        channel, drain = self.channel, self.connection.drain
        for _ in range(number):
            channel.publish("", self.name, BODY)
            for _ in range(2):
                item = drain(0)
                if not isinstance(item, Confirmed):
                    channel.ack(item.tag)  # type: ignore[union-attr]  # a delivery


def put_and_get(through: queue.Queue[bytes], number: int) -> None:
    """What the standard library has for handing over within a process."""
    for _ in range(number):
        through.put(BODY)
        through.get()


@contextmanager
def threads(work: list[Any]) -> Iterator[None]:
    """Run functions in threads of their own, and wait for all."""
    running = [threading.Thread(target=each) for each in work]
    for thread in running:
        thread.start()
    yield
    for thread in running:
        thread.join()


def bench_publish_drain_ack(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    number, fewer = sized(MESSAGES), sized(KOMBU_MESSAGES)
    client = open_client(KOMBU).consume()
    standard: queue.Queue[bytes] = queue.Queue()
    with Broker() as broker:
        core = Core(broker).consume()
        race = Race(
            "core",
            Contender("minibroker", lambda: core.one_by_one(number), number),
            (Contender("Kombu", lambda: client.one_by_one(fewer, BODY), fewer), at_least(12)),
            (
                Contender("queue.Queue", lambda: put_and_get(standard, number), number),
                at_least(0.3),
            ),
        )
        run_race(race)


def bench_batches_of_100(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    number, fewer = sized(MESSAGES), sized(KOMBU_MESSAGES)
    client = open_client(KOMBU).consume()
    with Broker() as broker:
        core = Core(broker).consume()
        ours = Contender("minibroker", lambda: core.in_batches(number, 100), number)
        kombu = Contender("Kombu", lambda: client.in_batches(fewer, 100, BODY), fewer)
        run_race(Race("core, batches of 100", ours, (kombu, at_least(12))))


def _beside_plain(case: str, broker: Broker, contender: Contender) -> Race:
    """Against the plain loop on a plain queue of the same broker: what a feature costs."""
    plain = Core(broker).consume()
    number = contender.units
    return Race(
        case, contender, (Contender("core, plain", lambda: plain.one_by_one(number), number), None)
    )


def bench_confirms(run_race: RunRace, sized: Sized) -> None:
    number = sized(MESSAGES)
    with Broker() as broker:
        core = Core(broker, "confirmed").consume()
        core.channel.confirm_select()
        ours = Contender("minibroker", lambda: core.confirmed(number), number)
        run_race(_beside_plain("core, confirms", broker, ours))


def bench_prefetch_1(run_race: RunRace, sized: Sized) -> None:
    number = sized(MESSAGES)
    with Broker() as broker:
        core = Core(broker, "prefetch").consume(prefetch=1)
        ours = Contender("minibroker", lambda: core.in_batches(number, 100), number)
        run_race(_beside_plain("core, prefetch 1, batches", broker, ours))


def bench_a_priority_queue(run_race: RunRace, sized: Sized) -> None:
    number = sized(MESSAGES)
    with Broker() as broker:
        core = Core(broker, "priorities", **{"x-max-priority": 9}).consume()
        urgent = Properties(priority=5)
        ours = Contender("minibroker", lambda: core.one_by_one(number, urgent), number)
        run_race(_beside_plain("core, priority queue", broker, ours))


def bench_a_queue_with_a_ttl(run_race: RunRace, sized: Sized) -> None:
    number = sized(MESSAGES)
    with Broker() as broker:
        core = Core(broker, "ttl", **{"x-message-ttl": 60_000})
        ours = Contender("minibroker", lambda: core.fetch(number), number)
        run_race(_beside_plain("core, TTL queue, get", broker, ours))


def bench_a_quorum_queue(run_race: RunRace, sized: Sized) -> None:
    number = sized(MESSAGES)
    with Broker() as broker:
        core = Core(broker, "quorum", **{"x-queue-type": "quorum"}).consume()
        ours = Contender("minibroker", lambda: core.one_by_one(number), number)
        run_race(_beside_plain("core, quorum queue", broker, ours))


def bench_get(run_race: RunRace, sized: Sized) -> None:
    number = sized(MESSAGES)
    with Broker() as broker:
        core = Core(broker, "fetched")
        ours = Contender("minibroker", lambda: core.fetch(number), number)
        run_race(_beside_plain("core, get", broker, ours))


def bench_fan_out_to_10(run_race: RunRace, sized: Sized) -> None:
    number = sized(MESSAGES // 5)
    with Broker() as broker:
        connection = broker.connect()
        channel = connection.channel()
        for index in range(10):
            channel.declare_queue(f"q{index}", durable=True)
            channel.bind_queue(f"q{index}", "amq.fanout")
            channel.consume(f"q{index}")

        def fan_out() -> None:
            for _ in range(number):
                channel.publish("amq.fanout", "", BODY)
                for _ in range(10):
                    channel.ack(connection.drain(0).tag)  # type: ignore[union-attr]  # no events

        run_race(_beside_plain("core, fan-out to 10", broker, Contender("ours", fan_out, number)))


def bench_8_threads(run_race: RunRace, sized: Sized) -> None:
    """Eight connections on one broker, each with a queue and a thread of its own."""
    number = sized(MESSAGES // 4)
    with Broker() as broker:
        cores = [Core(broker, f"q{index}").consume() for index in range(8)]
        standard: queue.Queue[bytes] = queue.Queue()

        def ours() -> None:
            with threads([lambda core=core: core.one_by_one(number) for core in cores]):
                pass

        def theirs() -> None:
            with threads([lambda: put_and_get(standard, number) for _ in cores]):
                pass

        race = _beside_plain("core, 8 threads", broker, Contender("ours", ours, number * 8))
        peer = Contender("queue.Queue, 8 threads", theirs, number * 8)
        run_race(Race(race.case, race.ours, *race.peers, (peer, None)), rounds=11)
