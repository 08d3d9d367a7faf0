"""Redis shared with programs that use Kombu, and with Celery."""

from __future__ import annotations

import json
import secrets
import threading
from typing import TYPE_CHECKING, Any

import pytest
import redis

from minibroker_client.drivers.redis.kombu_envelope import KombuNames

from ....interop.needed import needed_module
from ...remote.places import server_of
from ...transport.side import SECONDS
from ..kombu_peers import Contract, Peers, is_quiet, next_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.filterwarnings("default")  # theirs
celery = needed_module("celery")


@pytest.fixture
def peers() -> Iterator[Peers]:
    url = server_of("redis").url
    prefix = {"global_keyprefix": f"t{secrets.token_hex(4)}:"}
    made = Peers(url, url, prefix, prefix)
    yield made
    made.close()


@pytest.fixture
def client() -> Iterator[Any]:
    with redis.Redis.from_url(server_of("redis").url) as made:
        yield made


def keys(client: Any, peers: Peers) -> list[str]:
    """What is in the place of the test, without its prefix."""
    prefix = peers.ours["global_keyprefix"]
    return sorted(key.decode().removeprefix(prefix) for key in client.keys(f"{prefix}*"))


class TestOnRedis(Contract):
    """What holds on each system."""

    @pytest.mark.parametrize("sender", ["ours", "kombu"])
    @pytest.mark.parametrize("receiver", ["ours", "kombu"])
    def test_the_lowest_priority_comes_first(
        self, peers: Peers, sender: str, receiver: str
    ) -> None:
        side = peers.side()
        for priority in (9, 0, 4, 200, 3):
            if sender == "ours":
                kind = "text/plain"
                side.publish(peers.queue, b"%d" % priority, priority=priority, content_type=kind)
            else:
                peers.kombu_sends(str(priority), priority=priority)
        assert is_quiet(side)
        if receiver == "ours":
            found = [next_of(side, peers.queue).message.body.decode() for _ in range(5)]
        else:
            found = [peers.kombu_gets().payload for _ in range(5)]
        assert found == ["0", "4", "3", "9", "200"]

    def test_kombus_options_on_priorities_are_understood(self, peers: Peers) -> None:
        options = {"priority_steps": list(range(10)), "sep": ":"}
        peers.ours |= options
        peers.theirs |= options
        side = peers.side()
        for priority in (4, 3, 9):
            peers.kombu_sends(str(priority), priority=priority)
        assert [next_of(side, peers.queue).message.body for _ in range(3)] == [b"3", b"4", b"9"]

    @pytest.mark.parametrize("kind", ["direct", "topic"])
    def test_kombu_routes_by_the_bindings_that_are_declared_here(
        self, peers: Peers, client: Any, kind: str
    ) -> None:
        side = peers.side()
        name = f"x-{peers.queue}"
        side.channel.declare_exchange(name, kind)
        side.channel.bind_queue(peers.queue, name, "a.b" if kind == "direct" else "a.*")
        with peers.kombu() as connection:
            exchange = needed_module("kombu").Exchange(name, kind)
            with connection.Producer(exchange=exchange) as producer:
                producer.publish("in vain", routing_key="b")
                producer.publish("hello", routing_key="a.b")
        message = next_of(side, peers.queue).message
        assert (message.body, message.exchange, message.routing_key) == (b"hello", name, "a.b")
        assert is_quiet(side)
        assert f"_kombu.binding.{name}" in keys(client, peers)
        side.channel.delete_exchange(name)
        assert not [key for key in keys(client, peers) if name in key and "binding" in key]

    def test_a_queue_leaves_nothing_behind(self, peers: Peers, client: Any) -> None:
        side = peers.side()
        for _ in range(2):
            side.publish(peers.queue)
        delivery = next_of(side, peers.queue)
        side.channel.ack(delivery.tag)
        side.channel.delete_queue(peers.queue)
        side.connection.close()
        left = [key for key in keys(client, peers) if peers.queue in key and ":count:" not in key]
        assert left == []

    def test_a_worker_of_kombus_and_ours_share_the_work(self, peers: Peers) -> None:
        side = peers.side()
        side.channel.qos(1)
        for number in range(20):
            peers.kombu_sends(str(number))
        done = []
        for _ in range(10):
            done.append(peers.kombu_gets().payload)
            delivery = next_of(side, peers.queue)
            done.append(delivery.message.body.decode())
            side.channel.ack(delivery.tag)
        assert sorted(done, key=int) == [str(number) for number in range(20)]

    def test_what_kombu_sends_wakes_a_consumer_up(self, peers: Peers) -> None:
        side = peers.side()
        side.channel.consume(peers.queue, side.deliveries.append)
        assert is_quiet(side, 0.3)
        sender = threading.Thread(target=peers.kombu_sends, args=["hello"])
        sender.start()
        assert next_of(side, peers.queue).message.body == b"hello"
        sender.join()


@pytest.fixture
def application(peers: Peers) -> Iterator[Any]:
    def leaves_logging_alone(**_: Any) -> None:
        pass

    signal = needed_module("celery.signals").setup_logging
    signal.connect(leaves_logging_alone)
    made = celery.Celery("tests", broker=peers.kombu_url, backend="cache+memory://")
    made.conf.update(
        broker_transport_options=peers.theirs,
        task_default_queue=peers.queue,
        broker_connection_retry_on_startup=False,
        worker_hijack_root_logger=False,
    )
    yield made
    made.close()
    signal.disconnect(leaves_logging_alone)
    needed_module("kombu.pools").reset()


def test_a_task_of_celery_is_received(peers: Peers, application: Any) -> None:
    side = peers.side()
    sent = application.send_task("add", [1, 2], {"word": "grün"}, countdown=0)
    delivery = next_of(side, peers.queue)
    headers = delivery.message.properties.headers
    assert (headers["task"], headers["id"]) == ("add", sent.id)
    arguments, named, _ = json.loads(delivery.message.body)
    assert (arguments, named) == ([1, 2], {"word": "grün"})
    side.channel.ack(delivery.tag)
    assert is_quiet(side)
    assert side.channel.declare_queue(peers.queue, passive=True).message_count == 0


def test_a_task_that_is_published_here_is_run_by_celery(peers: Peers, application: Any) -> None:
    done = threading.Event()
    calls: list[Any] = []

    def add(*arguments: int) -> None:
        calls.append(arguments)
        done.set()

    application.task(name="add")(add)
    side = peers.side()
    # Celery's message protocol, version 2.
    number = secrets.token_hex(8)
    headers = {"lang": "py", "task": "add", "id": number, "root_id": number, "parent_id": None}
    values = {"correlation_id": number, "content_encoding": "utf-8"}
    body = json.dumps([[1, 2], {}, {"callbacks": None}]).encode()
    kind = "application/json"
    side.publish(peers.queue, body, headers=headers, content_type=kind, **values)
    side.connection.close()
    start_worker = needed_module("celery.contrib.testing.worker").start_worker
    with start_worker(application, pool="solo", perform_ping_check=False, shutdown_timeout=SECONDS):
        assert done.wait(SECONDS)
    assert calls == [(1, 2)]


def test_names_are_those_of_kombus_options() -> None:
    assert KombuNames.asked_for({}) is None
    names = KombuNames.asked_for({"envelope": "kombu"})
    assert names is not None
    assert names.lists("q") == ["q", "q\x06\x163", "q\x06\x166", "q\x06\x169"]
    assert [names.place(each) for each in (None, 0, 2, 3, 5, 8, 9, 255)] == [0, 0, 0, 1, 1, 2, 3, 3]
    options = {"priority_steps": [5, 0], "sep": ":", "global_keyprefix": "p."}
    names = KombuNames.asked_for({"envelope": "kombu", **options})
    assert names is not None
    assert names.lists("q") == ["p.q", "p.q:5"]
    assert names.own("mine") == "p.mine-kombu"
    with pytest.raises(ValueError, match="priority_steps"):
        KombuNames.asked_for({"envelope": "kombu", "priority_steps": [1]})
