"""The client over sockets: its native protocol and AMQP against the clients of other brokers.

End to end means a publishing process, a consuming process and the broker, each by itself, on the
two cores of this machine: what any of them costs counts.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

import minibroker_client

from .amqp_brokers import Brokers, resident
from .conftest import DISK
from .one_process import Ours, Pika, WindowedPika
from .other_servers import OtherServer, Pump
from .ratio import Contender, Finding, Race, Spread, Target, at_least, at_most
from .round_trip import RoundTrips
from .socket_line import ProcessLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

    from .conftest import RunRace, Sized

    Report = Callable[[list[Finding]], None]

OURS = 60_000
THEIRS = 6000
LARGE = 100
MIB = 1 << 20
TRIPS = 1000
IDLE = 2000
ROUNDS = 7


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    DISK.mkdir(exist_ok=True)
    disk = Path(tempfile.mkdtemp(prefix="sockets-", dir=DISK))
    made = Brokers(tmp_path_factory.mktemp("socket-brokers"), disk)
    yield made
    made.close()
    shutil.rmtree(disk)


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def native(brokers: Brokers) -> str:
    """The URL of MiniBroker in its own protocol."""
    url: str = brokers.minibroker().url
    return url.replace("amqp://", "minibroker://", 1)


def line(closing: ExitStack, name: str, library: str, url: str, number: int) -> Contender:
    """End to end with one library."""
    made = ProcessLine(library, url)
    closing.callback(made.close)
    return Contender(name, lambda: made.through(number), number)


PEERS: list[tuple[str, str, Target]] = [
    ("pika on RabbitMQ", "pika", at_least(10)),
    ("Kombu on RabbitMQ", "kombu", at_least(10)),
    ("redis-py streams", "redis", at_least(1.5)),
    ("nats-py JetStream", "nats", at_least(3)),
]


@pytest.mark.parametrize(("name", "library", "target"), PEERS, ids=[peer[1] for peer in PEERS])
def bench_end_to_end(  # noqa: PLR0913 -- fixtures
    brokers: Brokers, closing: ExitStack, run_race: RunRace, sized: Sized, tmp_path: Path,
    name: str, library: str, target: Target,
) -> None:  # fmt: skip
    if library in {"redis", "nats"}:
        url = closing.enter_context(OtherServer(library, tmp_path)).url
        number = sized(OURS)
    else:
        url, number = brokers.rabbitmq().url, sized(THEIRS)
    ours = line(closing, "native", "ours", native(brokers), sized(OURS))
    theirs = line(closing, name, library, url, number)
    run_race(Race("native, end to end, acks", ours, (theirs, target)), ROUNDS)


def bench_end_to_end_asyncio(
    brokers: Brokers, closing: ExitStack, run_race: RunRace, sized: Sized
) -> None:
    ours = line(closing, "native", "aio", native(brokers), sized(OURS // 3))
    theirs = line(closing, "aio-pika", "aio-pika", brokers.rabbitmq().url, sized(THEIRS // 3))
    run_race(Race("asyncio native, confirms and acks", ours, (theirs, at_least(5))), ROUNDS)


def bench_large_bodies(
    brokers: Brokers, closing: ExitStack, run_race: RunRace, sized: Sized
) -> None:
    number = sized(LARGE)
    made = ProcessLine("ours", native(brokers))
    closing.callback(made.close)
    pump = Pump()
    closing.callback(pump.close)
    ours = Contender("native", lambda: made.through(number, MIB), number)
    theirs = Contender("socket pump", lambda: pump.through(number, MIB), number)
    run_race(Race("1 MiB bodies, end to end", ours, (theirs, at_least(0.5))), ROUNDS)


# -- amqp:// in one process, on RabbitMQ


def bench_publish(brokers: Brokers, closing: ExitStack, run_race: RunRace, sized: Sized) -> None:
    number, url = sized(10_000), brokers.rabbitmq().url
    _race_filling(closing, run_race, number, Ours(url), Pika(url), "publish", at_least(1.5))


def bench_confirms(brokers: Brokers, closing: ExitStack, run_race: RunRace, sized: Sized) -> None:
    number, url = sized(10_000), brokers.rabbitmq().url
    ours, theirs = Ours(url, window=100), WindowedPika(url)
    case = "confirms, 100 outstanding"
    _race_filling(closing, run_race, number, ours, theirs, case, at_least(1.2))


def _race_filling(  # noqa: PLR0913 -- what the three races share
    closing: ExitStack, run_race: RunRace, number: int, ours: Any, theirs: Any, case: str,
    target: Target,
) -> None:  # fmt: skip
    for each in (ours, theirs):
        closing.callback(each.close)
    contenders = [
        Contender(name, lambda each=each: each.fill(number), number, prepare=each.purge)  # type: ignore[misc]  # a lambda's default
        for name, each in (("amqp://", ours), ("pika", theirs))
    ]
    race = Race(f"amqp:// on RabbitMQ, {case}", contenders[0], (contenders[1], target))
    run_race(race, ROUNDS)


def bench_consume(brokers: Brokers, closing: ExitStack, run_race: RunRace, sized: Sized) -> None:
    number, url = sized(10_000), brokers.rabbitmq().url
    contenders = []
    for name, each in (("amqp://", Ours(url)), ("pika", Pika(url))):
        closing.callback(each.close)

        def prepare(each: Ours | Pika = each) -> None:
            each.purge()
            each.fill(number)

        contenders.append(
            Contender(name, lambda each=each: each.empty(number), number, prepare=prepare)  # type: ignore[misc]  # a lambda's default
        )
    case = "amqp:// on RabbitMQ, consume and ack, prefetch 100"
    run_race(Race(case, contenders[0], (contenders[1], at_least(1.5))), ROUNDS)


# -- latency and memory


def bench_round_trip(
    brokers: Brokers, closing: ExitStack, report: Report, sized: Sized,
    benchmark: BenchmarkFixture,
) -> None:  # fmt: skip
    number = sized(TRIPS)
    sides = {
        "native": RoundTrips("ours", native(brokers)),
        "amqp:// on RabbitMQ": RoundTrips("ours", brokers.rabbitmq().url),
        "pika": RoundTrips("pika", brokers.rabbitmq().url),
    }
    for side in sides.values():
        closing.callback(side.close)
        side.times(number // 10)
    medians: dict[str, list[float]] = {name: [] for name in sides}

    def rounds() -> None:
        for _ in range(ROUNDS if benchmark.enabled else 1):
            for name, side in sides.items():
                medians[name].append(median(side.times(number)))

    benchmark.pedantic(rounds, rounds=1)  # type: ignore[no-untyped-call]  # theirs
    findings = []
    for name in ("native", "amqp:// on RabbitMQ"):
        ratios = [a / b for a, b in zip(medians[name], medians["pika"], strict=True)]
        findings.append(
            Finding(
                f"round trip, {name}, median", Spread.of(ratios), at_most(1), "pika on RabbitMQ",
                median(medians[name]), median(medians["pika"]),
            )
        )  # fmt: skip
    report(findings)


def bench_idle_connections(
    closing: ExitStack, report: Report, sized: Sized, benchmark: BenchmarkFixture, tmp_path: Path
) -> None:
    number = sized(IDLE)
    # A new broker: one that was busy has memory left over, and would grow by a third less.
    brokers = Brokers(tmp_path, tmp_path)
    closing.callback(brokers.close)
    server = brokers.minibroker()
    url = native(brokers)
    made: list[Any] = []

    def connect() -> None:
        for _ in range(number):
            connection = minibroker_client.Connection(url)
            closing.callback(connection.close)
            connection.default_channel.declare_queue("idle")
            made.append(connection)

    before = resident(server.pid)
    benchmark.pedantic(connect, rounds=1)  # type: ignore[no-untyped-call]  # theirs
    each = (resident(server.pid) - before) / number
    report([Finding("bytes per idle native connection", Spread.of([each]), at_most(30 << 10))])
