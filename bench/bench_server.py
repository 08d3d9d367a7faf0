"""The AMQP server against RabbitMQ, over loopback, both with their default settings.

MiniBroker has one process with one busy thread, and a thread for its log; RabbitMQ uses both cores.
The load takes the rest: what it sends was encoded before.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import pytest

from minibroker.wire.amqp import spec

from .amqp_brokers import Brokers, resident
from .amqp_load import Line, Link, cycle, latencies
from .conftest import DISK
from .ratio import Contender, Finding, Race, Spread, at_least, at_most

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

    from .conftest import RunRace, Sized

    Report = Callable[[list[Finding]], None]

MESSAGES = 50_000
CONFIRMED = 20_000
BY_CLIENTS = 2000
CYCLES = 200
IDLE = 2000
TIMED = 4000
RATE = 2000
ROUNDS = 9
LOOPS = ("asyncio", "uvloop")
VHOST = "%2F"


@pytest.fixture(scope="session")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    DISK.mkdir(exist_ok=True)
    disk = Path(tempfile.mkdtemp(prefix="amqp-", dir=DISK))
    made = Brokers(tmp_path_factory.mktemp("brokers"), disk)
    yield made
    made.close()
    shutil.rmtree(disk)


class Lines:
    """Makes lines to brokers, and closes them after the benchmark."""

    def __init__(self) -> None:
        self._made: list[Line] = []

    def __call__(self, port: int, *, durable: bool = False, no_ack: bool = False) -> Line:
        made = Line(port, durable=durable, no_ack=no_ack)
        self._made.append(made)
        return made

    def close(self) -> None:
        """Close all of them."""
        for each in self._made:
            each.close()


@pytest.fixture
def lines() -> Iterator[Lines]:
    made = Lines()
    yield made
    made.close()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("no_ack", [False, True], ids=["acks", "auto-ack"])
def bench_transient(
    brokers: Brokers, lines: Lines, run_race: RunRace, sized: Sized, loop: str, no_ack: bool
) -> None:
    number = sized(MESSAGES)

    def contender(name: str, port: int) -> Contender:
        line = lines(port, no_ack=no_ack)
        line.consume()
        return Contender(name, lambda: line.through(number), number)

    how = "auto-ack" if no_ack else "prefetch 1,000, acks every 100"
    ours = contender("MiniBroker", brokers.minibroker(loop).port)
    theirs = contender("RabbitMQ", brokers.rabbitmq().port)
    run_race(Race(f"transient, {how}, {loop}", ours, (theirs, at_least(1.5))), ROUNDS)


@pytest.mark.parametrize("loop", LOOPS)
def bench_persistent_with_confirms(
    brokers: Brokers, lines: Lines, run_race: RunRace, sized: Sized, loop: str
) -> None:
    number = sized(CONFIRMED)

    def contender(name: str, port: int) -> Contender:
        line = lines(port, durable=True)
        line.confirm()
        return Contender(name, lambda: line.publish_confirmed(number), number)

    ours = contender("MiniBroker", brokers.minibroker(loop, durable=True).port)
    theirs = contender("RabbitMQ", brokers.rabbitmq().port)
    run_race(Race(f"persistent, confirms, {loop}", ours, (theirs, at_least(3))), ROUNDS)


@pytest.mark.parametrize("loop", LOOPS)
def bench_backlog_first(
    brokers: Brokers, lines: Lines, run_race: RunRace, sized: Sized, loop: str
) -> None:
    number = sized(MESSAGES)

    def contender(name: str, port: int) -> Contender:
        def run() -> None:
            line = lines(port, no_ack=True)
            line.publish(number)
            line.settled()
            line.consume()
            line.receive(number)

        return Contender(name, run, number)

    ours = contender("MiniBroker", brokers.minibroker(loop).port)
    theirs = contender("RabbitMQ", brokers.rabbitmq().port)
    run_race(Race(f"backlog first, drained after, {loop}", ours, (theirs, at_least(5))), ROUNDS)


@pytest.mark.parametrize("loop", LOOPS)
def bench_latency(
    benchmark: BenchmarkFixture,
    brokers: Brokers,
    lines: Lines,
    sized: Sized,
    report: Report,
    loop: str,
) -> None:
    """Median and p99 at 2,000 messages a second, and what each is of RabbitMQ's."""
    number = sized(TIMED)
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "theirs": []}
    made = {
        "ours": lines(brokers.minibroker(loop).port, no_ack=True),
        "theirs": lines(brokers.rabbitmq().port, no_ack=True),
    }
    for line in made.values():
        line.consume()

    def turn() -> None:
        for name, line in made.items():
            times = latencies(line, number, RATE)
            found[name].append((median(times), quantiles(times, n=100)[98]))

    benchmark.pedantic(turn, rounds=5)  # type: ignore[no-untyped-call]  # theirs
    for index, what in enumerate(("median", "p99")):
        ours = [each[index] for each in found["ours"]]
        theirs = [each[index] for each in found["theirs"]]
        ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
        case = f"latency at {RATE}/s, {what}, {loop}"
        report(
            [Finding(case, Spread.of(ratios), at_most(1), "RabbitMQ", median(ours), median(theirs))]
        )


# -- as clients see it


def with_pika(port: int, number: int, stack: ExitStack) -> Callable[[], None]:
    """Publish with pika, then consume and ack."""
    pika = pytest.importorskip("pika")
    connection = pika.BlockingConnection(pika.URLParameters(f"amqp://127.0.0.1:{port}/{VHOST}"))
    stack.callback(connection.close)
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.basic_qos(prefetch_count=100)

    def run() -> None:
        for _ in range(number):
            channel.basic_publish("", queue, b"x" * 100)
        for count, (method, _, _) in enumerate(channel.consume(queue), start=1):
            channel.basic_ack(method.delivery_tag)
            if count == number:
                break
        channel.cancel()

    return run


def with_kombu(port: int, number: int, stack: ExitStack) -> Callable[[], None]:
    """Publish with Kombu, then consume and ack."""
    kombu = pytest.importorskip("kombu")
    connection = kombu.Connection(f"amqp://guest:guest@127.0.0.1:{port}/{VHOST}")
    stack.callback(connection.close)
    queue = kombu.Queue(f"kombu-{time.time_ns()}", durable=False, channel=connection.channel())
    stack.callback(queue.delete)
    producer = connection.Producer()
    got: list[int] = []

    def take(_: object, message: Any) -> None:
        message.ack()
        got.append(1)

    consumer = connection.Consumer([queue], callbacks=[take], prefetch_count=100)

    def run() -> None:
        got.clear()
        for _ in range(number):
            producer.publish(b"x" * 100, routing_key=queue.name)
        with consumer:
            while len(got) < number:
                connection.drain_events(timeout=30)

    return run


@pytest.mark.parametrize("client", [with_pika, with_kombu], ids=["pika", "Kombu"])
def bench_clients(
    brokers: Brokers,
    run_race: RunRace,
    sized: Sized,
    client: Callable[[int, int, ExitStack], Callable[[], None]],
) -> None:
    number = sized(BY_CLIENTS)
    with ExitStack() as stack:
        ours = client(brokers.minibroker().port, number, stack)
        theirs = client(brokers.rabbitmq().port, number, stack)
        case = f"{client.__name__.replace('_', ' ')}, publish, consume, ack"
        peer = Contender("RabbitMQ", theirs, number)
        race = Race(case, Contender("MiniBroker", ours, number), (peer, at_least(1)))
        run_race(race, ROUNDS)


def bench_connections_that_come_and_go(brokers: Brokers, run_race: RunRace, sized: Sized) -> None:
    number = sized(CYCLES)

    def contender(name: str, port: int) -> Contender:
        def run() -> None:
            for _ in range(number):
                cycle(port, "churn")

        return Contender(name, run, number)

    ours = contender("MiniBroker", brokers.minibroker().port)
    theirs = contender("RabbitMQ", brokers.rabbitmq().port)
    run_race(Race("connect, declare, publish, close", ours, (theirs, at_least(1))), ROUNDS)


# -- what it takes


def bench_start(benchmark: BenchmarkFixture, report: Report) -> None:
    """Seconds from starting the process to its `ready` line, and its memory then."""
    seconds: list[float] = []
    memory: list[float] = []
    command = [sys.executable, "-m", "minibroker", "serve", "--port", "0", "--log-level", "error"]

    def turn() -> None:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"ready")
        seconds.append(time.perf_counter() - begun)
        memory.append(resident(process.pid) / (1 << 20))
        process.terminate()
        process.wait()
        process.stdout.close()

    benchmark.pedantic(turn, rounds=9)  # type: ignore[no-untyped-call]  # theirs
    report(
        [
            Finding("seconds from exec to ready", Spread.of(seconds), at_most(0.5)),
            Finding("MiB resident, idle", Spread.of(memory), at_most(45)),
        ]
    )


def bench_idle_connections(
    benchmark: BenchmarkFixture, brokers: Brokers, sized: Sized, report: Report
) -> None:
    """KiB that a server grows for each connection with one channel."""
    number = sized(IDLE)
    server = brokers.minibroker()
    found: list[float] = []

    def turn() -> None:
        before = resident(server.pid)
        links = [Link(server.port) for _ in range(number)]
        links[-1].call(spec.QueueDeclare("", exclusive=True))
        found.append((resident(server.pid) - before) / number / 1024)
        for link in links:
            link.close()

    benchmark.pedantic(turn, rounds=1)  # type: ignore[no-untyped-call]  # theirs
    report([Finding(f"KiB each of {number} idle connections", Spread.of(found), at_most(40))])
