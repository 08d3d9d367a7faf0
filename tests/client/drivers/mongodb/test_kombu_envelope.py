"""MongoDB shared with programs that use Kombu."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pymongo
import pytest

from minibroker_client.drivers.mongodb.kombu_envelope import hidden

from ....interop.needed import needed_module
from ...remote.places import server_of
from ..kombu_peers import Contract, Peers, is_quiet, next_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.filterwarnings("default")  # theirs
theirs = needed_module("kombu.transport.mongodb")


@pytest.fixture
def kombu_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The clients of Kombu, which it does not close."""
    made: list[Any] = []

    def client(**named: Any) -> Any:
        made.append(pymongo.MongoClient[Any](**named))
        return made[-1]

    monkeypatch.setattr(theirs, "MongoClient", client)
    yield
    for each in made:
        each.close()


@pytest.fixture(params=["nx-27017", "mongoeco"])
def peers(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kombu_clients: None
) -> Iterator[Peers]:
    # Neither stand-in says its version; one has no index with `_id`, the other no broadcasts.
    monkeypatch.setattr(pymongo.MongoClient, "server_info", lambda _: {"version": "7.0.0"})
    monkeypatch.setattr(theirs.Channel, "_ensure_indexes", lambda *_: None)
    monkeypatch.setattr(theirs.Channel, "_create_broadcast", lambda *_: None)
    server = server_of(request.param)
    url = f"mongodb://{server.host}:{server.port}/t{secrets.token_hex(6)}"
    # Nor may there be dots in the names of collections.
    names = {"routing_collection": "routing", "broadcast_collection": "broadcast"}
    made = Peers(url, url, names, {**names, "polling_interval": 0.02})
    yield made
    made.close()


@pytest.fixture
def database(peers: Peers) -> Iterator[Any]:
    with pymongo.MongoClient[Any](peers.url) as client:
        yield client[peers.url.rpartition("/")[2]]


def documents(database: Any, peers: Peers) -> list[Any]:
    """Those of the queue of the test: one stand-in has one database only."""
    names = [peers.queue, hidden(peers.queue)]
    return list(database.messages.find({"queue": {"$in": names}}))


class TestOnMongoDB(Contract):
    """What holds on each system."""

    def test_the_highest_priority_comes_first(self, peers: Peers) -> None:
        side = peers.side()
        for priority in (0, 9, 4, 200):
            kind = "text/plain"
            side.publish(peers.queue, b"%d" % priority, priority=priority, content_type=kind)
        assert is_quiet(side)
        assert [peers.kombu_gets().payload for _ in range(2)] == ["9", "200"]
        assert [next_of(side, peers.queue).message.body for _ in range(2)] == [b"4", b"0"]

    def test_a_document_is_one_of_kombus(self, peers: Peers, database: Any) -> None:
        side = peers.side()
        side.publish(peers.queue, priority=2)
        assert is_quiet(side)
        [found] = documents(database, peers)
        assert set(found) == {"_id", "payload", "queue", "priority"}
        assert (found["queue"], found["priority"]) == (peers.queue, 7)

    def test_a_leased_document_has_another_queue(self, peers: Peers, database: Any) -> None:
        side = peers.side()
        peers.kombu_sends("work")
        delivery = next_of(side, peers.queue)
        assert [each["queue"] for each in documents(database, peers)] == [hidden(peers.queue)]
        side.channel.nack(delivery.tag)
        assert next_of(side, peers.queue).redelivered
        side.channel.delete_queue(peers.queue)
        assert documents(database, peers) == []

    @pytest.mark.parametrize("kind", ["direct", "topic"])
    def test_kombu_routes_by_the_bindings_that_are_declared_here(
        self, peers: Peers, database: Any, kind: str
    ) -> None:
        side = peers.side()
        name = f"x-{peers.queue}"
        side.channel.declare_exchange(name, kind)
        for _ in range(2):
            side.channel.bind_queue(peers.queue, name, "a.b" if kind == "direct" else "a.*")
        with peers.kombu() as connection:
            exchange = needed_module("kombu").Exchange(name, kind)
            with connection.Producer(exchange=exchange) as producer:
                producer.publish("in vain", routing_key="b")
                producer.publish("hello", routing_key="a.b")
        message = next_of(side, peers.queue).message
        assert (message.body, message.exchange, message.routing_key) == (b"hello", name, "a.b")
        assert is_quiet(side)
        assert database.routing.count_documents({"exchange": name}) == 1
        side.channel.delete_exchange(name)
        assert database.routing.count_documents({"exchange": name}) == 0

    def test_what_is_ready_is_purged_and_what_is_leased_stays(
        self, peers: Peers, database: Any
    ) -> None:
        side = peers.side()
        side.channel.qos(1)
        for _ in range(3):
            side.publish(peers.queue)
        delivery = next_of(side, peers.queue)
        assert side.channel.purge_queue(peers.queue) == 2
        side.channel.ack(delivery.tag)
        assert is_quiet(side)
        assert documents(database, peers) == []

    def test_a_payload_that_is_no_envelope_is_another_programs(
        self, peers: Peers, database: Any
    ) -> None:
        side = peers.side()
        for payload in ("text", b"\xff", 5):
            row = {"queue": peers.queue, "payload": payload, "priority": 9}
            database.messages.insert_one(row)
        found = {next_of(side, peers.queue).message.body for _ in range(3)}
        assert found == {b"text", b"\xff", b"5"}
