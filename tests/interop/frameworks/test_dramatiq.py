"""dramatiq, with real workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ..needed import needed_module
from .programs import Workers
from .workers import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..servers import AmqpServer

dramatiq = needed_module("dramatiq")
rabbitmq = needed_module("dramatiq.brokers.rabbitmq")
pika = needed_module("pika")
pytestmark = pytest.mark.filterwarnings("default")  # theirs


@pytest.fixture
def workers(
    amqp_server: AmqpServer, name: Callable[[str], str], tmp_path: Path
) -> Iterator[Workers]:
    program = ["dramatiq", "dramatiq_app", "--processes", "1", "--threads", "1"]
    made = Workers(program, "is ready for action", amqp_server.url, name("dramatiq"), tmp_path)
    yield made
    made.close()


@pytest.fixture
def broker(amqp_server: AmqpServer) -> Iterator[Any]:
    broker = rabbitmq.RabbitmqBroker(
        url=amqp_server.url, confirm_delivery=True, max_priority=10, middleware=[]
    )
    yield broker
    broker.close()


@pytest.fixture
def send(broker: Any, workers: Workers) -> Callable[..., None]:
    """`send("write", "text")`: call an actor."""

    def send(actor: str, *arguments: Any, delay: int | None = None, **options: Any) -> None:
        message = dramatiq.Message(workers.queue, actor, arguments, {}, options)
        broker.enqueue(message, delay=delay)

    return send


def test_what_is_sent_is_worked_on_in_order(workers: Workers, send: Callable[..., None]) -> None:
    words = [f"word {number}" for number in range(50)]
    for word in words:
        send("write", word)
    workers.start()
    until(lambda: len(workers.notes()) == len(words), "the work")
    assert workers.notes() == words


def test_a_delayed_message_comes_later(workers: Workers, send: Callable[..., None]) -> None:
    workers.start()
    send("write", "later", delay=400)
    send("write", "now")
    until(lambda: len(workers.notes()) == 2, "the delayed work")
    assert workers.notes() == ["now", "later"]


def test_a_higher_priority_goes_first(workers: Workers, send: Callable[..., None]) -> None:
    for priority in (1, 5, 9, 5):
        send("write", f"priority {priority}", broker_priority=priority)
    workers.start()
    until(lambda: len(workers.notes()) == 4, "the work")
    assert workers.notes() == ["priority 9", "priority 5", "priority 5", "priority 1"]


def test_what_fails_is_tried_again(workers: Workers, send: Callable[..., None]) -> None:
    workers.start()
    send("flaky", "twice", 1)
    until(lambda: workers.notes() == ["twice", "twice"], "the second try")


def test_what_fails_too_often_is_kept_as_a_dead_letter(
    workers: Workers, send: Callable[..., None], amqp_server: AmqpServer
) -> None:
    workers.start()
    send("flaky", "always", 99)
    with pika.BlockingConnection(pika.URLParameters(amqp_server.url)) as connection:
        channel = connection.channel()
        letters = f"{workers.queue}.XQ"
        until(lambda: _ready(channel, letters) == 1, "the dead letter")
        frame, properties, body = channel.basic_get(letters, auto_ack=True)
        assert frame is not None
        assert b'"always"' in body
        assert properties.headers["x-death"][0]["reason"] == "rejected"
    assert workers.notes() == ["always"] * 3


def test_what_a_killed_worker_had_is_done_by_another_one(
    workers: Workers, send: Callable[..., None]
) -> None:
    killed = workers.start()
    send("endless", "unlucky")
    until(lambda: workers.notes() == ["unlucky"], "the begin")
    killed.kill()
    workers.start()
    until(lambda: workers.notes() == ["unlucky", "unlucky"], "the second try")


def _ready(channel: Any, queue: str) -> int:
    return int(channel.queue_declare(queue, passive=True).method.message_count)
