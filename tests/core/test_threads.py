"""Many threads on one broker, on the system's clock. Whatever hangs is dumped and killed."""

from __future__ import annotations

import faulthandler
import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from minibroker import Broker
from minibroker.errors import ConnectionForced, NotFound, PublisherBlocked
from minibroker.events import Blocked, Unblocked
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minibroker.channel import Channel
    from minibroker.local import LocalConnection

PATIENCE = 10.0
"""Seconds after which something that ought to happen did not."""
QUORUM = {"x-queue-type": "quorum", "x-delivery-limit": 3}


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    """A deadlock ends the run, and shows where every thread stands."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # threads take turns 500 times as often as usual
    faulthandler.dump_traceback_later(2 * PATIENCE, exit=True, file=sys.__stderr__ or 2)
    yield
    faulthandler.cancel_dump_traceback_later()
    sys.setswitchinterval(before)


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A broker on the system's clock."""
    with Broker() as broker:
        yield broker
        broker._check()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Threads whose errors come back with their results."""
    with ThreadPoolExecutor(24) as pool:
        yield pool


def until(condition: Callable[[], object]) -> None:
    """Return as soon as it holds."""
    look_again = threading.Event()
    for _ in range(int(PATIENCE * 1000)):
        if condition():
            return
        look_again.wait(0.001)
    raise AssertionError("it never happened")


def entry_of(connection: LocalConnection) -> Entry:
    """The next delivery."""
    item = connection.drain(PATIENCE)
    assert isinstance(item, Entry)
    return item


def body_of(connection: LocalConnection) -> bytes:
    """The body of the next delivery."""
    return entry_of(connection).message.body


# -- work


def publish_all(broker: Broker, publisher: int, count: int) -> None:
    with broker.connect() as connection:
        channel = connection.channel()
        channel.confirm_select()
        for number in range(count):
            channel.publish("", "jobs", b"%d-%d" % (publisher, number))
        tags = []
        for _ in range(count):
            event = connection.drain(PATIENCE)
            assert not isinstance(event, Entry)
            tags.append(getattr(event, "tag", None))
        assert tags == list(range(1, count + 1))


def work(connection: LocalConnection, done: SimpleQueue[bytes]) -> None:
    """Ack everything, but for some that are sent back the first time."""
    channel = connection.channel()
    channel.qos(5)
    channel.consume("jobs")
    try:
        while True:
            entry = entry_of(connection)
            if not entry.redelivered and entry.tag % 7 == 0:
                channel.nack(entry.tag)
            else:
                channel.ack(entry.tag)
                done.put(entry.message.body)
    except ConnectionForced:
        pass


@pytest.mark.parametrize("arguments", [{}, QUORUM], ids=["classic", "quorum"])
def test_eight_publishers_and_eight_consumers_lose_and_double_nothing(
    broker: Broker, threads: ThreadPoolExecutor, arguments: dict[str, str | int]
) -> None:
    broker.connect().channel().declare_queue("jobs", durable=True, arguments=arguments)
    done: SimpleQueue[bytes] = SimpleQueue()
    connections = [broker.connect() for _ in range(8)]
    workers = [threads.submit(work, connection, done) for connection in connections]
    publishers = [threads.submit(publish_all, broker, number, 400) for number in range(8)]
    acked = [done.get(timeout=PATIENCE) for _ in range(8 * 400)]
    for publisher in publishers:
        publisher.result(PATIENCE)
    for connection in connections:
        connection.close()
    for worker in workers:
        worker.result(PATIENCE)
    assert sorted(acked) == sorted(b"%d-%d" % (p, n) for p in range(8) for n in range(400))
    assert done.empty()
    assert broker.connect().channel().declare_queue("jobs", passive=True) == ("jobs", 0, 0)


@pytest.mark.semantics(68)
def test_one_publisher_and_one_consumer_in_two_threads_keep_the_order(
    broker: Broker, threads: ThreadPoolExecutor
) -> None:
    channel = broker.connect().channel()
    channel.declare_queue("jobs")
    taker = broker.connect()
    taker.channel().consume("jobs", no_ack=True)
    taken = threads.submit(lambda: [body_of(taker) for _ in range(2000)])
    for number in range(2000):
        channel.publish("", "jobs", b"%d" % number)
    assert taken.result(PATIENCE) == [b"%d" % number for number in range(2000)]


# -- waiting


def test_a_drain_that_waits_is_woken_by_a_delivery(
    broker: Broker, threads: ThreadPoolExecutor
) -> None:
    connection = broker.connect()
    channel = connection.channel()
    channel.declare_queue("jobs")
    channel.consume("jobs", no_ack=True)
    waiting = threads.submit(body_of, connection)
    until(lambda: connection.wake)
    channel.publish("", "jobs", b"x")
    assert waiting.result(PATIENCE) == b"x"


def test_each_of_several_threads_that_drain_one_connection_gets_its_own(
    broker: Broker, threads: ThreadPoolExecutor
) -> None:
    connection = broker.connect()
    channel = connection.channel()
    channel.declare_queue("jobs")
    waiting = [threads.submit(body_of, connection) for _ in range(4)]
    until(lambda: connection.wake)
    for number in range(4):
        channel.publish("", "jobs", b"%d" % number)
    channel.consume("jobs", no_ack=True)
    assert sorted(each.result(PATIENCE) for each in waiting) == [b"0", b"1", b"2", b"3"]


@pytest.mark.parametrize("closes", ["connection", "broker"])
def test_a_drain_that_waits_ends_when_its_connection_is_closed(
    broker: Broker, threads: ThreadPoolExecutor, closes: str
) -> None:
    connection = broker.connect()
    waiting = [threads.submit(connection.drain) for _ in range(2)]
    until(lambda: connection.wake)
    (connection if closes == "connection" else broker).close()
    for each in waiting:
        with pytest.raises(ConnectionForced, match="the connection is closed"):
            each.result(PATIENCE)


def test_closing_a_channel_disturbs_no_thread_that_drains_the_connection(
    broker: Broker, threads: ThreadPoolExecutor
) -> None:
    connection = broker.connect()
    channel = connection.channel()
    for name in ("jobs", "other"):
        channel.declare_queue(name)
    channel.consume("jobs", no_ack=True)
    channel.publish("", "other", b"other")

    def take() -> list[bytes]:
        taken: list[bytes] = []
        while len(taken) < 2000:
            entry = entry_of(connection)
            if entry.queue.name == "jobs":
                taken.append(entry.message.body)
        return taken

    taken = threads.submit(take)
    passing = connection.channel()
    for number in range(2000):
        if number % 10 == 0:
            passing = connection.channel()
            passing.consume("other")
        channel.publish("", "jobs", b"%d" % number)
        if number % 10 == 9:
            passing.close()
    assert taken.result(PATIENCE) == [b"%d" % number for number in range(2000)]


# -- memory


def publishers_waiting(broker: Broker) -> bool:
    """Whether a thread waits for memory."""
    return bool(broker._blocking._changed._waiters)  # type: ignore[attr-defined]  # of the Condition


@pytest.fixture
def full() -> Iterator[tuple[Broker, Channel, int]]:
    """A broker over its memory limit: with a consumer's channel, and the tag of its delivery."""
    with Broker(memory_limit=500) as broker:
        connection = broker.connect()
        channel = connection.channel()
        channel.declare_queue("jobs")
        channel.consume("jobs")
        channel.publish("", "jobs", bytes(200))
        assert connection.drain(0) == Blocked("low on memory")
        yield broker, channel, entry_of(connection).tag
        broker._check()


def test_a_publisher_that_waits_for_memory_is_woken_by_an_ack(
    full: tuple[Broker, Channel, int], threads: ThreadPoolExecutor
) -> None:
    broker, consumer, tag = full
    publisher = broker.connect()
    channel = publisher.channel()
    waiting = threads.submit(channel.publish, "", "jobs", b"next")
    until(lambda: publishers_waiting(broker))
    assert not waiting.done()
    consumer.ack(tag)
    assert waiting.result(PATIENCE) == 0
    assert isinstance(consumer.connection.outbox.popleft(), Unblocked)
    assert consumer.connection.outbox.popleft().message.body == b"next"  # type: ignore[union-attr]  # an entry


def test_a_publisher_that_waits_for_memory_gives_up_after_its_timeout(
    full: tuple[Broker, Channel, int],
) -> None:
    broker, _, _ = full
    channel = broker.connect().channel()
    with pytest.raises(
        PublisherBlocked,
        match=r"low on memory: the queues hold 600 bytes, the limit is 500, "
        r"and that did not change within 0\.01 seconds",
    ):
        channel.publish("", "jobs", b"next", timeout=0.01)
    assert channel.declare_queue("jobs", passive=True).message_count == 0


@pytest.mark.parametrize("closes", ["broker", "connection", "channel"])
def test_a_publisher_that_waits_for_memory_ends_with_its_channel(
    full: tuple[Broker, Channel, int], threads: ThreadPoolExecutor, closes: str
) -> None:
    broker, _, _ = full
    connection = broker.connect()
    channel = connection.channel()
    waiting = threads.submit(channel.publish, "", "jobs", b"next", timeout=1.5 * PATIENCE)
    until(lambda: publishers_waiting(broker))
    ends = {"broker": broker.close, "connection": connection.close, "channel": channel.close}
    ends[closes]()
    with pytest.raises(Exception, match="the channel is closed"):
        waiting.result(PATIENCE)


# -- time


def ladder(channel: Channel) -> None:
    """A queue whose messages expire at once into another one, which is consumed."""
    channel.declare_queue("dead")
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    channel.declare_queue("waiting", arguments={**arguments, "x-message-ttl": 20})
    channel.consume("dead", no_ack=True)


@pytest.mark.semantics(89, 101)
def test_messages_expire_on_time_without_anybody_calling_in(broker: Broker) -> None:
    connection = broker.connect()
    channel = connection.channel()
    ladder(channel)
    for body in (b"1", b"2"):
        channel.publish("", "waiting", body)
        assert body_of(connection) == body


def test_no_thread_is_started_before_there_is_a_deadline(broker: Broker) -> None:
    assert broker._ticker is not None
    connection = broker.connect()
    channel = connection.channel()
    channel.declare_queue("jobs")
    channel.consume("jobs", no_ack=True)
    channel.publish("", "jobs", b"x")
    assert not broker._ticker.running
    ladder(channel)
    assert not broker._ticker.running
    channel.publish("", "waiting", b"x")
    assert broker._ticker.running


def test_closing_a_broker_ends_its_thread(broker: Broker) -> None:
    assert broker._ticker is not None
    channel = broker.connect().channel()
    ladder(channel)
    channel.publish("", "waiting", b"x")
    broker.close()
    assert not broker._ticker.running


def test_a_broker_that_is_dropped_unclosed_takes_its_thread_along() -> None:
    broker = Broker()
    assert broker._ticker is not None
    channel = broker.connect().channel()
    channel.declare_queue("idle", arguments={"x-expires": 3_600_000})
    thread = broker._ticker._thread
    assert thread is not None
    assert thread.is_alive()
    del broker, channel

    def ended() -> bool:
        gc.collect()  # again and again, for the thread itself may just be using the broker
        return not thread.is_alive()

    until(ended)


def test_a_connection_keeps_its_broker_and_its_time_going() -> None:
    connection = Broker().connect()
    gc.collect()
    channel = connection.channel()
    ladder(channel)
    channel.publish("", "waiting", b"x")
    assert body_of(connection) == b"x"


# -- everything at once


def churn(broker: Broker, name: str, rounds: int) -> None:
    """Queues and exchanges come and go."""
    with broker.connect() as connection:
        channel = connection.channel()
        for _ in range(rounds):
            channel.declare_queue(name, arguments={"x-max-length": 5, "x-message-ttl": 1})
            channel.bind_queue(name, "amq.fanout")
            channel.declare_exchange(name, "topic", auto_delete=True)
            channel.bind_queue(name, name, "#")
            channel.bind_exchange(name, "amq.fanout")
            channel.consume(name, tag="c", no_ack=True)
            channel.cancel("c")
            channel.unbind_queue(name, name, "#")
            channel.delete_queue(name)


def flood(broker: Broker, name: str, rounds: int) -> None:
    """Publish everywhere, whether anything is there or not."""
    with broker.connect() as connection:
        channel = connection.channel()
        for _ in range(rounds):
            channel.publish("amq.fanout", "a.b", b"x", mandatory=True)
            channel.publish("", name, b"y")
            try:
                channel.publish(name, "a.b", b"z")
            except NotFound:
                continue


def test_declaring_and_deleting_while_others_publish_keeps_the_broker_whole(
    broker: Broker, threads: ThreadPoolExecutor
) -> None:
    jobs = [threads.submit(churn, broker, f"q{number % 3}-{number}", 100) for number in range(4)]
    jobs += [threads.submit(flood, broker, f"q{number % 3}-{number}", 200) for number in range(4)]
    for job in jobs:
        job.result(PATIENCE)
    broker._check()
    assert not broker.vhosts["/"].queues
    assert not broker.vhosts["/"].connections
