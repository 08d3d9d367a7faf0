"""What a ready message takes, beyond the bytes of its body (tracemalloc)."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING, Any

from minibroker import Broker

from .clients import KOMBU, OURS
from .conftest import repeat
from .ratio import Finding, Spread, at_most

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

    from .clients import Library
    from .conftest import OpenClient, Sized
    from .ratio import Target

    Report = Callable[[list[Finding]], None]

MESSAGES = 100_000
SIZE = 100


def _bodies(number: int) -> Iterator[bytes]:
    """Each one an object of its own, as from a socket or a serializer."""
    return (b"%0*d" % (SIZE, index) for index in range(number))


def _over_the_body(fill: Callable[[], object], number: int) -> float:
    """Bytes per message that are allocated and stay, without the bytes that were published.

    The 33 bytes of the object around a body count: they are not the publisher's.
    """
    gc.collect()
    tracemalloc.start()
    try:
        fill()
        gc.collect()
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return used / number - SIZE


def _finding(case: str, size: float, target: Target | None) -> Finding:
    return Finding(case, Spread(size, size, size), target)


def bench_a_ready_message_of_the_core(
    benchmark: BenchmarkFixture, report: Report, sized: Sized
) -> None:
    number = sized(MESSAGES)
    with Broker() as broker:
        channel = broker.connect().channel()
        channel.declare_queue("q", durable=True)

        def fill() -> None:
            for body in _bodies(number):
                channel.publish("", "q", body)

        repeat(benchmark, fill, lambda: channel.purge_queue("q"), rounds=3)
        channel.purge_queue("q")
        size = _over_the_body(fill, number)
        report([_finding("bytes per ready message, core", size, at_most(400))])


def _client(
    library: Library, open_client: OpenClient, benchmark: BenchmarkFixture, number: int
) -> float:
    client: Any = open_client(library)
    repeat(benchmark, lambda: client.fill(_bodies(number)), client.purge, rounds=1)
    client.purge()
    return _over_the_body(lambda: client.fill(_bodies(number)), number)


def bench_a_ready_message_of_the_client(
    benchmark: BenchmarkFixture, report: Report, open_client: OpenClient, sized: Sized
) -> None:
    size = _client(OURS, open_client, benchmark, sized(MESSAGES))
    report([_finding("bytes per ready message, client", size, at_most(400))])


def bench_a_ready_message_of_kombu(
    benchmark: BenchmarkFixture, report: Report, open_client: OpenClient, sized: Sized
) -> None:
    size = _client(KOMBU, open_client, benchmark, sized(MESSAGES))
    report([_finding("bytes per ready message, Kombu", size, None)])
