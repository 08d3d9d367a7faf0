"""The contract: what every transport must do, or refuse loudly as its capabilities say.

A new transport adds a row to `TRANSPORTS` in `rows.py`: how to connect to it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from minibroker_client import exceptions
from minibroker_client.transport import get_transport
from minibroker_client.transport.base import (
    Address,
    Listener,
    Transport,
)

from .rows import TRANSPORTS, Servers
from .side import SECONDS, Side

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=TRANSPORTS)
def address(request: pytest.FixtureRequest, amqp_servers: Servers) -> Iterator[Address]:
    yield from TRANSPORTS[request.param](amqp_servers)


@pytest.fixture
def transport(address: Address) -> Transport:
    return get_transport(address.transport)


@pytest.fixture
def side(transport: Transport, address: Address) -> Iterator[Side]:
    side = Side(transport, address)
    yield side
    side.connection.close()


@pytest.fixture
def other(transport: Transport, address: Address, side: Side) -> Iterator[Side]:
    other = Side(transport, address)
    yield other
    other.connection.close()


def test_a_message_arrives_as_it_was_published_and_is_gone_once_acked(side: Side) -> None:
    side.channel.declare_queue("q")
    side.publish("q", b"body", content_type="text/plain", headers={"a": [1]}, priority=3)
    tag = side.channel.consume("q", side.deliveries.append)
    assert side.gets(b"body")
    [delivery] = side.deliveries
    assert delivery.consumer is not None
    assert delivery.consumer.tag == tag
    assert (delivery.message.exchange, delivery.message.routing_key) == ("", "q")
    properties = delivery.message.properties
    assert (properties.content_type, properties.headers, properties.priority) == (
        "text/plain",
        {"a": [1]},
        3,
    )
    assert (properties.correlation_id, properties.message_id) == (None, None)
    side.channel.ack(delivery.tag)
    side.channel.close()
    assert side.connection.channel(Listener(print, print)).get("q") is None


def test_a_property_that_amqp_does_not_have_is_refused(side: Side) -> None:
    with pytest.raises(TypeError, match="colour"):
        side.channel.properties({"colour": "red"})


def test_drain_gives_up_with_timeout_error(side: Side) -> None:
    with pytest.raises(TimeoutError):
        side.connection.drain(0)
    with pytest.raises(TimeoutError):
        side.connection.drain(0.001)


def test_a_rejected_message_is_requeued_or_gone(side: Side) -> None:
    side.channel.declare_queue("q")
    side.publish("q")
    first = side.channel.get("q")
    assert first is not None
    assert not first.delivery.redelivered
    side.channel.reject(first.delivery.tag, requeue=True)
    second = side.channel.get("q")
    assert second is not None
    assert second.delivery.redelivered
    side.channel.reject(second.delivery.tag, requeue=False)
    assert side.channel.get("q") is None


def test_nack_can_mean_all_up_to_a_tag(side: Side) -> None:
    side.channel.declare_queue("q")
    for body in (b"1", b"2", b"3"):
        side.publish("q", body)
    side.channel.consume("q", side.deliveries.append)
    assert side.gets(b"1", b"2", b"3")
    side.channel.nack(side.deliveries[1].tag, multiple=True, requeue=False)
    side.channel.ack(0, multiple=True)
    side.channel.close()
    assert side.connection.channel(Listener(print, print)).declare_queue("q") == ("q", 0, 0)


def test_what_is_unacked_goes_back_when_its_channel_closes(side: Side, other: Side) -> None:
    side.channel.declare_queue("q")
    side.publish("q")
    assert side.channel.get("q") is not None
    assert other.channel.get("q") is None
    side.channel.close()
    assert side.channel.closed
    found = other.channel.get("q")
    assert found is not None
    assert found.delivery.redelivered


def test_what_is_unacked_goes_back_with_recover(side: Side) -> None:
    side.channel.declare_queue("q")
    side.publish("q")
    assert side.channel.get("q") is not None
    side.channel.recover()
    assert side.channel.get("q", no_ack=True) is not None


def test_prefetch_limits_what_is_unacked(side: Side) -> None:
    side.channel.declare_queue("q")
    side.channel.qos(1)
    side.channel.consume("q", side.deliveries.append)
    side.publish("q", b"1")
    side.publish("q", b"2")
    assert side.gets(b"1")
    side.channel.ack(side.deliveries[0].tag)
    assert side.gets(b"1", b"2")


def test_a_cancelled_consumer_gets_no_more(side: Side) -> None:
    side.channel.declare_queue("q")
    tag = side.channel.consume("q", side.deliveries.append, tag="mine", no_ack=True)
    assert tag == "mine"
    side.publish("q", b"1")
    assert side.gets(b"1")
    side.channel.cancel("mine")
    side.channel.cancel("nobody")
    side.publish("q", b"2")
    assert side.gets(b"1")


def test_a_deleted_queue_cancels_its_consumer(side: Side, other: Side) -> None:
    side.channel.declare_queue("q")
    side.channel.consume("q", side.deliveries.append, tag="mine")
    assert other.channel.delete_queue("q") == 0
    side.drain_until(lambda: side.cancelled)
    assert side.cancelled == ["mine"]


def test_exchanges_route_to_queues_and_to_exchanges(side: Side) -> None:
    channel = side.channel
    channel.declare_exchange("source", "topic")
    channel.declare_exchange("target", "fanout")
    channel.bind_exchange("target", "source", "a.*")
    channel.declare_queue("q")
    channel.bind_queue("q", "target")
    channel.publish("source", "a.b", b"1", channel.properties({}))
    assert channel.purge_queue("q") == 1
    channel.unbind_exchange("target", "source", "a.*")
    channel.publish("source", "a.b", b"2", channel.properties({}))
    assert channel.purge_queue("q") == 0
    channel.unbind_queue("q", "target")
    channel.delete_exchange("target", if_unused=True)
    channel.delete_exchange("source")
    with pytest.raises(exceptions.NotFound):
        channel.declare_exchange("source", passive=True)


def test_arguments_are_those_of_the_time_of_the_call(side: Side) -> None:
    arguments = {"x-message-ttl": 60_000}
    side.channel.declare_queue("q", arguments=arguments)
    arguments["x-message-ttl"] = 2
    side.channel.declare_queue("q", arguments={"x-message-ttl": 60_000})


def test_a_queue_declared_otherwise_is_refused(side: Side, other: Side) -> None:
    side.channel.declare_queue("q", arguments={"x-message-ttl": 60_000})
    with pytest.raises(exceptions.PreconditionFailed, match="inequivalent arg 'x-message-ttl'"):
        other.channel.declare_queue("q")


def test_a_soft_error_closes_the_channel_and_leaves_the_connection(side: Side) -> None:
    with pytest.raises(exceptions.NotFound, match="nowhere") as caught:
        side.channel.get("nowhere")
    assert caught.value.reply_code == 404
    assert caught.value.method == "basic.get"
    assert side.channel.closed
    assert not side.connection.closed
    for call in (
        lambda: side.channel.declare_queue("q"),
        lambda: side.channel.publish("", "q", b"", None),
        lambda: side.channel.ack(1),
    ):
        with pytest.raises(exceptions.RecoverableConnectionError, match="channel is closed"):
            call()
    side.channel.close()
    again = side.connection.channel(Listener(print, print))
    assert again.channel_id == 2
    again.declare_queue("q")


def test_a_hard_error_closes_the_connection(side: Side) -> None:
    side.channel.declare_queue("q")
    side.channel.consume("q", side.deliveries.append, tag="mine")
    with pytest.raises(exceptions.NotAllowed, match="mine") as caught:
        side.channel.consume("q", side.deliveries.append, tag="mine")
    assert caught.value.reply_code == 530
    assert side.connection.closed
    assert side.channel.closed
    for call in (
        lambda: side.channel.declare_queue("q"),
        lambda: side.connection.channel(Listener(print, print)),
        lambda: side.connection.drain(0),
    ):
        with pytest.raises(exceptions.RecoverableConnectionError, match="connection is closed"):
            call()
    side.connection.close()


def test_an_unknown_tag_is_a_soft_error(side: Side) -> None:
    def ack() -> None:
        side.channel.ack(7)
        side.drain_until(lambda: False)  # where the answer has to travel

    with pytest.raises(exceptions.PreconditionFailed, match="unknown delivery tag 7"):
        ack()
    assert side.channel.closed


def test_a_mandatory_message_comes_back(side: Side, transport: Transport) -> None:
    assert transport.capabilities.returns
    side.publish("nowhere", b"back")
    side.drain_until(lambda: side.returned)
    [returned] = side.returned
    assert returned.message.body == b"back"
    assert (returned.reply_code, returned.reply_text) == (312, "NO_ROUTE")


def test_a_publish_is_confirmed(side: Side, transport: Transport) -> None:
    assert transport.capabilities.confirms
    side.channel.declare_queue("q")
    assert side.publish("q") == 0
    side.channel.confirm_select()
    first, second = side.publish("q"), side.publish("nowhere")
    assert (first, second) == (1, 2)
    assert side.channel.confirmed(second, timeout=SECONDS)
    assert len(side.returned) == 1
    assert side.channel.confirmed(first, timeout=SECONDS)


def test_a_publish_to_a_full_queue_is_refused(side: Side, transport: Transport) -> None:
    full = {"x-max-length": 1, "x-overflow": "reject-publish"}
    if not transport.capabilities.length_limit:
        with pytest.raises(exceptions.NotSupported, match="x-max-length"):
            side.channel.declare_queue("q", arguments=full)
        return
    side.channel.declare_queue("q", arguments=full)
    side.channel.confirm_select()
    first, second = side.publish("q"), side.publish("q")
    assert side.channel.confirmed(first, timeout=SECONDS)
    assert not side.channel.confirmed(second, timeout=SECONDS)


def test_deliveries_that_come_while_a_confirm_is_waited_for_are_kept_in_order(side: Side) -> None:
    side.channel.declare_queue("q")
    side.channel.consume("q", side.deliveries.append)
    side.publish("q", b"1")
    side.channel.confirm_select()
    assert side.channel.confirmed(side.publish("q", b"2"), timeout=SECONDS)
    assert side.deliveries == []
    assert side.gets(b"1", b"2")


def test_a_transaction_publishes_and_settles_at_its_commit(
    side: Side, transport: Transport
) -> None:
    side.channel.declare_queue("q")
    if not transport.capabilities.transactions:
        with pytest.raises(exceptions.NotSupported, match="use confirms"):
            side.channel.tx_select()
        return
    side.channel.tx_select()
    side.publish("q")
    side.channel.tx_rollback()
    side.publish("q")
    assert side.channel.get("q") is None
    side.channel.tx_commit()
    assert side.channel.get("q") is not None


def test_closing_a_connection_deletes_its_exclusive_queues(side: Side, other: Side) -> None:
    side.channel.declare_queue("mine", exclusive=True)
    with pytest.raises(exceptions.ResourceLocked):
        other.channel.get("mine")
    side.connection.close()
    side.connection.close()
    again = other.connection.channel(Listener(print, print))
    with pytest.raises(exceptions.NotFound):
        again.get("mine")


def test_heartbeats_may_be_checked_at_any_time(side: Side) -> None:
    side.connection.heartbeat_check()


def test_an_unknown_virtual_host_is_refused(transport: Transport, address: Address) -> None:
    if not transport.capabilities.virtual_hosts:
        return  # any name is a place of its own
    unknown = replace(address, virtual_host="x")
    with pytest.raises(exceptions.NotAllowed, match="vhost x not found"):
        transport.connect(unknown)
