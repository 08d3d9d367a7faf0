from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker_client import Channel, Connection, Message
from minibroker_client.channel import maybe_channel
from minibroker_client.exceptions import MessageNacked, MessageReturned, NotFound

if TYPE_CHECKING:
    from minibroker_client.transport.base import Delivery

FULL = {"x-max-length": 0, "x-overflow": "reject-publish"}


def test_the_methods_of_amqp_are_there_without_their_class(channel: Channel) -> None:
    channel.declare_exchange("e", "fanout")
    channel.declare_queue("q")
    channel.bind_queue("q", "e")
    channel.publish("e", "", b"1")
    channel.tx_select()
    message = channel.get("q")
    assert message is not None
    channel.nack(message.delivery_tag or 0, requeue=True)
    channel.tx_commit()
    channel.recover()
    channel.tx_rollback()
    channel.qos(5)
    assert channel.delete_queue("q") == 1
    channel.unbind_exchange("e", "amq.fanout")


def test_consume_hands_out_deliveries(connection: Connection, channel: Channel) -> None:
    channel.declare_queue("q")
    deliveries: list[Delivery] = []
    tag = channel.consume("q", deliveries.append)
    channel.publish("", "q", b"1", {"app_id": "me"})
    connection.drain_events(timeout=0)
    assert deliveries[0].message.properties.app_id == "me"
    channel.ack(deliveries[0].tag)
    channel.cancel(tag)


def test_a_consumer_that_was_cancelled_by_its_broker_is_told(
    connection: Connection, channel: Channel
) -> None:
    told: list[str] = []
    for name in ("a", "b", "c"):
        channel.declare_queue(name)
    channel.consume("a", print, tag="a", on_cancel=told.append)
    channel.consume("b", print, tag="b")
    channel.consume("c", print, tag="c", on_cancel=told.append)
    channel.cancel("c")
    for name in ("a", "b", "c"):
        channel.delete_queue(name)
    connection.drain_events(timeout=0)
    connection.drain_events(timeout=0)
    assert told == ["a"]


def test_a_returned_message_goes_to_the_callbacks(connection: Connection, channel: Channel) -> None:
    told: list[tuple[Exception, str, str, Message]] = []
    channel.events["basic_return"].add(lambda *args: told.append(args))
    properties = {"content_type": "application/json", "headers": {"a": 1}, "app_id": "me"}
    channel.publish("", "nowhere", b"[1]", properties, mandatory=True)
    connection.drain_events(timeout=0)
    [(error, exchange, routing_key, message)] = told
    assert isinstance(error, MessageReturned)
    assert (error.reply_code, exchange, routing_key) == (312, "", "nowhere")
    assert (message.payload, message.headers, message.properties) == (
        [1],
        {"a": 1},
        {"app_id": "me"},
    )
    assert message.delivery_info == {"exchange": "", "routing_key": "nowhere"}


def test_a_returned_message_that_nobody_listens_for_is_raised_by_drain_events(
    connection: Connection, channel: Channel
) -> None:
    channel.publish("", "nowhere", b"1", mandatory=True)
    with pytest.raises(MessageReturned, match="nowhere") as caught:
        connection.drain_events(timeout=0)
    assert isinstance(caught.value.message, Message)
    assert not channel.closed


def test_in_confirm_mode_a_returned_message_is_raised_by_publish(channel: Channel) -> None:
    channel.confirm_select()
    with pytest.raises(MessageReturned, match="nowhere"):
        channel.publish("", "nowhere", b"1", mandatory=True)
    channel.declare_queue("q")
    channel.publish("", "q", b"1", mandatory=True)


def test_in_confirm_mode_callbacks_are_told_before_publish_returns(channel: Channel) -> None:
    channel.confirm_select()
    told: list[object] = []
    channel.events["basic_return"].add(lambda *args: told.append(args))
    channel.publish("", "nowhere", b"1", mandatory=True)
    assert len(told) == 1


def test_in_confirm_mode_a_refused_message_is_raised_by_publish(channel: Channel) -> None:
    channel.confirm_select()
    channel.declare_queue("q", arguments=FULL)
    with pytest.raises(MessageNacked, match="routing key 'q'") as caught:
        channel.publish("", "q", b"1")
    assert caught.value.delivery_tag == 1


def test_all_channels_of_a_connection_can_be_in_confirm_mode(connection: Connection) -> None:
    connection.transport_options["confirm_publish"] = True
    channel = connection.channel()
    assert channel.confirming
    channel.declare_queue("q", arguments=FULL)
    with pytest.raises(MessageNacked):
        channel.publish("", "q", b"1", confirm_timeout=1)


def test_an_error_closes_the_channel(channel: Channel) -> None:
    assert not channel.closed
    with pytest.raises(NotFound):
        channel.get("nowhere")
    assert channel.closed
    channel.close()


def test_a_channel_without_a_pool_closes_when_it_is_released(channel: Channel) -> None:
    channel.release()
    assert channel.closed


def test_channels_are_numbered_on_their_connection(connection: Connection) -> None:
    one, two = connection.channel(), connection.channel()
    assert (one.channel_id, two.channel_id) == (1, 2)
    assert one.connection is connection
    assert one.connection.client is connection
    assert repr(one).startswith("<Channel 1 of <Connection: memory://")


def test_a_connection_stands_for_its_default_channel(connection: Connection) -> None:
    channel = connection.channel()
    assert maybe_channel(channel) is channel
    assert maybe_channel(connection) is connection.default_channel
