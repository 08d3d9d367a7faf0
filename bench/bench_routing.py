"""Routing and declaring, when there is much of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minibroker import Broker

from .ratio import Contender, Race, at_most

if TYPE_CHECKING:
    from minibroker.channel import Channel

    from .conftest import RunRace, Sized

MESSAGES = 5000
BODY = bytes(100)
KEYS = 10
QUEUES = 10_000
STEP = 1000


class Topics:
    """A topic exchange with a number of bindings, of which one matches each of ten keys."""

    def __init__(self, broker: Broker, bindings: int) -> None:
        self.name = f"topics-{bindings}"
        self.channel: Channel = broker.connect().channel()
        self.channel.declare_exchange(self.name, "topic")
        self.channel.declare_queue(self.name, durable=True)
        for index in range(bindings):
            self.channel.bind_queue(self.name, self.name, f"shop.{index}.*.#")
        self.serial = 0

    def publish(self, number: int) -> None:
        """The same keys again and again."""
        publish, name = self.channel.publish, self.name
        keys = [f"shop.{index}.order.paid" for index in range(KEYS)]
        for _ in range(number // KEYS):
            for key in keys:
                publish(name, key, BODY)

    def publish_new_keys(self, number: int) -> None:
        """A key that was not seen before with each message."""
        publish, name, serial = self.channel.publish, self.name, self.serial
        self.serial += number
        for unseen in range(serial, serial + number):
            publish(name, f"shop.{unseen % KEYS}.order.{unseen}", BODY)

    def empty(self) -> None:
        """Take away what was published."""
        self.channel.purge_queue(self.name)


def bench_topic_keys_that_repeat(run_race: RunRace, sized: Sized) -> None:
    number = max(sized(MESSAGES), KEYS)
    with Broker() as broker:
        few, many = Topics(broker, 10), Topics(broker, 1000)
        race = Race(
            "topic, 1,000 bindings, repeated keys",
            Contender("1,000 bindings", lambda: many.publish(number), number, many.empty),
            (
                Contender("10 bindings", lambda: few.publish(number), number, few.empty),
                at_most(2),
            ),
        )
        run_race(race)


def bench_topic_keys_that_are_new(run_race: RunRace, sized: Sized) -> None:
    number = sized(MESSAGES)
    with Broker() as broker:
        few, many = Topics(broker, 10), Topics(broker, 1000)
        race = Race(
            "topic, 1,000 bindings, new keys",
            Contender("1,000 bindings", lambda: many.publish_new_keys(number), number, many.empty),
            (
                Contender("10 bindings", lambda: few.publish_new_keys(number), number, few.empty),
                at_most(2),
            ),
        )
        run_race(race)


class Declaring:
    """Declares and binds queues on a new broker in each turn."""

    def __init__(self, before: int, step: int) -> None:
        self.before = before
        self.step = step
        self.broker: Broker | None = None

    def prepare(self) -> None:
        """A new broker that has some queues already."""
        self.close()
        self.broker = Broker()
        self.channel = self.broker.connect().channel()
        self._declare(0, self.before)

    def declare(self) -> None:
        """Add the queues that are counted."""
        self._declare(self.before, self.step)

    def _declare(self, first: int, number: int) -> None:
        channel = self.channel
        for index in range(first, first + number):
            name = f"queue-{index}"
            channel.declare_queue(name, durable=True)
            channel.bind_queue(name, "amq.direct", name)

    def close(self) -> None:
        """Close the broker."""
        if self.broker is not None:
            self.broker.close()


def bench_declaring_10000_queues(run_race: RunRace, sized: Sized) -> None:
    step = sized(STEP)
    first, last = Declaring(0, step), Declaring(sized(QUEUES) - step, step)
    race = Race(
        "declare and bind, last 1,000 of 10,000",
        Contender("the last", last.declare, step, last.prepare),
        (Contender("the first 1,000", first.declare, step, first.prepare), at_most(2)),
    )
    run_race(race, rounds=11)
    first.close()
    last.close()
