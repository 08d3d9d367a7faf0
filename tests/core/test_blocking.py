"""What publishers and connections hear of the gate, and of the memory limit.

Many threads that wait: `test_threads`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from minibroker.blocking import Blocking
from minibroker.errors import PublisherBlocked
from minibroker.events import Blocked, Unblocked
from minibroker.gate import BEHIND, DISK, Gate
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker


def test_a_publisher_over_the_limit_is_refused_after_its_timeout_and_nothing_is_published(
    make_broker: Callable[..., Broker],
) -> None:
    broker = make_broker(memory_limit=1000, blocked_timeout=0)
    channel = broker.connect().channel()
    channel.declare_queue("q")
    channel.publish("", "q", bytes(2000))
    with pytest.raises(PublisherBlocked) as caught:
        channel.publish("", "q", b"more", timeout=0)
    assert "the limit is 1000" in str(caught.value)
    assert "low on memory" in str(caught.value)
    assert channel.declare_queue("q", passive=True).message_count == 1


def test_the_timeout_of_the_broker_counts_where_publish_has_none(
    make_broker: Callable[..., Broker],
) -> None:
    broker = make_broker(memory_limit=0, blocked_timeout=0)
    channel = broker.connect().channel()
    channel.declare_queue("q")
    channel.publish("", "q", b"")
    with pytest.raises(PublisherBlocked, match="within 0 seconds"):
        channel.publish("", "q", b"")


def test_publishing_goes_on_when_there_is_room_again(make_broker: Callable[..., Broker]) -> None:
    broker = make_broker(memory_limit=1000, blocked_timeout=0)
    channel = broker.connect().channel()
    channel.declare_queue("q")
    channel.publish("", "q", bytes(2000))
    channel.purge_queue("q")
    channel.publish("", "q", b"more")
    assert channel.declare_queue("q", passive=True).message_count == 1


def test_all_connections_are_told_once_in_every_virtual_host(
    make_broker: Callable[..., Broker],
) -> None:
    broker = make_broker(memory_limit=1000, blocked_timeout=0)
    broker.add_vhost("other")
    here, there = broker.connect(), broker.connect("other")
    channel = here.channel()
    channel.declare_queue("q")
    channel.publish("", "q", bytes(2000))
    channel.purge_queue("q")
    for connection in (here, there):
        assert list(connection.outbox) == [Blocked("low on memory"), Unblocked()]


def test_consuming_frees_the_memory_that_it_settles(make_broker: Callable[..., Broker]) -> None:
    broker = make_broker(memory_limit=1000, blocked_timeout=0)
    connection = broker.connect()
    channel = connection.channel()
    channel.declare_queue("q")
    channel.publish("", "q", bytes(2000))
    channel.consume("q")
    deliveries = [item for item in connection.outbox if isinstance(item, Entry)]
    with pytest.raises(PublisherBlocked):
        channel.publish("", "q", b"")
    channel.ack(deliveries[0].tag)
    channel.publish("", "q", b"")


def test_without_a_limit_nothing_is_counted(broker: Broker) -> None:
    channel = broker.connect().channel()
    channel.declare_queue("q")
    channel.publish("", "q", bytes(2000))
    assert broker.memory_used is None


def test_a_negative_limit_is_refused(make_broker: Callable[..., Broker]) -> None:
    with pytest.raises(ValueError, match="memory_limit must not be negative: -1"):
        make_broker(memory_limit=-1)


def test_before_anybody_waits_it_may_open_the_gate_itself() -> None:
    lock = threading.RLock()
    gate = Gate()
    assisted: list[str] = []

    def assist() -> None:
        assisted.append("once")
        gate.open(BEHIND)

    blocking = Blocking(gate, None, lock, lambda: (), assist)
    gate.shut(BEHIND, lambda: "much is waiting")
    with lock:
        gate.wait(None, lambda: False)
    assert (assisted, gate.on) == (["once"], False)
    assert blocking.timeout is None


def test_the_reasons_of_the_gate_are_in_the_text_of_the_error() -> None:
    lock = threading.RLock()
    gate = Gate()
    Blocking(gate, 60, lock, lambda: ())
    gate.shut(BEHIND, lambda: "5 bytes wait")
    gate.shut(DISK, lambda: "it is full")
    with lock, pytest.raises(PublisherBlocked, match="^low on disk: 5 bytes wait; it is full, and"):
        gate.wait(0, lambda: False)


def test_who_waits_goes_on_when_its_channel_is_closed_or_the_gate_opens() -> None:
    lock = threading.RLock()
    gate = Gate()
    Blocking(gate, None, lock, lambda: ())
    gate.shut(DISK, lambda: "it is full")
    ended = [False]
    done: list[int] = []

    def wait(number: int) -> None:
        with lock:
            gate.wait(None, lambda: ended[0] and number == 1)
            done.append(number)

    threads = [threading.Thread(target=wait, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    with lock:
        ended[0] = True
        gate.interrupt()
    threads[0].join(60)
    assert done == [1]
    with lock:
        gate.open(DISK)
    threads[1].join(60)
    assert done == [1, 2]
