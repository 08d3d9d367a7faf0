"""Many threads on one broker through the client, a connection for each."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from minibroker import Broker
from minibroker_client import Connection, Exchange, Message, Producer, Queue

if TYPE_CHECKING:
    from collections.abc import Callable

PUBLISHERS = CONSUMERS = 8
MESSAGES = 250


class Load:
    """Publishers and consumers of one queue, and what was received."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.queue = Queue("q", Exchange("e"), "k")
        self.received: Counter[tuple[int, int]] = Counter()
        self.lock = threading.Lock()
        self.finished = threading.Event()

    def publish(self, number: int) -> None:
        with Connection(self.broker) as connection:
            producer = Producer(connection, Exchange("e"), "k")
            for message in range(MESSAGES):
                producer.publish([number, message], declare=[self.queue])

    def consume(self, _: int) -> None:
        with (
            Connection(self.broker) as connection,
            connection.Consumer(self.queue, callbacks=[self.take], prefetch_count=7),
        ):
            while not self.finished.is_set():
                with suppress(TimeoutError):
                    connection.drain_events(timeout=0.05)

    def take(self, body: list[int], message: Message) -> None:
        message.ack()
        with self.lock:
            self.received[body[0], body[1]] += 1
            if self.received.total() == PUBLISHERS * MESSAGES:
                self.finished.set()


def run(targets: list[tuple[Callable[[int], None], int]]) -> None:
    threads = [threading.Thread(target=target, args=(number,)) for target, number in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


def test_nothing_is_lost_or_doubled_between_many_publishers_and_consumers() -> None:
    with Broker() as broker:
        load = Load(broker)
        run(
            [(load.publish, number) for number in range(PUBLISHERS)]
            + [(load.consume, number) for number in range(CONSUMERS)]
        )
        broker._check()
        with Connection(broker) as connection:
            assert load.queue(connection).queue_declare(passive=True) == ("q", 0, 0)
    assert len(load.received) == PUBLISHERS * MESSAGES
    assert set(load.received.values()) == {1}


def test_a_name_can_be_connected_to_from_many_threads() -> None:
    done: list[int] = []
    start = threading.Barrier(8)

    def use(number: int) -> None:
        start.wait(10)
        for _ in range(50):
            with Connection("memory://threads") as connection:
                Queue("q")(connection).declare()
        done.append(number)

    run([(use, number) for number in range(8)])
    assert sorted(done) == list(range(8))
