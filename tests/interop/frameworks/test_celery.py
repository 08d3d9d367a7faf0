"""Celery, with real workers."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from ..needed import needed_module
from .workers import PATIENCE, Application, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..servers import AmqpServer

celery = needed_module("celery")
pytestmark = pytest.mark.filterwarnings("default")  # theirs


@pytest.fixture
def application(
    amqp_server: AmqpServer, name: Callable[[str], str], tmp_path: Path
) -> Iterator[Application]:
    made = Application(amqp_server.url, name("celery"), tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_results_retries_groups_and_chains_come_back(application: Application, pool: str) -> None:
    application.worker(pool)
    assert application.send("add", 2, 3).get(timeout=PATIENCE) == 5
    assert application.send("flaky", 2).get(timeout=PATIENCE) == 2
    group = celery.group([application.task("add", number, 1) for number in range(20)])
    assert group.apply_async().get(timeout=PATIENCE) == list(range(1, 21))
    chain = celery.chain(application.task("add", 1, 2), application.task("add", 4))
    assert chain.apply_async().get(timeout=PATIENCE) == 7


def test_countdown_and_eta_are_waited_for(application: Application) -> None:
    application.worker("threads")
    begun = monotonic()
    later = application.send("add", 1, 1, countdown=1)
    eta = application.send("add", 2, 2, eta=datetime.now(UTC) + timedelta(seconds=1))
    assert (later.get(timeout=PATIENCE), eta.get(timeout=PATIENCE)) == (2, 4)
    assert monotonic() - begun >= 0.9


def test_a_task_that_kills_its_process_comes_again(application: Application) -> None:
    application.worker("prefork", 1)
    assert application.send("fragile", "word").get(timeout=PATIENCE) == "word"
    assert application.notes() == ["word", "word"]


def test_a_task_of_a_killed_worker_goes_to_another_one(application: Application) -> None:
    first = application.worker("prefork", 1)
    result = application.send("patient", "job")
    until(application.notes, "the start of the task")
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    (application.files / "go").touch()
    application.worker("prefork", 1)
    assert result.get(timeout=PATIENCE) == "job"
    starts = [
        line for line in application.notes() if line.startswith("job ") and "done" not in line
    ]
    assert len(starts) == 2


def test_higher_priorities_are_worked_off_first(application: Application) -> None:
    blocker = application.worker("threads", 1)
    application.send("patient", "blocker")
    until(application.notes, "the start of the task")
    for priority in (0, 5, 9, 5, 0):  # the worker may hold one of them by now
        application.send("remember", f"p{priority}", priority=priority)
    (application.files / "go").touch()
    until(lambda: len(application.notes()) == 7, "all tasks")
    order = [line for line in application.notes() if line.startswith("p")]
    assert order in (["p9", "p5", "p5", "p0", "p0"], ["p0", "p9", "p5", "p5", "p0"])
    assert blocker.poll() is None


def test_a_chord_joins_its_results(
    amqp_server: AmqpServer, name: Callable[[str], str], tmp_path: Path
) -> None:
    # Celery refuses chords with rpc://: their results are in files here, their messages on AMQP.
    (tmp_path / "results").mkdir()
    backend = f"file://{tmp_path / 'results'}"
    application = Application(amqp_server.url, name("celery"), tmp_path, backend)
    try:
        application.worker("threads")
        header = [application.task("add", number, number) for number in range(10)]
        chord = celery.chord(header)(application.task("total"))
        assert chord.get(timeout=PATIENCE) == 90
    finally:
        application.close()


def test_workers_answer_to_inspect_and_obey_control(application: Application) -> None:
    worker = application.worker("threads", 1)
    inspect = application.celery.control.inspect(timeout=10, limit=1)
    node = "w0@localhost"
    assert inspect.ping() == {node: {"ok": "pong"}}
    assert "celery_app.add" in inspect.registered()[node]
    assert inspect.stats()[node]["pool"]["max-concurrency"] == 1
    application.send("patient", "busy")
    until(application.notes, "the start of the task")
    assert [task["args"] for task in inspect.active()[node]] == [["busy"]]
    limited = application.celery.control.rate_limit(
        "celery_app.add", "10/m", reply=True, timeout=10, limit=1
    )
    assert limited == [{node: {"ok": "new rate limit set successfully"}}]
    (application.files / "go").touch()
    application.celery.control.shutdown()
    assert worker.wait(timeout=PATIENCE) == 0


def test_events_tell_what_became_of_a_task(application: Application) -> None:
    seen: list[tuple[str, str]] = []

    def note(event: dict[str, Any]) -> None:
        if event["type"].startswith("task-"):
            seen.append((event["type"], event["uuid"]))
        if event["type"] == "task-succeeded":
            receiver.should_stop = True

    with application.celery.connection() as connection:
        receiver = application.celery.events.Receiver(connection, handlers={"*": note})
        with receiver.consumer_context(wakeup=False) as (own, _, _):
            application.worker("threads", 1)
            result = application.send("add", 1, 1)
            until(lambda: drained(own) and receiver.should_stop, "the event of its success")
    kinds = [kind for kind, uuid in seen if uuid == result.id]
    assert kinds == ["task-received", "task-started", "task-succeeded"]


def drained(connection: Any) -> bool:
    """Handle what has come; always true."""
    with suppress(TimeoutError):
        connection.drain_events(timeout=0.2)
    return True
