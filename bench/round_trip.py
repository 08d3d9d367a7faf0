"""Requests and replies by direct reply-to, each side in a process of its own.

python round_trip.py LIBRARY URL QUEUE      the side that replies; it says "ready"
"""

from __future__ import annotations

import subprocess
import sys
import time
from importlib import import_module
from itertools import count
from typing import Any

__all__ = ["RoundTrips"]

REPLY_TO = "amq.rabbitmq.reply-to"
_numbers = count(1)


def ours(url: str, queue: str) -> tuple[Any, Any]:
    """A connection and a channel of minibroker_client."""
    import minibroker_client  # noqa: PLC0415 -- each process has its own

    connection = minibroker_client.Connection(url)
    channel = connection.channel()
    channel.declare_queue(queue)
    return connection, channel


def pika_channel(url: str, queue: str) -> tuple[Any, Any]:
    """The same of pika."""
    pika: Any = import_module("pika")  # it has no types

    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.queue_declare(queue)
    return connection, channel


def reply_with_ours(url: str, queue: str) -> None:
    """Reply until killed."""
    connection, channel = ours(url, queue)

    def answer(delivery: Any) -> None:
        message = delivery.message
        channel.publish("", message.properties.reply_to, message.body)

    channel.consume(queue, answer, no_ack=True)
    print("ready", flush=True)
    while True:
        connection.drain_events()


def reply_with_pika(url: str, queue: str) -> None:
    """Reply until killed."""
    _, channel = pika_channel(url, queue)

    def answer(_: Any, __: Any, properties: Any, body: bytes) -> None:
        channel.basic_publish("", properties.reply_to, body)

    channel.basic_consume(queue, answer, auto_ack=True)
    print("ready", flush=True)
    channel.start_consuming()


class RoundTrips:
    """The side that asks, and the process that replies."""

    def __init__(self, library: str, url: str) -> None:
        queue = f"round-trip-{next(_numbers)}"
        self._replier = subprocess.Popen(
            [sys.executable, __file__, library, url, queue], stdout=subprocess.PIPE, text=True
        )
        assert self._replier.stdout is not None
        assert self._replier.stdout.readline() == "ready\n"
        self._got = 0
        if library == "ours":
            self._connection, self._channel = ours(url, queue)
            self._channel.consume(REPLY_TO, self._take, no_ack=True)
            self._ask, self._wait = self._ask_ours, self._connection.drain_events
        else:
            self._connection, self._channel = pika_channel(url, queue)
            self._channel.basic_consume(REPLY_TO, self._take, auto_ack=True)
            self._ask = self._ask_pika
            self._wait = lambda: self._connection.process_data_events(time_limit=60)
        self._queue = queue

    def _take(self, *_: Any) -> None:
        self._got += 1

    def _ask_ours(self) -> None:
        self._channel.publish("", self._queue, b"x" * 100, {"reply_to": REPLY_TO})

    def _ask_pika(self) -> None:
        properties = import_module("pika").BasicProperties(reply_to=REPLY_TO)
        self._channel.basic_publish("", self._queue, b"x" * 100, properties)

    def times(self, number: int) -> list[float]:
        """Seconds of so many requests, one after the other."""
        taken = []
        for _ in range(number):
            before, wanted = time.perf_counter(), self._got + 1
            self._ask()
            while self._got < wanted:
                self._wait()
            taken.append(time.perf_counter() - before)
        return taken

    def close(self) -> None:
        """End both sides."""
        self._connection.close()
        self._replier.kill()
        self._replier.wait()
        assert self._replier.stdout is not None
        self._replier.stdout.close()


if __name__ == "__main__":
    {"ours": reply_with_ours, "pika": reply_with_pika}[sys.argv[1]](*sys.argv[2:])
