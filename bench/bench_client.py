"""The client against Kombu, both with `memory://`: publish, the consumer's callback, ack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .clients import KOMBU, OURS
from .ratio import Contender, Race, Target, at_least

if TYPE_CHECKING:
    from .conftest import OpenClient, RunRace, Sized

MESSAGES = 2000
BODY = bytes(100)
TARGET = at_least(6)
TASK = {
    "id": 12345,
    "task": "orders.send",
    "args": [1, 2, 3],
    "kwargs": {"dry": False, "to": "a" * 20},
}


def _race(
    case: str,
    number: int,
    open_client: OpenClient,
    body: Any = BODY,
    target: Target | None = TARGET,
    **arguments: Any,
) -> Race:
    """Publish with these arguments and drain, one by one, in both libraries."""

    def contender(name: str, library: Any) -> Contender:
        client = open_client(library).consume()
        return Contender(name, lambda: client.one_by_one(number, body, **arguments), number)

    return Race(case, contender("minibroker", OURS), (contender("Kombu", KOMBU), target))


def bench_bytes(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """As `publish(body)`: what it is has to be found out."""
    run_race(_race("client, bytes", sized(MESSAGES), open_client))


def bench_bytes_with_content_type(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """As those do who encode bodies themselves."""
    content: dict[str, Any] = {"content_type": "application/data", "content_encoding": "binary"}
    race = _race("client, bytes, type given", sized(MESSAGES), open_client, **content)
    run_race(race)


def bench_bytes_to_an_exchange(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """With exchange and routing key by name, to the queue through the producer's own exchange."""
    number = sized(MESSAGES)

    def contender(name: str, library: Any) -> Contender:
        client = open_client(library).consume()
        target = {"exchange": client.name, "routing_key": "key"}
        return Contender(name, lambda: client.one_by_one(number, BODY, **target), number)

    ours, kombu = contender("minibroker", OURS), contender("Kombu", KOMBU)
    run_race(Race("client, bytes, exchange named", ours, (kombu, TARGET)))


def bench_batches_of_100(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """Publish 100, then drain 100."""
    number = sized(MESSAGES)

    def contender(name: str, library: Any) -> Contender:
        client = open_client(library).consume()
        return Contender(name, lambda: client.in_batches(number, 100, BODY), number)

    ours, kombu = contender("minibroker", OURS), contender("Kombu", KOMBU)
    run_race(Race("client, bytes, batches of 100", ours, (kombu, TARGET)))


def bench_json(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """A dictionary that json makes 100 bytes of: encoded and decoded by either library."""
    run_race(_race("client, json", sized(MESSAGES), open_client, TASK, serializer="json"))


def bench_headers(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """Two headers, which neither side may share with the caller."""
    headers = {"id": "0b4c", "retries": 0}
    run_race(
        _race("client, two headers", sized(MESSAGES), open_client, target=None, headers=headers)
    )


def bench_prefetch_1(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """Batches to a consumer that may hold one message."""
    number = sized(MESSAGES)

    def contender(name: str, library: Any) -> Contender:
        client = open_client(library).consume(prefetch=1)
        return Contender(name, lambda: client.in_batches(number, 100, BODY), number)

    ours, kombu = contender("minibroker", OURS), contender("Kombu", KOMBU)
    run_race(Race("client, prefetch 1", ours, (kombu, None)))


def bench_priorities(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """With a priority on each message; the queue has none."""
    race = _race("client, priority given", sized(MESSAGES), open_client, target=None, priority=5)
    run_race(race)


def bench_get(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """Without a consumer: `queue.get()`, then ack."""
    number = sized(MESSAGES)

    def contender(name: str, library: Any) -> Contender:
        client = open_client(library)
        return Contender(name, lambda: client.fetch(number, BODY), number)

    ours, kombu = contender("minibroker", OURS), contender("Kombu", KOMBU)
    run_race(Race("client, get", ours, (kombu, None)))


def bench_fan_out_to_10(run_race: RunRace, open_client: OpenClient, sized: Sized) -> None:
    """One message to ten queues, and ten deliveries."""
    number = sized(MESSAGES // 5)

    def contender(name: str, library: Any) -> Contender:
        client = open_client(library, "fanout", queues=10).consume()
        return Contender(name, lambda: client.one_by_one(number, BODY), number)

    ours, kombu = contender("minibroker", OURS), contender("Kombu", KOMBU)
    run_race(Race("client, fan-out to 10", ours, (kombu, None)), rounds=11)
