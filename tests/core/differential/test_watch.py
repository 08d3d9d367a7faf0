"""A look from outside."""

from __future__ import annotations

from time import monotonic

import pytest

from minibroker import Broker
from minibroker.differential.address import Address
from minibroker.differential.client import Client
from minibroker.differential.link import CannotConnect, Link
from minibroker.differential.names import Names
from minibroker.differential.program import Operation
from minibroker.differential.typed import encode_properties
from minibroker.differential.watch import Watch
from minibroker.wire.amqp import spec


def declare(link: Link, queue: str, *, exclusive: bool = False) -> None:
    link.send(1, spec.ChannelOpen())
    link.send(1, spec.QueueDeclare(queue, exclusive=exclusive))
    link.publish(1, spec.BasicPublish("", queue), encode_properties({}), b"1")
    link.send(1, spec.ChannelClose())
    while not any(
        isinstance(each.method, spec.ChannelCloseOk) for each in link.receive(monotonic() + 10)
    ):
        pass


def test_an_exclusive_queue_is_looked_at_from_its_own_connection(
    address: Address, watch: Watch
) -> None:
    clients = [Client(address, Names("p")) for _ in range(3)]
    clients[1].link, clients[2].link = Link(address), Link(address)
    declare(clients[2].link, "mine", exclusive=True)
    declare(clients[1].link, "every")
    wanted = ["every", "mine", "none"]
    expected = {"every": (1, 0), "mine": (1, 0), "none": None}
    assert watch.counts(wanted, clients) == expected
    assert watch.counts(wanted, clients) == expected
    assert watch.counts(["mine"], clients[:2]) == {}, "nobody may look"
    for client in clients:
        client.perform(Operation(0, 0, "connection.drop"))


def test_a_queue_is_emptied_and_deleted(address: Address, watch: Watch, link: Link) -> None:
    declare(link, "q")
    assert [each["method"] for each in watch.drain("q")] == ["basic.get-ok", "basic.get-empty"]
    watch.clean(["q"], ["none"])
    assert [each["method"] for each in watch.drain("q")] == ["channel.close"]
    assert watch.exists("amq.topic")
    assert not watch.exists("none")


def test_the_log_of_quorum_queues_is_waited_for_and_nothing_stays(address: Address) -> None:
    watch = Watch(address, "token")
    watch.settle_quorum()
    watch.settle_quorum()
    assert watch.counts(["token-barrier"], []) == {"token-barrier": (1, 0)}
    watch.close()
    after = Watch(address, "other")
    assert after.counts(["token-barrier"], []) == {"token-barrier": None}
    after.close()


def test_a_broker_that_closes_the_connection_is_asked_again(address: Address, watch: Watch) -> None:
    declared = spec.ExchangeDeclare("e", "nonsense")
    assert isinstance(watch._request(declared).method, spec.ConnectionClose)
    assert watch.exists("amq.topic")


def test_a_connection_that_is_gone_is_made_again(address: Address) -> None:
    watch = Watch(address, "token")
    watch._link.close()
    assert list(watch.drain("q")) == [
        {
            "method": "connection.close",
            "reply_code": 0,
            "reply_text": "no answer",
            "failed": "0.0",
        }
    ]
    assert watch.exists("amq.topic")
    watch.close()


def test_a_broker_that_goes_away_is_not_asked_again() -> None:
    with Broker() as broker, broker.listen("127.0.0.1", 0) as server:
        watch = Watch(Address.parse(server.url), "token")
        server.close()
        with pytest.raises(CannotConnect, match="refused"):
            watch.exists("amq.topic")
