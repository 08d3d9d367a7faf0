"""Tasks that `test_taskiq` calls by their names; its workers import it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from taskiq import SimpleRetryMiddleware
from taskiq_aio_pika import AioPikaBroker, Exchange, Queue, QueueType


def made(url: str, name: str) -> AioPikaBroker:
    """A broker with an exchange and queues of its own; those for delays are quorum queues."""
    return AioPikaBroker(
        url,
        qos=1,
        exchange=Exchange(name=f"{name}.x"),
        task_queues=[Queue(name=name, type=QueueType.CLASSIC, max_priority=10)],
        delay_queue=Queue(name=f"{name}.delay"),
        dead_letter_queue=Queue(name=f"{name}.dead"),
    ).with_middlewares(SimpleRetryMiddleware(default_retry_count=3))


broker = made(os.environ["BROKER_URL"], os.environ["QUEUE"])


def note(text: str) -> int:
    """Write something down; how often it has been."""
    path = Path(os.environ["NOTES"])
    with path.open("a", encoding="utf-8") as notes:
        notes.write(f"{text}\n")
    return path.read_text(encoding="utf-8").splitlines().count(text)


@broker.task(task_name="write")
async def write(text: str) -> None:
    note(text)


@broker.task(task_name="flaky", retry_on_error=True)
async def flaky(text: str, failures: int) -> None:
    if note(text) <= failures:
        raise RuntimeError("not yet")


@broker.task(task_name="endless")
async def endless(text: str) -> None:
    """The first time it has no end."""
    if note(text) == 1:
        await asyncio.sleep(600)
