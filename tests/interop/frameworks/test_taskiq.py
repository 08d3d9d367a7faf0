"""taskiq over aio-pika, with real workers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ..needed import needed_module
from ..proxy import Proxy
from .programs import Workers
from .workers import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..servers import AmqpServer

taskiq = needed_module("taskiq")
taskiq_aio_pika = needed_module("taskiq_aio_pika")
pytestmark = pytest.mark.filterwarnings("default")  # theirs


@pytest.fixture
def proxy(amqp_server: AmqpServer) -> Iterator[Proxy]:
    proxy = Proxy(amqp_server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def workers(
    amqp_server: AmqpServer, proxy: Proxy, name: Callable[[str], str], tmp_path: Path
) -> Iterator[Workers]:
    """They reach the server through the proxy."""
    program = ["taskiq", "worker", "taskiq_app:broker", "--workers", "1", "--max-async-tasks", "1"]
    url = amqp_server.url.replace(str(amqp_server.port), str(proxy.port))
    made = Workers(program, "Listening started", url, name("taskiq"), tmp_path)
    yield made
    made.close()


@pytest.fixture
def send(amqp_server: AmqpServer, workers: Workers) -> Callable[..., None]:
    """`send("write", "text")`: call a task."""

    async def one(task: str, arguments: tuple[Any, ...], labels: dict[str, Any]) -> None:
        queue = taskiq_aio_pika.Queue(
            name=workers.queue, type=taskiq_aio_pika.QueueType.CLASSIC, max_priority=10
        )
        exchange = taskiq_aio_pika.Exchange(name=f"{workers.queue}.x")
        broker = taskiq_aio_pika.AioPikaBroker(
            amqp_server.url,
            exchange=exchange,
            task_queues=[queue],
            delay_queue=taskiq_aio_pika.Queue(name=f"{workers.queue}.delay"),
            dead_letter_queue=taskiq_aio_pika.Queue(name=f"{workers.queue}.dead"),
        )
        await broker.startup()
        called = taskiq.kicker.AsyncKicker(task, broker, labels)
        await called.kiq(*arguments)
        await broker.shutdown()

    def send(task: str, *arguments: Any, **labels: Any) -> None:
        asyncio.run(one(task, arguments, labels))

    return send


def test_what_is_sent_is_worked_on_in_order(workers: Workers, send: Callable[..., None]) -> None:
    for number in range(10):
        send("write", f"word {number}")
    workers.start()
    until(lambda: len(workers.notes()) == 10, "the work")
    assert workers.notes() == [f"word {number}" for number in range(10)]


def test_a_delayed_task_comes_later(workers: Workers, send: Callable[..., None]) -> None:
    workers.start()
    send("write", "later", delay=0.6)
    send("write", "now")
    until(lambda: len(workers.notes()) == 2, "the delayed work")
    assert workers.notes() == ["now", "later"]


def test_a_higher_priority_goes_first(workers: Workers, send: Callable[..., None]) -> None:
    for priority in (1, 5, 9):
        send("write", f"priority {priority}", priority=priority)
    workers.start()
    until(lambda: len(workers.notes()) == 3, "the work")
    assert workers.notes() == ["priority 9", "priority 5", "priority 1"]


def test_what_fails_is_tried_again(workers: Workers, send: Callable[..., None]) -> None:
    workers.start()
    send("flaky", "twice", 1, retry_on_error=True)
    until(lambda: workers.notes() == ["twice", "twice"], "the second try")


def test_what_a_killed_worker_had_is_done_by_another_one(
    workers: Workers, send: Callable[..., None]
) -> None:
    killed = workers.start()
    send("endless", "unlucky")
    until(lambda: workers.notes() == ["unlucky"], "the begin")
    killed.kill()
    workers.start()
    until(lambda: workers.notes() == ["unlucky", "unlucky"], "the second try")


def test_a_worker_whose_connection_is_cut_goes_on(
    workers: Workers, send: Callable[..., None], proxy: Proxy
) -> None:
    workers.start()
    send("write", "before")
    until(lambda: workers.notes() == ["before"], "the first work")
    proxy.cut()
    send("write", "after")
    until(lambda: workers.notes() == ["before", "after"], "the work after the cut")
