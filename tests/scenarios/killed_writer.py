"""A process that publishes and consumes on a log, to be killed at any moment. Run by `test_kill`.

Says on standard output, a line each, what it was promised: `c 7` all up to 7 are confirmed, `a 3 4`
these are settled and on the disk.
"""

from __future__ import annotations

import sys
from itertools import count

from minibroker import Broker, Properties
from minibroker.events import Confirmed
from minibroker.local import LocalConnection
from minibroker.queues import Entry

PERSISTENT = Properties(delivery_mode=2)


def run(directory: str, first: int) -> None:
    """Publish `first`, and one more each time, until somebody ends this."""
    broker = Broker(data=directory, segment_size=1 << 16)
    publisher, reader = broker.connect(), broker.connect()
    channel, consumer = publisher.channel(), reader.channel()
    channel.declare_queue("q", durable=True)
    channel.confirm_select()
    consumer.qos(40)
    consumer.consume("q")
    for number in count(first):
        channel.publish("", "q", b"%d " % number * (number % 50 + 1), PERSISTENT)
        if number % 20 == 0:
            confirmed = publisher.drain(10)
            assert isinstance(confirmed, Confirmed)
            assert confirmed.ok
            print("c", first + confirmed.tag - 1, flush=True)
        if number % 70 == 0:
            settle_some(broker, reader, number)


def settle_some(broker: Broker, reader: LocalConnection, number: int) -> None:
    """Ack most of what was delivered, give some back, and say what is on the disk."""
    settled: list[str] = []
    for place in range(35):
        if not reader.outbox:
            break
        entry = reader.drain(0)
        assert isinstance(entry, Entry)
        channel = entry.consumer.channel  # type: ignore[union-attr]  # a consumer has it
        if (place + number) % 7 == 0:
            channel.nack(entry.tag, requeue=True)
        else:
            channel.ack(entry.tag)
            settled.append(entry.message.body.split()[0].decode())
    broker.sync()
    print("a", *settled, flush=True)


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]))
