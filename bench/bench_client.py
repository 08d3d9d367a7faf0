"""The client against Kombu, both with `memory://`: publish, the consumer's callback, ack.

What stands between publishing and the ack is the same code for both, in `clients.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from .clients import KOMBU, OURS, Client
from .ratio import Contender, Race, Target, at_least

if TYPE_CHECKING:
    from .conftest import OpenClient, RunRace, Sized

Work: TypeAlias = Callable[[Client], object]

MESSAGES = 2000
BODY = bytes(100)
TASK = {
    "id": 12345,
    "task": "orders.send",
    "args": [1, 2, 3],
    "kwargs": {"dry": False, "to": "a" * 9},
}
"""100 bytes of json."""
TARGET = at_least(6)


def _race(case: str, number: int, clients: list[Client], work: Work, target: Target | None) -> Race:
    """The same work of both clients, ours first."""
    ours, kombu = clients
    return Race(
        f"client, {case}",
        Contender("minibroker", lambda: work(ours), number),
        (Contender("Kombu", lambda: work(kombu), number), target),
    )


def _consuming(open_client: OpenClient) -> list[Client]:
    return [open_client(library).consume() for library in (OURS, KOMBU)]


def _one_by_one(number: int, body: Any = BODY, **arguments: Any) -> Work:
    return lambda client: client.one_by_one(number, body, **arguments)


def bench_bytes(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """As `publish(body)`: what it is has to be found out."""
    number = sized(MESSAGES)
    run_race(_race("bytes", number, _consuming(open_client), _one_by_one(number), TARGET))


def bench_bytes_with_content_type(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """As those do who encode bodies themselves."""
    number = sized(MESSAGES)
    content = {"content_type": "application/data", "content_encoding": "binary"}
    work = _one_by_one(number, **content)
    run_race(_race("bytes, type given", number, _consuming(open_client), work, TARGET))


def bench_bytes_to_an_exchange(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """With the names of exchange and routing key."""
    number = sized(MESSAGES)

    def work(client: Client) -> None:
        client.one_by_one(number, BODY, exchange=client.name, routing_key="key")

    run_race(_race("bytes, exchange named", number, _consuming(open_client), work, TARGET))


def bench_batches_of_100(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """Publish 100, then drain 100."""
    number = sized(MESSAGES)

    def work(client: Client) -> None:
        client.in_batches(number, 100, BODY)

    run_race(_race("bytes, batches of 100", number, _consuming(open_client), work, TARGET))


def bench_json(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """A dictionary that json makes 100 bytes of: encoded and decoded by either library.

    The json of the standard library, which both use, takes 4 us of that alone.
    """
    number = sized(MESSAGES)
    work = _one_by_one(number, TASK, serializer="json")
    run_race(_race("json", number, _consuming(open_client), work, TARGET))


def bench_headers(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """Two headers, which are copied, because the caller may change them afterwards."""
    number = sized(MESSAGES)
    work = _one_by_one(number, headers={"id": "0b4c", "retries": 0})
    run_race(_race("bytes, two headers", number, _consuming(open_client), work, None))


def bench_prefetch_1(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """Batches to a consumer that may hold one message."""
    number = sized(MESSAGES)
    clients = [open_client(library).consume(prefetch=1) for library in (OURS, KOMBU)]

    def work(client: Client) -> None:
        client.in_batches(number, 100, BODY)

    run_race(_race("prefetch 1, batches of 100", number, clients, work, None))


def bench_priorities(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """With a priority on each message; the queue has none."""
    number = sized(MESSAGES)
    work = _one_by_one(number, priority=5)
    run_race(_race("bytes, priority given", number, _consuming(open_client), work, None))


def bench_get(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """Without a consumer: publish, `queue.get()`, ack."""
    number = sized(MESSAGES)
    clients = [open_client(library) for library in (OURS, KOMBU)]
    run_race(_race("get", number, clients, lambda client: client.fetch(number, BODY), None))


def bench_fan_out_to_10(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """One message to ten queues, and ten deliveries."""
    number = sized(MESSAGES // 5)
    clients = [open_client(library, "fanout", queues=10).consume() for library in (OURS, KOMBU)]
    run_race(_race("fan-out to 10", number, clients, _one_by_one(number), None), rounds=11)
