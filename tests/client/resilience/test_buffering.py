"""Publishes that are kept until they are confirmed: nothing that was accepted is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import Connection, Queue
from minibroker_client.exceptions import BufferFull, MessageNacked, MessageReturned, NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from minibroker import Broker

    from .proxy import Proxy

SECONDS = 20.0
QUICK = {"interval_start": 0, "interval_step": 0, "interval_max": 0}


def options(**buffer: Any) -> dict[str, Any]:
    return {"buffer": buffer or True, **QUICK}


def arrived(broker: Broker, queue: str = "q") -> list[tuple[str, bytes]]:
    """Ids and bodies of what lies in a queue."""
    channel = broker.connect().channel()
    found: list[tuple[str, bytes]] = []
    while (got := channel.get(queue, no_ack=True)) is not None:
        message = got.entry.message
        found.append((str(message.properties.message_id), message.body))
    return found


@pytest.fixture
def durable(real_broker: Broker) -> Broker:
    """The broker, with queue `q`."""
    real_broker.connect().channel().declare_queue("q", durable=True)
    return real_broker


def check_nothing_lost(found: list[tuple[str, bytes]], bodies: list[bytes]) -> None:
    """All are there, and what is there twice has the same id."""
    ids: dict[bytes, set[str]] = {}
    for message_id, body in found:
        ids.setdefault(body, set()).add(message_id)
    assert set(ids) == set(bodies)
    assert all(len(each) == 1 for each in ids.values())
    assert len(set.union(*ids.values())) == len(bodies)


@pytest.mark.parametrize("side", ["client", "broker"])
@pytest.mark.parametrize("after", [1, 3, 7, 8, 20, 60, 150, 400, 900, 2000, 5000])
def test_a_connection_that_is_cut_anywhere_loses_nothing(
    proxy: Proxy, scheme: str, durable: Broker, after: int, side: str
) -> None:
    bodies = [b"%d" % number for number in range(60)]
    with Connection(proxy.url(scheme), transport_options=options()) as connection:
        producer = connection.Producer()
        producer.publish(bodies[0], routing_key="q")
        if side == "client":
            proxy.cut_after = after
        else:
            proxy.cut_back_after = min(after, 100)
        for body in bodies[1:]:
            producer.publish(body, routing_key="q")
        connection.wait_for_confirms(timeout=SECONDS)
    if after <= (2000 if side == "client" else 7):
        assert proxy.accepted > 1, "nothing was cut"
    check_nothing_lost(arrived(durable), bodies)


def test_publishes_while_the_broker_is_away_arrive_in_order_when_it_is_back(
    proxy: Proxy, scheme: str, real_broker: Broker
) -> None:
    proxy.refusing = True
    queue = Queue("q", durable=True)
    bodies = [b"%d" % number for number in range(20)]
    with Connection(proxy.url(scheme), transport_options=options()) as connection:
        producer = connection.Producer()
        for body in bodies:
            producer.publish(body, routing_key="q", declare=[queue], message_id=body.decode())
        assert connection.buffer is not None
        assert len(connection.buffer) == 20
        proxy.refusing = False
        connection.wait_for_confirms(timeout=SECONDS)
        assert len(connection.buffer) == 0
    assert arrived(real_broker) == [(body.decode(), body) for body in bodies]


def test_publishing_goes_on_after_the_broker_went_and_came(
    proxy: Proxy, scheme: str, durable: Broker
) -> None:
    bodies = [b"%d" % number for number in range(30)]
    with Connection(proxy.url(scheme), transport_options=options()) as connection:
        producer = connection.Producer()
        for number, body in enumerate(bodies):
            if number % 10 == 5:
                proxy.refusing = True
                proxy.cut()
            if number % 10 == 9:
                proxy.refusing = False
            producer.publish(body, routing_key="q")
        connection.wait_for_confirms(timeout=SECONDS)
    check_nothing_lost(arrived(durable), bodies)


@pytest.mark.parametrize("limit", [{"max_messages": 5}, {"max_bytes": 50}])
def test_a_full_buffer_says_so_and_keeps_nothing_of_it(
    proxy: Proxy, scheme: str, durable: Broker, limit: dict[str, int]
) -> None:
    proxy.refusing = True
    with Connection(proxy.url(scheme), transport_options=options(**limit)) as connection:
        producer = connection.Producer()
        for _ in range(5):
            producer.publish(bytes(10), routing_key="q")
        with pytest.raises(BufferFull, match="wait to be confirmed"):
            producer.publish(b"one more", routing_key="q")
        proxy.refusing = False
        connection.wait_for_confirms(timeout=SECONDS)
        producer.publish(b"room again", routing_key="q")
        connection.wait_for_confirms(timeout=SECONDS)
    assert [body for _, body in arrived(durable)] == [bytes(10)] * 5 + [b"room again"]


def test_a_full_buffer_waits_for_confirms_while_the_broker_is_there(
    proxy: Proxy, scheme: str, durable: Broker
) -> None:
    limited = options(max_messages=7)
    with Connection(proxy.url(scheme), transport_options=limited) as connection:
        producer = connection.Producer()
        for number in range(100):
            producer.publish(b"%d" % number, routing_key="q")
    assert [body for _, body in arrived(durable)] == [b"%d" % number for number in range(100)]


def test_a_spool_outlives_the_application(
    proxy: Proxy, scheme: str, durable: Broker, tmp_path: Path
) -> None:
    proxy.refusing = True
    spooled = options(directory=str(tmp_path / "spool"), fsync="never")
    first = Connection(proxy.url(scheme), transport_options=spooled)
    headers = {"a": [1, {"b": None}]}
    first.Producer().publish(b"1", routing_key="q", headers=headers, priority=3)
    first.Producer().publish(b"2", routing_key="q")
    first.close()
    proxy.refusing = False
    with Connection(proxy.url(scheme), transport_options=spooled) as connection:
        connection.connect()
        connection.wait_for_confirms(timeout=SECONDS)
        [got] = [durable.connect().channel().get("q")]
        assert got is not None
        assert got.entry.message.properties.headers == headers
        assert got.entry.message.properties.priority == 3
        assert got.entry.message.properties.message_id
    with Connection(proxy.url(scheme), transport_options=spooled) as connection:
        connection.connect()
        assert connection.buffer is not None
        assert len(connection.buffer) == 0
    assert [body for _, body in arrived(durable)] in ([b"1", b"2"], [b"2"])


def test_closing_waits_for_what_is_not_confirmed(
    proxy: Proxy, scheme: str, durable: Broker
) -> None:
    with Connection(proxy.url(scheme), transport_options=options()) as connection:
        connection.Producer().publish(b"x", routing_key="q")
    assert len(arrived(durable)) == 1


def test_closing_while_the_broker_is_away_says_what_is_gone(
    proxy: Proxy, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.refusing = True
    with Connection(proxy.url(scheme), transport_options=options()) as connection:
        connection.Producer().publish(b"x", routing_key="q")
    assert "1 messages were not confirmed and are gone" in caplog.text


def test_waiting_for_confirms_ends_with_its_time(proxy: Proxy, scheme: str) -> None:
    proxy.refusing = True
    with Connection(proxy.url(scheme), transport_options=options()) as connection:
        connection.Producer().publish(b"x", routing_key="q")
        with pytest.raises(TimeoutError, match="1 messages were not confirmed within"):
            connection.wait_for_confirms(timeout=0.1)


def test_a_refused_message_is_said_and_not_kept(
    proxy: Proxy, scheme: str, real_broker: Broker
) -> None:
    full: dict[str, Any] = {"x-max-length": 1, "x-overflow": "reject-publish"}
    real_broker.connect().channel().declare_queue("q", durable=True, arguments=full)
    with Connection(proxy.url(scheme), transport_options=options()) as connection:
        producer = connection.Producer()
        producer.publish(b"1", routing_key="q")
        producer.publish(b"2", routing_key="q")
        with pytest.raises(MessageNacked, match="refused 1 messages.*routing key 'q'"):
            connection.wait_for_confirms(timeout=SECONDS)
        connection.wait_for_confirms(timeout=SECONDS)
    assert [body for _, body in arrived(real_broker)] == [b"1"]


def test_one_that_closes_the_channel_is_found_and_the_others_arrive(
    proxy: Proxy, scheme: str, durable: Broker
) -> None:
    bodies = [b"%d" % number for number in range(10)]
    with Connection(proxy.url(scheme), transport_options=options()) as connection:
        producer = connection.Producer()
        errors = 0
        for number, body in enumerate(bodies):
            exchange = "nowhere" if number == 4 else ""
            try:
                producer.publish(body, exchange=exchange, routing_key="q")
            except NotFound:
                errors += 1
        try:
            connection.wait_for_confirms(timeout=SECONDS)
        except NotFound:
            errors += 1
        connection.wait_for_confirms(timeout=SECONDS)
    assert errors == 1
    check_nothing_lost(arrived(durable), [body for body in bodies if body != b"4"])


def test_a_mandatory_message_comes_back(proxy: Proxy, scheme: str) -> None:
    returned: list[MessageReturned] = []
    with Connection(proxy.url(scheme), transport_options=options()) as connection:
        producer = connection.Producer(on_return=lambda error, *_: returned.append(error))
        producer.publish(b"x", routing_key="nowhere", mandatory=True)
        connection.wait_for_confirms(timeout=SECONDS)
    assert [error.message.body for error in returned] == [b"x"]  # type: ignore[attr-defined]  # a Message


def test_transactions_are_not_buffered(proxy: Proxy, scheme: str, durable: Broker) -> None:
    with Connection(proxy.url(scheme), transport_options=options()) as connection:
        channel = connection.channel()
        channel.tx_select()
        channel.publish("", "q", b"x")
        channel.tx_rollback()
        channel.tx_commit()
    assert arrived(durable) == []


def test_what_needs_the_broker_says_that_it_is_away(proxy: Proxy, scheme: str) -> None:
    proxy.refusing = True
    with Connection(proxy.url(scheme), transport_options=options()) as connection:
        channel = connection.default_channel
        for call in (
            lambda: channel.get("q"),
            channel.declare_queue,
            lambda: channel.declare_queue("q", passive=True),
            lambda: channel.declare_exchange("e", passive=True),
            lambda: channel.ack(1),
        ):
            with pytest.raises(connection.recoverable_connection_errors, match="away"):
                call()


def test_what_was_declared_and_consumed_while_it_was_away_comes_true(
    proxy: Proxy, scheme: str, real_broker: Broker
) -> None:
    got: list[Any] = []
    proxy.refusing = True
    queue = Queue("q", durable=False)
    with Connection(proxy.url(scheme), transport_options=options()) as connection:
        consumer = connection.Consumer(queue, callbacks=[lambda body, _: got.append(body)])
        consumer.consume()
        connection.Producer().publish("hello", routing_key="q")
        proxy.refusing = False
        connection.wait_for_confirms(timeout=SECONDS)
        while not got:
            connection.drain_events(timeout=SECONDS)
    assert got == ["hello"]


@pytest.mark.parametrize("away", [False, True])
def test_what_cannot_be_carried_is_refused_at_once_and_keeps_nothing(
    proxy: Proxy, scheme: str, durable: Broker, away: bool
) -> None:
    proxy.refusing = away
    headers = {"a": [1]}
    with Connection(proxy.url(scheme), transport_options=options()) as connection:
        producer = connection.Producer()
        for wrong in (
            {"routing_key": "q" * 256},
            {"routing_key": "q", "headers": {"a": {1}}},
            {"routing_key": "q", "priority": 256},
        ):
            with pytest.raises((TypeError, ValueError)):
                producer.publish(b"x", **wrong)
        connection.default_channel.publish("", "q", b"kept", {"headers": headers})
        headers["a"] = [2]
        proxy.refusing = False
        connection.wait_for_confirms(timeout=SECONDS)
    assert [body for _, body in arrived(durable)] == [b"kept"]
