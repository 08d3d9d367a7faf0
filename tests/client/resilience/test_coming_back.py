"""What a user sees of a connection that was lost and made again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import Connection, Consumer, Exchange, Queue
from minibroker_client.exceptions import (
    LeaseLost,
    NotAllowed,
    RecoverableConnectionError,
)
from minibroker_client.mixins import ConsumerMixin

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker
    from minibroker_client import Channel, Message

    from .proxy import Proxy

SECONDS = 20.0


def drain_until(connection: Connection, is_done: Any) -> None:
    while not is_done():
        connection.drain_events(timeout=SECONDS)


def acking(got: list[Any]) -> Callable[[Any, Message], None]:
    """A callback that acks what it gets."""

    def callback(body: Any, message: Message) -> None:
        got.append(body)
        message.ack()

    return callback


def test_a_lost_connection_is_raised_once_and_can_be_made_again(proxy: Proxy, scheme: str) -> None:
    with Connection(proxy.url(scheme)) as connection:
        channel = connection.default_channel
        proxy.cut()
        with pytest.raises(connection.recoverable_connection_errors):
            connection.drain_events(timeout=SECONDS)
        assert not connection.connected
        with pytest.raises(RecoverableConnectionError, match="closed"):
            channel.get("q")
        connection.ensure_connection(max_retries=3)
        channel.declare_queue("q")
        assert connection.default_channel is channel


def test_everything_comes_back_after_a_reconnect(
    proxy: Proxy, scheme: str, real_broker: Broker
) -> None:
    got: list[tuple[Any, Message]] = []
    exchange = Exchange("e", type="topic", durable=False)
    queue = Queue("q", exchange, routing_key="a.#", durable=False, auto_delete=True)
    options = {"confirm_publish": True}
    with Connection(proxy.url(scheme), transport_options=options) as connection:
        consumer = connection.Consumer(
            queue, callbacks=[lambda *both: got.append(both)],
            prefetch_count=3,
        )  # fmt: skip
        with consumer:
            producer = connection.Producer(exchange=exchange, routing_key="a.b")
            producer.publish("before")
            drain_until(connection, lambda: got)
            proxy.cut()
            with pytest.raises(connection.recoverable_connection_errors):
                connection.drain_events(timeout=SECONDS)
            real_broker.connect().channel().delete_exchange("e")
            producer.publish("after", retry=True, retry_policy={"max_retries": 5})
            drain_until(connection, lambda: len(got) >= 2 and got[-1][0] == "after")
            with pytest.raises(LeaseLost):
                got[0][1].ack()
            got[-1][1].ack()
            [model] = [each for each in real_broker.vhosts["/"].connections if each.channels
                       and any(each.channels[0].consumers)]  # fmt: skip
            assert model.channels[0].confirms
            [seen] = model.channels[0].consumers.values()
            assert seen.prefetch == 3
            consumer.revive(connection.default_channel)
            assert len(model.channels[0].consumers) == 1


def test_draining_makes_a_lost_connection_again_if_it_is_asked_to(
    proxy: Proxy, scheme: str
) -> None:
    got: list[Any] = []
    options = {"recover": True, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}
    with Connection(proxy.url(scheme), transport_options=options) as connection:
        queue = Queue("q", durable=False)
        with connection.Consumer(queue, callbacks=[acking(got)]):
            for number in range(5):
                proxy.cut()
                with Connection(proxy.url(scheme)) as other:
                    queue.bind(other).declare()
                    other.Producer().publish(number, routing_key="q")
                drain_until(connection, lambda number=number: number in got)
    assert set(got) == set(range(5))


def test_draining_gives_up_after_its_time_while_the_broker_is_away(
    proxy: Proxy, scheme: str
) -> None:
    options = {"recover": True, "interval_start": 0, "interval_step": 0, "interval_max": 0}
    with Connection(proxy.url(scheme), transport_options=options) as connection:
        connection.connect()
        proxy.refusing = True
        proxy.cut()
        with pytest.raises(TimeoutError, match="away"):
            connection.drain_events(timeout=0.2)


def test_a_consumer_program_goes_on_through_lost_connections(proxy: Proxy, scheme: str) -> None:
    class Program(ConsumerMixin):
        def __init__(self, connection: Connection) -> None:
            self.connection = connection
            self.got: list[Any] = []

        def get_consumers(self, Consumer: Any, channel: Channel) -> list[Consumer]:  # noqa: N803 -- Kombu's name
            return [Consumer(queues=[Queue("q", durable=False)], callbacks=[self.on_message])]

        def on_message(self, body: Any, message: Message) -> None:
            message.ack()
            self.got.append(body)
            if len(self.got) < 3:
                with Connection(proxy.url(scheme)) as other:
                    other.Producer().publish(len(self.got), routing_key="q")
                proxy.cut()
            self.should_stop = len(self.got) >= 3

        def on_consume_ready(self, connection: Connection, *_: Any, **__: Any) -> None:
            if not self.got:
                connection.Producer().publish(0, routing_key="q")

        sleep = staticmethod(lambda _: None)

    with Connection(proxy.url(scheme)) as connection:
        program = Program(connection)
        program.run()
    assert set(program.got) >= {0, 1} or len(program.got) >= 3


def test_a_queue_that_was_declared_anew_with_other_arguments_is_left_out(
    proxy: Proxy, scheme: str, real_broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    with Connection(proxy.url(scheme)) as connection:
        channel = connection.channel()
        channel.declare_queue("changed")
        channel.declare_queue("kept", auto_delete=True)
        channel.declare_exchange("e", "fanout")
        channel.bind_queue("kept", "e")
        channel.consume("kept", print, tag="t")
        inside = real_broker.connect().channel()
        inside.delete_queue("changed")
        inside.declare_queue("changed", durable=True)
        inside.delete_exchange("e")
        inside.declare_exchange("e", "topic")
        proxy.cut()
        connection.collect()
        connection.ensure_connection(max_retries=3)
        assert "changed" in caplog.text
        assert "declare_exchange" in caplog.text
        assert channel.declare_queue("kept", passive=True).consumer_count == 1


def test_a_consumer_whose_queue_is_gone_is_cancelled(
    proxy: Proxy, scheme: str, real_broker: Broker
) -> None:
    cancelled: list[str] = []
    inside = real_broker.connect().channel()
    inside.declare_queue("elsewhere", durable=True)
    inside.declare_queue("stays", durable=True)
    with Connection(proxy.url(scheme)) as connection:
        channel = connection.channel()
        channel.consume("elsewhere", print, tag="lost", on_cancel=cancelled.append)
        channel.qos(7)
        channel.consume("stays", print, tag="kept")
        channel.qos(9)
        proxy.cut()
        connection.collect()
        inside.delete_queue("elsewhere")
        connection.ensure_connection(max_retries=3)
        assert cancelled == ["lost"]
        assert list(channel.consumers) == ["kept"]
        assert channel.declare_queue("stays", passive=True).consumer_count == 1


def test_a_queue_that_the_broker_named_gets_a_new_name_and_its_consumer(
    proxy: Proxy, scheme: str
) -> None:
    with Connection(proxy.url(scheme)) as connection:
        channel = connection.channel()
        name = channel.declare_queue(exclusive=True).queue
        channel.bind_queue(name, "amq.fanout")
        got: list[bytes] = []
        channel.consume(name, lambda delivery: got.append(delivery.message.body), tag="t")
        proxy.cut()
        connection.collect()
        connection.ensure_connection(max_retries=3)
        [new] = connection.topology.queues
        assert new != name
        assert channel.consumers["t"].queue == new
        channel.publish("amq.fanout", "", b"x")
        drain_until(connection, lambda: got)


def test_transactions_come_back(proxy: Proxy, scheme: str) -> None:
    with Connection(proxy.url(scheme)) as connection:
        channel = connection.channel()
        channel.declare_queue("q")
        channel.tx_select()
        proxy.cut()
        connection.collect()
        connection.ensure_connection(max_retries=3)
        channel.publish("", "q", b"x")
        assert channel.declare_queue("q", passive=True).message_count == 0
        channel.tx_commit()
        assert channel.declare_queue("q", passive=True).message_count == 1


def test_what_was_closed_from_here_does_not_come_back(proxy: Proxy, scheme: str) -> None:
    with Connection(proxy.url(scheme)) as connection:
        kept, closed, broken = (connection.channel() for _ in range(3))
        closed.close()
        with pytest.raises(connection.channel_errors):
            broken.get("nowhere")
        proxy.cut()
        connection.collect()
        connection.ensure_connection(max_retries=3)
        kept.declare_queue("q")
        assert closed.closed
        assert broken.closed


def test_several_urls_are_failed_over_between(proxy: Proxy, scheme: str) -> None:
    dead = f"{scheme}://127.0.0.1:1/"
    for strategy in ("round-robin", "shuffle"):
        with Connection([dead, proxy.url(scheme)], failover_strategy=strategy) as connection:
            connection.ensure_connection(max_retries=20, interval_start=0, interval_step=0)
            assert connection.parameters.port == proxy.port
            connection.default_channel.declare_queue("q")


def test_a_consumer_goes_on_at_the_other_url(proxy: Proxy, scheme: str) -> None:
    from .proxy import Proxy as Another  # noqa: PLC0415 -- a second one

    with Another(proxy.target) as second:
        urls = f"{proxy.url(scheme)};{second.url(scheme)}"
        with Connection(urls, transport_options={"recover": True}) as connection:
            got: list[Any] = []
            queue = Queue("q", durable=False)
            with connection.Consumer(queue, callbacks=[acking(got)]):
                proxy.refusing = True
                proxy.cut()
                with Connection(second.url(scheme)) as other:
                    queue.bind(other).declare()
                    other.Producer().publish("x", routing_key="q")
                drain_until(connection, lambda: got)
                assert connection.parameters.port == second.port


def test_a_virtual_host_that_is_missing_is_not_tried_again(proxy: Proxy, scheme: str) -> None:
    with pytest.raises(NotAllowed, match=r"vhost nowhere not found \(.*127\.0\.0\.1"):
        Connection(f"{proxy.url(scheme)}nowhere").ensure_connection(max_retries=5)
    assert proxy.accepted == 1
