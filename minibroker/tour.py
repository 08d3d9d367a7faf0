"""The narrated tour: real messages in one process, and what became of them.

Knows no rule of the broker. Each scene does something, shows what was received, and compares that
with what was to be expected, so a tour that ends well is also a proof.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from minibroker_client import Connection, Consumer, Exchange, Message, Producer, Queue

from . import __version__
from .broker import Broker
from .channel import Channel
from .clock import ManualClock
from .events import Confirmed, Returned
from .fields import Table
from .local import LocalConnection
from .properties import Properties
from .queues import Entry

__all__ = ["SCENES", "Tour", "run"]


class Tour:
    """A broker whose clock stands still until it is moved, and somebody who tells what happens.

    `write` is called with each line. `surprises` holds what was not as expected.
    """

    def __init__(self, write: Callable[[str], object] = print) -> None:
        self.write = write
        self.clock = ManualClock()
        self.broker = Broker(clock=self.clock)
        self.surprises: list[str] = []

    def tell(self, text: str) -> None:
        """Say what is done."""
        self.write(f"   {text}")

    def show(self, what: str, received: object, expected: object) -> None:
        """Say what was received, and whether it is what was to be expected."""
        self.write(f"   {what + ':':<34} {_shown(received)}")
        if received != expected:
            self.surprises.append(f"{what}: {_shown(received)} instead of {_shown(expected)}")
            self.write(f"   {'!! expected:':<34} {_shown(expected)}")


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) or "nothing" if isinstance(value, list) else str(value)


def _received(connection: LocalConnection) -> list[Entry]:
    """The deliveries that lie in a connection's outbox."""
    items = [connection.drain(timeout=0) for _ in range(len(connection.outbox))]
    return [item for item in items if isinstance(item, Entry)]


def _work_off(connection: Connection) -> None:
    """Let the consumers of a client's connection have everything that has arrived."""
    with suppress(TimeoutError):
        while True:
            connection.drain_events(timeout=0)


# -- the scenes


def _routing(tour: Tour) -> None:
    with tour.broker.connect() as connection:
        channel = connection.channel()
        for exchange, kind in (("jobs", "direct"), ("orders", "topic"), ("files", "headers")):
            channel.declare_exchange(exchange, kind)
        for queue, exchange, key, arguments in (
            ("mail", "jobs", "mail", None),
            ("europe", "orders", "order.eu.#", None),
            ("payments", "orders", "order.*.paid", None),
            ("pictures", "files", "", {"x-match": "all", "kind": "picture", "size": "big"}),
        ):
            channel.declare_queue(queue)
            channel.bind_queue(queue, exchange, key, arguments)
        big = {"kind": "picture", "size": "big"}
        for exchange, key, headers, expected in (
            ("jobs", "mail", None, ["mail"]),
            ("orders", "order.eu.paid", None, ["europe", "payments"]),
            ("orders", "order.us.paid", None, ["payments"]),
            ("orders", "order.us.late.paid", None, []),
            ("files", "", big, ["pictures"]),
            ("files", "", {**big, "size": "small"}, []),
        ):
            channel.publish(exchange, key, b"hello", Properties(headers=headers))
            queues = ["mail", "europe", "payments", "pictures"]
            arrived = [name for name in queues if channel.get(name, no_ack=True)]
            words = key or " ".join(f"{name}={value}" for name, value in (headers or {}).items())
            tour.show(f"{exchange} <- {words}", arrived, expected)


def _redelivery(tour: Tour) -> None:
    mail = Queue("letters", Exchange("post"), routing_key="letter")
    seen: list[str] = []

    def handle(body: Any, message: Message) -> None:
        again = message.delivery_info["redelivered"]
        seen.append(f"{body['to']}{' (redelivered)' if again else ''}")
        if body["to"] == "Ada" and not again:
            message.requeue()
        else:
            message.ack()

    with Connection(tour.broker) as connection:
        producer = Producer(connection, exchange=mail.exchange, routing_key="letter")
        for name in ("Ada", "Grace"):
            producer.publish({"to": name}, declare=[mail])
        tour.tell("published letters to Ada and to Grace; Ada's is requeued the first time")
        with Consumer(connection, mail, callbacks=[handle], prefetch_count=1):
            _work_off(connection)
        tour.show("the consumer got", seen, ["Ada", "Ada (redelivered)", "Grace"])
        tour.show("left in the queue", mail(connection).queue_declare(passive=True)[1], 0)


def _expiry(tour: Tour) -> None:
    with tour.broker.connect() as connection:
        channel = connection.channel()
        channel.declare_exchange("late", "fanout")
        channel.declare_queue("morgue")
        channel.bind_queue("morgue", "late")
        channel.declare_queue("inbox", arguments={"x-dead-letter-exchange": "late"})
        channel.publish("", "inbox", b"milk", Properties(expiration="2000"))
        channel.publish("", "inbox", b"honey")
        tour.tell("milk keeps for 2000 ms, honey for ever; the clock moves by 1.999 s")
        tour.clock.advance("1999ms")
        tour.show("ready in inbox, morgue", _ready(channel, "inbox", "morgue"), [2, 0])
        tour.tell("and by 1 ms more")
        tour.clock.advance("1ms")
        tour.show("ready in inbox, morgue", _ready(channel, "inbox", "morgue"), [1, 1])
        got = channel.get("morgue", no_ack=True)
        message = got.entry.message if got else None
        tour.show("in the morgue lies", message and message.body.decode(), "milk")
        deaths = message.headers["x-death"] if message else None
        death = deaths[0] if isinstance(deaths, list) else None
        row = death if isinstance(death, dict) else {}
        for field, expected in (
            ("reason", "expired"),
            ("queue", "inbox"),
            ("count", 1),
            ("original-expiration", "2000"),
        ):
            tour.show(f"x-death says {field}", row.get(field), expected)


def _ready(channel: Channel, *queues: str) -> list[int]:
    """How many messages are ready in each queue."""
    return [channel.declare_queue(queue, passive=True).message_count for queue in queues]


LADDER = {"1m": 60, "9m": 540, "20m": 1200}
"""The rungs of the retry ladder: name, and seconds to wait there."""


def _retries(tour: Tour) -> None:
    clock, began = tour.clock, time.perf_counter()
    start = clock.now()
    tries: list[str] = []
    work = Queue("work")
    rungs = [
        Queue(
            f"work.wait.{name}",
            message_ttl=seconds,
            queue_arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "work"},
        )
        for name, seconds in LADDER.items()
    ]

    def attempt(body: Any, message: Message) -> None:
        number = message.headers.get("attempt", 0)
        tries.append(f"{(clock.now() - start) // 60_000} min")
        if number < len(rungs):
            headers = {"attempt": number + 1}
            rung = rungs[number]
            producer.publish(body, routing_key=rung.name, headers=headers, declare=[rung])
        message.ack()

    with Connection(tour.broker) as connection, Consumer(connection, work, callbacks=[attempt]):
        producer = Producer(connection)
        producer.publish("call the dentist", routing_key="work")
        tour.tell(f"a job that fails each time waits {', '.join(LADDER)} between attempts")
        for _ in range(30):
            _work_off(connection)
            clock.advance("1m")
        _work_off(connection)
    tour.show("attempts after", tries, ["0 min", "1 min", "10 min", "30 min"])
    tour.show("minutes on the broker's clock", (clock.now() - start) // 60_000, 30)
    tour.tell(f"{(time.perf_counter() - began) * 1000:.1f} ms on yours")


def _priorities(tour: Tour) -> None:
    with tour.broker.connect() as connection:
        channel = connection.channel()
        channel.declare_queue("calls", arguments={"x-max-priority": 9})
        for name, priority in (("a", 1), ("b", 9), ("c", 1), ("d", 5), ("e", 99)):
            channel.publish("", "calls", name.encode(), Properties(priority=priority))
        tour.tell("published with priority: a 1, b 9, c 1, d 5, e 99 (the most is 9)")
        channel.consume("calls", no_ack=True)
        bodies = [entry.message.body.decode() for entry in _received(connection)]
        tour.show("the consumer got", bodies, ["b", "e", "d", "a", "c"])


def _publishers(tour: Tour) -> None:
    with tour.broker.connect() as connection:
        channel = connection.channel()
        limits: Table = {"x-max-length": 2, "x-overflow": "reject-publish"}
        channel.declare_queue("small", arguments=limits)
        channel.confirm_select()
        for body in (b"1", b"2", b"3"):
            channel.publish("", "small", body)
        tour.tell("published 3 messages in confirm mode to a queue that takes 2")
        channel.publish("", "nowhere", b"4", mandatory=True)
        tour.tell("and a mandatory one to a queue that does not exist")
        heard: list[str] = []
        while connection.outbox:
            event = connection.drain(timeout=0)
            if isinstance(event, Confirmed):
                heard.append(f"{event.tag} {'confirmed' if event.ok else 'refused'}")
            elif isinstance(event, Returned):
                heard.append(f"{event.message.body.decode()} returned {event.reply_text}")
        tour.show("the publisher heard", heard[:3], ["1 confirmed", "2 confirmed", "3 refused"])
        tour.show("and then", heard[3:], ["4 returned NO_ROUTE", "4 confirmed"])


def _stream(tour: Tour) -> None:
    with tour.broker.connect() as connection:
        channel = connection.channel()
        channel.declare_queue("news", durable=True, arguments={"x-queue-type": "stream"})
        for body in (b"one", b"two", b"three"):
            channel.publish("", "news", body)
        channel.qos(10)  # a stream is only read with a limit
        for reader, offset in (("first reader", "first"), ("second reader", "first"), ("late", 1)):
            channel.consume("news", tag=reader, arguments={"x-stream-offset": offset})
            bodies = [entry.message.body.decode() for entry in _received(connection)]
            expected = ["one", "two", "three"] if offset == "first" else ["two", "three"]
            tour.show(f"{reader}, from {offset}", bodies, expected)
        tour.show("still in the stream", _ready(channel, "news"), [3])


SCENES: dict[str, Callable[[Tour], None]] = {
    "Exchanges send each message where its routing key or its headers lead": _routing,
    "The client, with Kombu's names: what a consumer requeues comes to it again": _redelivery,
    "A message that nobody takes in time expires, and is dead-lettered with its history": _expiry,
    "A ladder of retries over 30 minutes, in milliseconds of real time": _retries,
    "The most urgent first, and in order among equals": _priorities,
    "What a publisher hears: confirms, a refusal, a message that comes back": _publishers,
    "A stream keeps what was read: everybody reads from where they like": _stream,
}
"""What the tour shows, in order: titles, and what happens."""


def run(write: Callable[[str], object] = print) -> list[str]:
    """Go through all scenes and return what was not as expected; the list is empty if all was.

    `write` is called with each line of the narration.
    """
    tour = Tour(write)
    with tour.broker as broker:
        write(
            f"MiniBroker {__version__} in this process, with the manners of {broker.profile.name}"
        )
        for number, (title, scene) in enumerate(SCENES.items(), start=1):
            write(f"\n{number}. {title}")
            scene(tour)
    if tour.surprises:
        write("\nNot everything happened as told:")
        for surprise in tour.surprises:
            write(f"   {surprise}")
    else:
        write("\nEverything happened as told.")
    return tour.surprises
