from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import Channel, Connection, Consumer, Message, Producer, Queue
from minibroker_client.exceptions import NotFound
from minibroker_client.mixins import ConsumerMixin, ConsumerProducerMixin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Worker(ConsumerMixin):
    """Consumes from `q` until it has seen "stop", with a clock that only sleeping moves."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.bodies: list[Any] = []
        self.told: list[str] = []
        self.now = 0.0
        self.monotonic = lambda: self.now
        self.sleep = self._sleep

    def _sleep(self, seconds: float) -> None:
        self.told.append(f"slept {seconds}")
        self.now += seconds

    def get_consumers(
        self,
        Consumer: Callable[..., Consumer],  # noqa: N803 -- Kombu's name
        channel: Channel,
    ) -> Sequence[Consumer]:
        return [Consumer(queues=[Queue("q")], callbacks=[self.on_task])]

    def on_task(self, body: Any, message: Message) -> None:
        self.bodies.append(body)
        message.ack()
        if body == "stop":
            self.should_stop = True
        if body == "break":
            message.channel.get("nowhere")  # type: ignore[union-attr]  # it was received

    def on_connection_revived(self) -> None:
        self.told.append("revived")

    def on_consume_ready(
        self, connection: Connection, channel: Channel, consumers: Sequence[Consumer], **kwargs: Any
    ) -> None:
        super().on_consume_ready(connection, channel, consumers, **kwargs)
        self.told.append(f"ready {len(consumers)} {kwargs}")

    def on_consume_end(self, connection: Connection, channel: Channel) -> None:
        super().on_consume_end(connection, channel)
        self.told.append("end")


@pytest.fixture
def worker(connection: Connection) -> Worker:
    Queue("q")(connection).declare()
    return Worker(connection)


def send(connection: Connection, *bodies: Any) -> None:
    for body in bodies:
        Producer(connection).publish(body, "q")


def test_it_consumes_until_it_should_stop(connection: Connection, worker: Worker) -> None:
    send(connection, {"a": 1}, "stop", "late")
    worker.run(option=1)
    assert worker.bodies == [{"a": 1}, "stop"]
    assert worker.told == ["revived", "ready 1 {'option': 1}", "end"]
    worker.run()
    assert worker.told[3:] == []


def test_a_closed_channel_is_made_anew_after_a_second(
    connection: Connection, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    send(connection, "break", "stop")
    worker.run()
    assert worker.bodies == ["break", "stop"]
    assert [told for told in worker.told if told.startswith("slept")] == ["slept 1.0"]
    assert worker.told.count("revived") == 2
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_limit_ends_consuming(connection: Connection, worker: Worker) -> None:
    send(connection, 1, 2, 3)
    assert list(worker.consume(limit=2, timeout=0)) == [None, None]
    assert worker.bodies == [1, 2]


def test_consuming_times_out_after_so_long_without_an_event(worker: Worker) -> None:
    events = worker.consume(timeout=0.002, safety_interval=0.001)
    with pytest.raises(TimeoutError):
        next(events)


def test_an_os_error_ends_consuming_quietly_only_if_it_should_stop(
    connection: Connection, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Connection, timeout: float | None = None) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(Connection, "drain_events", fail)
    with pytest.raises(ConnectionResetError):
        next(worker.consume())

    def fail_and_stop(_: Connection, timeout: float | None = None) -> None:
        worker.should_stop = True
        raise ConnectionResetError

    monkeypatch.setattr(Connection, "drain_events", fail_and_stop)
    assert list(worker.consume()) == []


def test_what_cannot_be_decoded_is_logged_and_acked(
    connection: Connection, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    connection.default_channel.publish("", "q", b"{", {"content_type": "application/json"})
    send(connection, "stop")
    worker.run()
    assert worker.bodies == ["stop"]
    assert "Can't decode message body" in caplog.text
    assert connection.default_channel.get("q") is None


def test_a_connection_that_cannot_be_made_is_logged(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.on_connection_error(OSError("refused"), 2.0)
    assert "trying again in 2.0 seconds: OSError('refused')" in caplog.text


def test_errors_of_connections_can_be_ignored(connection: Connection, worker: Worker) -> None:
    assert worker.maybe_conn_error(lambda: 5) == 5
    assert worker.maybe_conn_error(lambda: connection.channel().get("nowhere")) is None
    with pytest.raises(ZeroDivisionError):
        worker.maybe_conn_error(lambda: 1 / 0)


def test_a_bare_mixin_does_not_know_what_to_consume(connection: Connection) -> None:
    mixin = ConsumerMixin()
    mixin.connection = connection
    mixin.on_connection_revived()
    mixin.on_iteration()
    with pytest.raises(NotImplementedError):
        mixin.get_consumers(Consumer, connection.default_channel)


def test_a_producer_mixin_publishes_on_a_connection_of_its_own(connection: Connection) -> None:
    class Echo(ConsumerProducerMixin):
        def __init__(self) -> None:
            self.connection = connection

        def get_consumers(
            self,
            Consumer: Callable[..., Consumer],  # noqa: N803 -- Kombu's name
            channel: Channel,
        ) -> Sequence[Consumer]:
            return [Consumer(queues=[Queue("q")], callbacks=[self.answer])]

        def answer(self, body: Any, message: Message) -> None:
            self.producer.publish(body, message.properties["reply_to"], declare=[Queue("r")])
            self.used = self.producer_connection
            message.ack()
            self.should_stop = True

    Queue("q")(connection).declare()
    Producer(connection).publish("hello", "q", reply_to="r")
    echo = Echo()
    echo.run()
    reply = Queue("r")(connection).get()
    assert reply is not None
    assert reply.payload == "hello"
    assert echo.used is not connection
    assert not echo.used.connected
    echo.on_consume_end(connection, connection.default_channel)


def test_channel_errors_are_those_of_the_connection(connection: Connection) -> None:
    with pytest.raises(NotFound):
        connection.channel().get("nowhere")
