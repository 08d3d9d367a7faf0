"""The side of a channel that declares: what it remembers, and what it hands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.channel import DeclareOk
from minibroker.errors import ChannelInvalid, NotFound, PreconditionFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.channel import Channel


def test_declaring_answers_name_ready_entries_and_consumers(channel: Channel) -> None:
    assert channel.declare_queue("q") == DeclareOk("q", 0, 0)
    for _ in range(3):
        channel.publish("", "q", b"")
    channel.get("q")
    assert channel.declare_queue("q") == DeclareOk("q", 2, 0)
    channel.qos(1)
    channel.consume("q")
    assert channel.declare_queue("q", passive=True) == DeclareOk("q", 1, 1)


def test_the_broker_makes_a_name_where_there_is_none(channel: Channel) -> None:
    names = {channel.declare_queue().queue, channel.declare_queue("").queue}
    assert len(names) == 2
    assert all(name.startswith("amq.gen-") for name in names)
    name = channel.declare_queue(arguments={"x-name-prefix": "mine-"}).queue
    assert name.startswith("mine-")


def test_an_empty_name_is_the_queue_declared_last(channel: Channel) -> None:
    with pytest.raises(NotFound, match="no previously declared queue"):
        channel.purge_queue("")
    channel.declare_queue("q")
    channel.declare_queue("r")
    channel.publish("", "r", b"")
    assert channel.get("") is not None
    assert channel.purge_queue("") == 0
    channel.consume("", tag="tag")
    assert channel.consumers["tag"].queue.name == "r"
    channel.cancel("tag")
    assert channel.delete_queue("") == 0
    channel.declare_queue("q", passive=True)
    assert channel.queue_name("") == "q"


def test_a_passive_declare_takes_the_empty_name_for_a_name(channel: Channel) -> None:
    channel.declare_queue("q")
    with pytest.raises(NotFound, match="no queue '' in vhost '/'"):
        channel.declare_queue("", passive=True)


def test_a_failed_declare_is_not_remembered(channel: Channel) -> None:
    channel.declare_queue("q")
    with pytest.raises(PreconditionFailed):
        channel.declare_queue("r", arguments={"x-message-ttl": -1})
    assert channel.queue_name("") == "q"


def test_line_ends_are_no_part_of_a_name(channel: Channel) -> None:
    assert channel.declare_queue("q\r\n") == DeclareOk("q", 0, 0)
    assert channel.queue_name("") == "q"


@pytest.mark.parametrize(("key", "bound"), [("", "q"), ("key", "key")])
def test_with_both_empty_the_routing_key_is_the_queue_too(
    channel: Channel, key: str, bound: str
) -> None:
    channel.declare_queue("q")
    channel.bind_queue("", "amq.direct", key)
    channel.publish("amq.direct", bound, b"")
    assert channel.get("q") is not None
    channel.unbind_queue("", "amq.direct", key)
    channel.publish("amq.direct", bound, b"")
    assert channel.get("q") is None


def test_an_empty_key_stays_empty_where_the_queue_is_named(channel: Channel) -> None:
    channel.declare_queue("q")
    channel.bind_queue("q", "amq.direct")
    channel.publish("amq.direct", "", b"")
    assert channel.get("q") is not None
    channel.unbind_queue("q", "amq.direct")
    channel.publish("amq.direct", "", b"")
    assert channel.get("q") is None


def test_exchanges_are_declared_bound_and_deleted(channel: Channel) -> None:
    channel.declare_exchange("from", "fanout", durable=True)
    channel.declare_exchange("to", "fanout")
    channel.declare_exchange("from", passive=True)
    channel.declare_queue("q")
    channel.bind_queue("q", "to")
    channel.bind_exchange("to", "from")
    channel.publish("from", "", b"")
    assert channel.get("q") is not None
    with pytest.raises(PreconditionFailed, match="in use"):
        channel.delete_exchange("from", if_unused=True)
    channel.unbind_exchange("to", "from")
    channel.publish("from", "", b"")
    assert channel.get("q") is None
    channel.delete_exchange("from", if_unused=True)
    with pytest.raises(NotFound):
        channel.declare_exchange("from", passive=True)


def test_deleting_and_purging_say_how_many_were_ready(channel: Channel) -> None:
    channel.declare_queue("q")
    for _ in range(3):
        channel.publish("", "q", b"")
    with pytest.raises(PreconditionFailed, match="not empty"):
        channel.delete_queue("q", if_empty=True)
    channel.get("q")
    assert channel.purge_queue("q") == 2
    channel.publish("", "q", b"")
    assert channel.delete_queue("q", if_unused=True) == 1
    assert channel.delete_queue("q") == 0


def test_a_reply_address_that_is_alive_has_one_consumer(channel: Channel) -> None:
    channel.consume("amq.rabbitmq.reply-to", no_ack=True)
    assert channel.reply is not None
    name = channel.reply.name
    assert channel.declare_queue(name, passive=True) == DeclareOk(name, 0, 1)


CALLS: list[Callable[[Channel], object]] = [
    lambda channel: channel.declare_queue("q"),
    lambda channel: channel.declare_exchange("x"),
    lambda channel: channel.delete_queue("q"),
    lambda channel: channel.delete_exchange("x"),
    lambda channel: channel.purge_queue("q"),
    lambda channel: channel.bind_queue("q", "amq.direct"),
    lambda channel: channel.unbind_queue("q", "amq.direct"),
    lambda channel: channel.bind_exchange("amq.topic", "amq.direct"),
    lambda channel: channel.unbind_exchange("amq.topic", "amq.direct"),
]


@pytest.mark.parametrize("call", CALLS)
def test_a_closed_channel_declares_nothing(
    channel: Channel, call: Callable[[Channel], object]
) -> None:
    channel.close()
    with pytest.raises(ChannelInvalid):
        call(channel)
