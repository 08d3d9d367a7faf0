"""A Celery application whose tasks write down what they do, for the tests in this folder.

Started as `celery -A celery_app worker`; where its broker and its files are is in the environment.
"""

from __future__ import annotations

import os
import signal
import time
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["app"]

PREFIX = os.environ["QUEUE_PREFIX"]
FILES = Path(os.environ["FILES"])
PATIENCE = 30
QUEUE: Any = import_module("kombu").Queue

app: Any = import_module("celery").Celery(
    "celery_app", broker=os.environ["BROKER_URL"], backend=os.environ["RESULT_BACKEND"]
)
app.conf.update(
    task_default_queue=f"{PREFIX}-tasks",
    task_queues=[QUEUE(f"{PREFIX}-tasks", queue_arguments={"x-max-priority": 10})],
    event_queue_prefix=f"{PREFIX}-events",
    control_exchange=f"{PREFIX}-control",
    event_exchange=f"{PREFIX}-event",
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    result_expires=60,
)


def note(what: str) -> None:
    """Append a line to what happened."""
    with (FILES / "notes").open("a") as file:
        file.write(f"{what}\n")


def add(x: int, y: int) -> int:
    """The sum."""
    return x + y


def total(numbers: list[int]) -> int:
    """The sum of a list."""
    return sum(numbers)


def flaky(self: Any, failures: int) -> int:
    """Fails so many times, then gives the number of its retries."""
    retries: int = self.request.retries
    if retries < failures:
        raise self.retry(exc=ValueError(f"attempt {retries}"))
    return retries


def remember(word: str) -> None:
    """Note a word."""
    note(word)


def fragile(word: str) -> str:
    """Kills its own process the first time."""
    note(word)
    if (FILES / "notes").read_text().count(word) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return word


def patient(word: str) -> str:
    """Waits for a file that says that it may go on."""
    note(f"{word} {os.getpid()}")
    until = time.monotonic() + PATIENCE
    while not (FILES / "go").exists() and time.monotonic() < until:
        time.sleep(0.02)
    note(f"{word} done")
    return word


# Without decorators, which have no types.
for task in (add, total, remember):
    app.task(task)
app.task(bind=True, max_retries=5, default_retry_delay=0.1)(flaky)
app.task(acks_late=True, reject_on_worker_lost=True)(fragile)
app.task(acks_late=True)(patient)
