"""What is in queues."""

from __future__ import annotations

from time import monotonic

from minibroker.differential.address import Address
from minibroker.differential.link import Link
from minibroker.differential.peek import Peek
from minibroker.differential.typed import encode_properties
from minibroker.wire.amqp import spec


def look(peek: Peek, link: Link, *queues: str) -> None:
    peek.ask(link, queues)
    while peek.busy:
        for incoming in link.receive(monotonic() + 10):
            if incoming.channel == peek.channel and incoming.method is not None:
                peek.take(link, incoming.method)


def test_counts_also_behind_queues_that_are_not_there(address: Address, link: Link) -> None:
    link.send(1, spec.ChannelOpen())
    link.send(1, spec.QueueDeclare("here"))
    link.send(1, spec.QueueDeclare("mine", exclusive=True))
    link.publish(1, spec.BasicPublish("", "here"), encode_properties({}), b"")
    link.send(1, spec.BasicConsume("mine"))
    peek = Peek(9)
    look(peek, link, "none", "here", "gone", "mine")
    assert peek.counts == {"none": None, "here": (1, 0), "gone": None, "mine": (0, 1)}
    assert peek.locked == []
    other = Link(address)
    stranger = Peek(9)
    look(stranger, other, "mine", "here")
    assert (stranger.counts, stranger.locked) == ({"here": (1, 0)}, ["mine"])
    other.close()


def test_without_its_connection_it_begins_anew(link: Link) -> None:
    peek = Peek(9)
    peek.ask(link, ["q"])
    assert peek.busy
    peek.reset()
    assert not peek.busy
