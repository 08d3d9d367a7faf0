"""Actors that `test_dramatiq` calls; its workers import it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

QUEUE = os.environ["QUEUE"]
dramatiq.set_broker(RabbitmqBroker(url=os.environ["BROKER_URL"], max_priority=10))


def note(text: str) -> int:
    """Write something down; how often it has been."""
    path = Path(os.environ["NOTES"])
    with path.open("a", encoding="utf-8") as notes:
        notes.write(f"{text}\n")
    return path.read_text(encoding="utf-8").splitlines().count(text)


@dramatiq.actor(queue_name=QUEUE)
def write(text: str) -> None:
    note(text)


@dramatiq.actor(queue_name=QUEUE, max_retries=2, min_backoff=50, max_backoff=100)
def flaky(text: str, failures: int) -> None:
    if note(text) <= failures:
        raise RuntimeError("not yet")


@dramatiq.actor(queue_name=QUEUE)
def endless(text: str) -> None:
    """The first time it has no end."""
    if note(text) == 1:
        time.sleep(600)
