"""Programs that use Kombu, and ones of ours, on the same queues of a system."""

from __future__ import annotations

import json
import secrets
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import exceptions
from minibroker_client.parameters import Parameters
from minibroker_client.transport import get_transport

from ...interop.needed import needed_module
from ..transport.side import SECONDS, Side

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SHORT", "Contract", "Peers", "is_quiet", "next_of", "stop_renewing"]

kombu = needed_module("kombu")
SHORT = 1
"""Seconds of a lease that a test waits for the end of."""


class Peers:
    """Both kinds of programs on one place. `theirs` and `ours` are transport options."""

    def __init__(
        self, url: str, kombu_url: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]
    ) -> None:
        self.url = url
        self.kombu_url = kombu_url
        self.ours = dict(ours)
        self.theirs = dict(theirs)
        self.queue = f"q{secrets.token_hex(6)}"
        self._stack = ExitStack()

    def side(self, **options: Any) -> Side:
        """A connection of ours that reads and writes envelopes; the queue is declared."""
        given = {"envelope": "kombu", **self.ours, **options}
        address = Parameters().with_url(self.url).address(given)
        side = Side(get_transport(address.transport), address)
        self._stack.callback(side.connection.close)
        side.channel.declare_queue(self.queue)
        return side

    def kombu(self) -> Any:
        """A connection of Kombu's."""
        connection = kombu.Connection(self.kombu_url, transport_options=dict(self.theirs))
        self._stack.callback(connection.release)
        return connection

    def kombu_queue(self) -> Any:
        """The queue as a program of Kombu's declares it, bound to an exchange of its name."""
        exchange = kombu.Exchange(self.queue, "direct")
        return kombu.Queue(self.queue, exchange, routing_key=self.queue)

    def kombu_sends(self, body: Any, **values: Any) -> None:
        """Publish by Kombu."""
        queue = self.kombu_queue()
        with self.kombu() as connection, connection.Producer() as producer:
            producer.publish(
                body, exchange=queue.exchange, routing_key=self.queue, declare=[queue], **values
            )

    def kombu_gets(self, action: str = "ack", seconds: float = SECONDS) -> Any:
        """The next message by Kombu, which is acked, or what `action` says."""
        found: list[Any] = []
        with self.kombu() as connection:
            channel = connection.channel()
            queues, callbacks = [self.kombu_queue()], [lambda _, message: found.append(message)]
            with connection.Consumer(queues, channel=channel, callbacks=callbacks):
                channel.basic_qos(0, 1, False)
                while not found:
                    connection.drain_events(timeout=seconds)
                getattr(found[0], action)()
        return found[0]

    def close(self) -> None:
        """End all connections."""
        self._stack.close()


def stop_renewing(side: Side) -> None:
    """From now on it is as if its process stood still."""
    connection: Any = side.connection
    connection.remote.keeper.stop()


def next_of(side: Side, queue: str) -> Any:
    """The next delivery of a queue to a consumer of ours."""
    count = len(side.deliveries)
    if not count:
        side.channel.consume(queue, side.deliveries.append)
    end = time.monotonic() + SECONDS
    while len(side.deliveries) == count:
        side.connection.drain(max(0.0, end - time.monotonic()))
    return side.deliveries[count]


def is_quiet(side: Side, seconds: float = 0.0) -> bool:
    """Whether nothing more is delivered for so long."""
    count = len(side.deliveries)
    with suppress(TimeoutError):
        side.connection.drain(seconds)
    return len(side.deliveries) == count


class Contract:
    """What holds on each system, by the fixture `peers` of the module that has it."""

    def test_what_kombu_sends_is_received_with_its_properties(self, peers: Peers) -> None:
        side = peers.side()
        values = {"correlation_id": "c", "reply_to": "r", "expiration": 60, "priority": 3}
        peers.kombu_sends({"a": [1, "grün"]}, headers={"h": 1}, **values)
        delivery = next_of(side, peers.queue)
        message, found = delivery.message, delivery.message.properties
        assert json.loads(message.body) == {"a": [1, "grün"]}
        assert (message.exchange, message.routing_key) == (peers.queue, peers.queue)
        assert (found.content_type, found.content_encoding) == ("application/json", "utf-8")
        assert (found.correlation_id, found.reply_to, found.priority) == ("c", "r", 3)
        assert (found.headers, found.expiration, found.delivery_mode) == ({"h": 1}, "60000", 2)
        assert not delivery.redelivered
        side.channel.ack(delivery.tag)
        assert is_quiet(side)
        assert side.channel.declare_queue(peers.queue, passive=True).message_count == 0

    def test_bytes_of_kombu_are_received_as_they_are(self, peers: Peers) -> None:
        side = peers.side()
        body = bytes(range(256))
        peers.kombu_sends(body, content_type="application/data", content_encoding="binary")
        assert next_of(side, peers.queue).message.body == body

    def test_what_is_sent_is_received_by_kombu(self, peers: Peers) -> None:
        side = peers.side()
        values = {"correlation_id": "c", "reply_to": "r", "priority": 3, "headers": {"h": [1]}}
        json_text = {"content_type": "application/json", "content_encoding": "utf-8"}
        side.publish(peers.queue, b'{"a": 1}', **json_text, **values)
        assert is_quiet(side)  # which sends what was published
        message = peers.kombu_gets()
        assert message.payload == {"a": 1}
        assert message.headers == {"h": [1]}
        assert (message.properties["correlation_id"], message.properties["reply_to"]) == ("c", "r")
        assert message.properties["priority"] == 3
        assert side.channel.declare_queue(peers.queue, passive=True).message_count == 0

    def test_what_was_given_back_is_received_by_kombu(self, peers: Peers) -> None:
        side = peers.side()
        side.publish(peers.queue, b"work", content_type="text/plain")
        delivery = next_of(side, peers.queue)
        side.channel.qos(1)
        side.channel.close()
        assert not delivery.redelivered
        assert peers.kombu_gets().payload == "work"

    def test_what_kombu_gives_back_is_redelivered(self, peers: Peers) -> None:
        side = peers.side()
        peers.kombu_sends("work")
        peers.kombu_gets("requeue")
        delivery = next_of(side, peers.queue)
        assert (delivery.message.body, delivery.redelivered) == (b"work", True)

    def test_a_lease_hides_a_message_from_kombu_until_it_ends(self, peers: Peers) -> None:
        dead, other = peers.side(lease=SHORT), peers.side(lease=SHORT)
        peers.kombu_sends("work")
        first = next_of(dead, peers.queue)
        stop_renewing(dead)
        with pytest.raises(TimeoutError):
            peers.kombu_gets(seconds=0.2)
        again = next_of(other, peers.queue)
        assert (again.message.body, again.redelivered) == (first.message.body, True)
        with pytest.raises(exceptions.LeaseLost):
            dead.channel.ack(first.tag)
        other.channel.ack(again.tag)
        assert is_quiet(other)

    def test_a_delayed_message_comes_when_it_is_due(self, peers: Peers) -> None:
        side = peers.side()
        name = f"later-{peers.queue}"
        arguments = {"x-delayed-type": "fanout"}
        side.channel.declare_exchange(name, "x-delayed-message", arguments=arguments)
        side.channel.bind_queue(peers.queue, name)
        record = side.channel.properties({"headers": {"x-delay": 500}})
        side.channel.publish(name, "", b"delayed", record)
        begun = time.monotonic()
        side.publish(peers.queue, b"at once")
        assert next_of(side, peers.queue).message.body == b"at once"
        assert next_of(side, peers.queue).message.body == b"delayed"
        assert time.monotonic() - begun >= 0.4
