"""A message's place in a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minibroker import PLAIN, Message
from minibroker.queues.entry import Entry, KeptEntry

if TYPE_CHECKING:
    from minibroker import Broker

MESSAGE = Message("x", "k", PLAIN, b"body")


def test_an_entry_is_new_and_never_expires_unless_it_is_kept(broker: Broker) -> None:
    broker.connect().channel().declare_queue("q")
    queue = broker.vhosts["/"].queues["q"]
    plain = Entry(queue, MESSAGE, 7)
    assert (plain.redelivered, plain.expires, plain.deliveries) == (False, None, 0)
    kept = KeptEntry(queue, MESSAGE, 7, expires=5, redelivered=True, deliveries=2)
    assert (kept.redelivered, kept.expires, kept.deliveries) == (True, 5, 2)
    assert kept.message is plain.message
    assert repr(plain) == ("<Entry 7 of queue 'q': <Message exchange='x' routing_key='k' 4 bytes>>")


def test_a_delivery_stays_what_it_was_when_it_is_requeued(broker: Broker) -> None:
    connection = broker.connect()
    channel = connection.channel()
    channel.declare_queue("q")
    channel.publish("", "q", b"")
    first = channel.get("q")
    assert first is not None
    channel.nack(first.entry.tag)
    again = channel.get("q")
    assert again is not None
    assert again.entry is not first.entry
    assert (first.entry.redelivered, first.entry.tag) == (False, 1)
    assert (again.entry.redelivered, again.entry.tag) == (True, 2)
    assert again.entry.message is first.entry.message
