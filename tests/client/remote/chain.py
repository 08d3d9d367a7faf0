"""The programs of `test_kills`, each to be killed at any time: `chain.py ROLE URL LEDGER OPTIONS`.

The producer publishes numbers, and writes each into its ledger once it is confirmed; the consumer
writes each into its ledger, and then acks it. Both go on through the loss of their connections.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from minibroker_client import Connection
from minibroker_client.exceptions import LeaseLost, MessageNacked

ERRORS: tuple[type[BaseException], ...] = (*Connection.connection_errors, LeaseLost, MessageNacked)
PREFETCH = 10
PAUSE = 0.002
"""Seconds between two publishes, so that the chain has something to do at each kill."""


def main(role: str, url: str, ledger: str, options: str) -> None:
    """Play a part until killed, or until there is a file beside the ledger that says `stop`."""
    connection = Connection(url, connect_timeout=5, transport_options=json.loads(options))
    with open(ledger, "ab", buffering=0) as file:  # noqa: PTH123 -- unbuffered
        while not stopped(ledger):
            try:
                connection.ensure_connection(interval_start=0.1, interval_step=0, timeout=60)
                ROLES[role](connection, file, ledger)
            except ERRORS:
                connection.collect()
                time.sleep(0.05)
    connection.close()


def stopped(ledger: str) -> bool:
    """Whether the test has asked for the end."""
    return Path(ledger).with_suffix(".stop").exists()


def produce(connection: Connection, file: Any, ledger: str) -> None:
    """Publish the number behind the last one that was confirmed, and so on."""
    channel = connection.channel()
    channel.raw.confirm_select()
    raw = channel.raw
    raw.declare_queue("first", durable=True)
    raw.declare_queue("last", durable=True)
    confirmed = Path(ledger).read_bytes().split()
    number = int(confirmed[-1]) + 1 if confirmed else 0
    while not stopped(ledger):
        record = raw.properties({"message_id": str(number), "delivery_mode": 2})
        if not raw.confirmed(raw.publish("", "first", b"%d" % number, record), 30):
            raise MessageNacked("refused", number)
        file.write(b"%d\n" % number)
        number += 1
        time.sleep(PAUSE)


def consume(connection: Connection, file: Any, ledger: str) -> None:
    """Note what comes, then ack it."""
    channel = connection.channel()
    channel.raw.declare_queue("last", durable=True)
    channel.qos(PREFETCH)

    def note(delivery: Any) -> None:
        file.write(delivery.message.body + b"\n")
        channel.raw.ack(delivery.tag)

    channel.consume("last", note)
    while not stopped(ledger):
        try:
            connection.drain_events(timeout=0.2)
        except TimeoutError:
            continue


ROLES = {"produce": produce, "consume": consume}

if __name__ == "__main__":
    main(*sys.argv[1:5])
    os._exit(0)
