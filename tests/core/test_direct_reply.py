"""A direct reply-to address by itself: a queue that stores nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.arguments import QueueSettings
from minibroker.direct_reply import PSEUDO_QUEUE, ReplyQueue
from minibroker.message import Message
from minibroker.properties import PLAIN
from minibroker.queues import Entry

if TYPE_CHECKING:
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection

REPLY = Message("", "address", PLAIN, b"reply")


@pytest.fixture
def address(channel: Channel) -> ReplyQueue:
    """The address of a channel that consumes replies."""
    channel.consume(PSEUDO_QUEUE, tag="replies", no_ack=True)
    assert channel.reply is not None
    return channel.reply


def test_its_name_is_the_pseudo_queue_and_a_token(channel: Channel) -> None:
    reply = ReplyQueue("token", channel.vhost.world)
    assert reply.name == "amq.rabbitmq.reply-to.token"
    assert channel.vhost.is_reply_address(reply.name)


def test_without_a_consumer_a_reply_is_accepted_and_gone(
    connection: LocalConnection, channel: Channel
) -> None:
    reply = ReplyQueue("token", channel.vhost.world)
    assert reply.push(REPLY)
    assert not connection.outbox
    reply._check()


def test_with_one_it_is_in_the_outbox_at_once_and_settled(
    connection: LocalConnection, channel: Channel, address: ReplyQueue
) -> None:
    assert address.push(REPLY)
    (entry,) = connection.outbox
    assert isinstance(entry, Entry)
    assert (entry.message, entry.queue, entry.tag) == (REPLY, address, 1)
    assert not channel.unacked
    assert address.unacked == 0
    address._check()


def test_nothing_is_ever_ready_in_it(
    connection: LocalConnection, channel: Channel, address: ReplyQueue
) -> None:
    address.push(REPLY)
    taken = len(connection.outbox)
    address.pump()
    address.requeue([], "lost")
    assert (address.message_count, address.get(), address.purge()) == (0, None, 0)
    assert len(connection.outbox) == taken


def test_no_policy_applies_to_it(address: ReplyQueue) -> None:
    before = address.settings
    address.reconfigure(QueueSettings(max_length=0, message_ttl=0))
    assert address.settings is before


def test_it_is_no_queue_of_the_virtual_host_and_dies_once(
    channel: Channel, address: ReplyQueue
) -> None:
    vhost = channel.vhost
    assert address.name not in vhost.queues
    assert vhost.replies == {address.name: address}
    channel.cancel("replies")
    assert not vhost.replies
    assert address.deleted
    vhost.remove_reply_queue(address)
    assert not vhost.replies
