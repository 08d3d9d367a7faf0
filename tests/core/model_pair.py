"""A broker and its model side by side: what is asked of one is asked of both, and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pytest

from minibroker import Broker, ManualClock
from minibroker.errors import AMQPError
from minibroker.events import Cancelled, Confirmed, Returned
from minibroker.queues import Entry

from .model import ChannelModel, ConnectionModel, Model, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.channel import Channel
    from minibroker.connection import Event
    from minibroker.fields import Table
    from minibroker.local import LocalConnection

__all__ = ["ChannelPair", "Pair", "seen"]

ChannelPair: TypeAlias = "tuple[Channel, ChannelModel]"

TICK = 1
"""Milliseconds between two steps, so that no two publish at the same time."""


def seen(entry: Entry) -> tuple[object, ...]:
    """What a consumer sees of an entry, as the model says it."""
    message = entry.message
    headers = message.headers
    rows = headers.get("x-death", [])
    assert isinstance(rows, list)
    deaths = tuple(
        (row["queue"], row["reason"], row["count"]) for row in rows if isinstance(row, dict)
    )
    expiration = message.properties.expiration
    return (
        entry.redelivered,
        message.exchange,
        message.routing_key,
        message.body,
        None if expiration is None else int(expiration),
        deaths,
        headers.get("x-delivery-count"),
    )


def told(item: Entry | Event) -> tuple[object, ...]:
    """An item of an outbox, as the model says it."""
    if isinstance(item, Entry):
        assert item.consumer is not None
        channel = item.consumer.channel
        return "delivered", channel.number, item.consumer.tag, item.tag, *seen(item)
    if isinstance(item, Confirmed):
        return "confirmed", item.channel.number, item.tag, item.multiple, item.ok
    if isinstance(item, Returned):
        assert (item.reply_code, item.reply_text) == (312, "NO_ROUTE")
        return "returned", item.channel.number, item.message.body
    assert isinstance(item, Cancelled)
    return "cancelled", item.channel.number, item.consumer_tag


class Pair:
    """A broker and a model, with two connections."""

    def __init__(self, profile: str) -> None:
        self.clock = ManualClock()
        self.broker = Broker(clock=self.clock, profile=profile)
        self.profile = self.broker.profile
        self.model = Model(
            self.clock.now(),
            self.profile.quorum_delivery_limit,
            self.profile.nack_counts_delivery,
            self.profile.quorum_priorities,
            self.profile.quorum_takeover_by_priority,
        )
        self.connections: list[tuple[LocalConnection, ConnectionModel]] = []
        self.channels: list[ChannelPair] = []
        for _ in range(2):
            self.open_connection()

    def both(self, real: Callable[[], object], model: Callable[[], object]) -> None:
        """Both do it, with one result; or both refuse, with one reply code."""
        try:
            expected = model()
        except Refused as refused:
            with pytest.raises(AMQPError) as raised:
                real()
            assert raised.value.reply_code == refused.code
        else:
            assert real() == expected

    # -- connections and channels

    def open_connection(self) -> None:
        """A connection with one channel."""
        self.connections.append((self.broker.connect(), ConnectionModel()))
        self.open_channel(len(self.connections) - 1)

    def open_channel(self, number: int) -> None:
        """One more channel of a connection."""
        real, model = self.connections[number % len(self.connections)]
        channel = real.channel()
        model.channels.append(ChannelModel(model, channel.number))
        self.channels.append((channel, model.channels[-1]))

    def close_channel(self, number: int) -> None:
        """One channel less."""
        real, model = self.channels.pop(number % len(self.channels))
        real.close()
        self.model.close_channel(model)

    def close_connection(self, number: int) -> None:
        """One connection less, and a new one instead."""
        real, model = self.connections.pop(number % len(self.connections))
        self.channels = [each for each in self.channels if each[1].connection is not model]
        real.close()
        self.model.close_connection(model)
        self.open_connection()

    def channel(self, number: int) -> ChannelPair:
        """One of the channels."""
        return self.channels[number % len(self.channels)]

    # -- what several rules do

    def declare(
        self, number: int, name: str, arguments: Table, exclusive: bool, auto_delete: bool
    ) -> None:
        """Declare a queue, for the first time or again."""
        real, model = self.channel(number)
        self.both(
            lambda: real.declare_queue(
                name,
                durable=not exclusive,
                exclusive=exclusive,
                auto_delete=auto_delete,
                arguments=arguments,
            ),
            lambda: self.model.declare(
                name, model.connection, dict(arguments), exclusive, auto_delete
            ),
        )

    def get(self, channel: ChannelPair, queue: str, no_ack: bool) -> None:
        """`basic.get`."""
        real, model = channel

        def get() -> object:
            got = real.get(queue, no_ack)
            return got and (got.entry.tag, got.message_count, *seen(got.entry))

        self.both(get, lambda: self.model.get(model, queue, no_ack))

    def advance(self, milliseconds: int) -> None:
        """Time goes by."""
        self.clock.advance(milliseconds / 1000)
        self.model.advance(milliseconds)

    # -- comparing

    def agree(self) -> None:
        """They show the same to everybody. A little time goes by."""
        self.broker._check()
        for real, model in self.connections:
            outbox = [told(real.drain(0)) for _ in range(len(real.outbox))]
            assert outbox == model.outbox
            model.outbox.clear()
        host = self.broker.vhosts["/"]
        assert set(host.queues) == set(self.model.queues)
        exchanges = {name for name in host.exchanges if not name.startswith("amq.")}
        assert exchanges == set(self.model.exchanges)
        for name, expected in self.model.queues.items():
            queue = host.queues[name]
            assert queue.message_count == len(expected.ready)
            assert queue.unacked == expected.unacked
            assert len(queue.consumers) == len(expected.readers)
        for channel, state in self.channels:
            assert list(channel.unacked) == list(state.unacked)
        self.advance(TICK)

    def end(self) -> None:
        """What is ready comes out in one order; and the broker is whole when it is closed."""
        takers = {}
        for number, (_, connection) in enumerate(self.connections):
            self.open_channel(number)
            takers[id(connection)] = self.channels[-1]
        for name, queue in list(self.model.queues.items()):
            for _ in range(len(queue.ready)):
                self.get(takers[id(queue.owner or self.connections[0][1])], name, no_ack=True)
        self.agree()
        self.broker.close()
        self.broker._check()
