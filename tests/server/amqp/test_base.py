"""The end of a connection, from either side and by the clock: told once, and nothing is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import ConnectionForced, NotFound
from minibroker.server import ServerSettings
from minibroker.server.amqp.base import ConnectionBase
from minibroker.server.amqp.states import CLOSED, CLOSING, OPEN
from minibroker.server.sasl import Peer
from minibroker.wire.amqp import spec
from minibroker.wire.amqp.frames import method_frame

from ..pair import Client, Outlet, Said, publishing

if TYPE_CHECKING:
    from minibroker import Broker, ManualClock

SHUTDOWN = ConnectionForced("shutdown")
CLOSE = Said(0, spec.ConnectionClose(320, "CONNECTION_FORCED - shutdown", 0, 0))


def reasons(client: Client) -> list[object]:
    """Why the connection ended, as the log was told."""
    return [fields["reason"] for event, fields in client.outlet.events if event == "closed"]


def test_the_broker_may_close_a_connection_and_waits_for_the_answer(
    broker: Broker, client: Client
) -> None:
    client.declare(1, "mine", exclusive=True, durable=False)
    woken = client.outlet.woken_times
    client.server.fail(SHUTDOWN)
    assert client.outlet.woken_times > woken
    assert "mine" not in broker.vhosts["/"].queues
    assert client.said() == [CLOSE]
    assert (client.server.state, client.server.ending) == (CLOSING, False)
    assert client.send(0, spec.ConnectionCloseOk()) == []
    assert (client.server.state, client.server.ending) == (CLOSED, True)
    assert not client.server.aborted


def test_a_connection_is_closed_once_whatever_else_goes_wrong(client: Client) -> None:
    client.server.fail(SHUTDOWN)
    client.server.fail(NotFound("again"), 1, 2)
    client.server.notice()
    assert client.said() == [CLOSE]
    client.server.lost()
    client.server.lost()
    client.server.abort("again")
    client.server.fail(SHUTDOWN)
    assert client.said() == []
    assert reasons(client) == ["the client is gone"]


def test_before_the_protocol_header_there_is_nobody_to_tell(broker: Broker) -> None:
    client = Client(broker)
    client.server.fail(SHUTDOWN)
    assert client.raw() == b""
    assert client.server.ending
    assert reasons(client) == ["CONNECTION_FORCED - shutdown"]


@pytest.mark.parametrize("answers", [True, False])
def test_a_client_has_so_many_seconds_to_answer_a_close(
    broker: Broker, clock: ManualClock, answers: bool
) -> None:
    client = Client(broker, ServerSettings(close_timeout=2)).open(1)
    client.server.fail(SHUTDOWN)
    if answers:
        client.send(0, spec.ConnectionCloseOk())
    clock.advance(1.999)
    assert not client.server.aborted
    clock.advance(1)
    assert client.server.aborted is not answers


def test_a_connection_that_the_broker_closed_by_itself_hears_of_it(
    broker: Broker, client: Client
) -> None:
    broker.add_vhost("gone")
    other = Client(broker).open(1, vhost="gone")
    broker.delete_vhost("gone")
    assert other.outlet.woken_times
    (said,) = other.said()
    assert isinstance(said.method, spec.ConnectionClose)
    assert said.method.reply_code == 320
    assert client.server.state is OPEN


def test_a_closed_model_is_noticed_without_taking_the_output(
    broker: Broker, client: Client
) -> None:
    client.server.notice()
    assert client.server.state is OPEN
    for connection in list(broker.vhosts["/"].connections):
        connection.close(ConnectionForced("by an operator"))
    client.server.notice()
    assert client.server.state is CLOSING
    (said,) = client.said()
    text = "CONNECTION_FORCED - by an operator"
    assert said == Said(0, spec.ConnectionClose(320, text, 0, 0))


def test_a_client_that_is_dropped_is_told_nothing_more(broker: Broker, client: Client) -> None:
    client.said()
    client.server.abort("why not")
    assert client.server.aborted
    assert client.raw() == b""
    assert reasons(client) == ["why not"]
    assert broker.vhosts["/"].connections == set()
    assert broker.next_deadline() is None
    assert client.feed(publishing(1, b"m", key="q")) == []


def test_what_was_delivered_is_sent_before_the_goodbye_and_comes_back(client: Client) -> None:
    client.declare(1, "q")
    client.send(1, spec.BasicConsume("q", "t"))
    client.server.receive(publishing(1, b"m", key="q"))
    client.server.fail(SHUTDOWN)
    delivered, close = client.said()
    assert (delivered.body, close) == (b"m", CLOSE)


def test_a_base_alone_tells_nobody_that_it_is_blocked(broker: Broker) -> None:
    base = ConnectionBase(broker, ServerSettings(), Peer(loopback=True), Outlet())
    base.drain()
    base.write(b"x")
    assert base.out == [b"x"]
    with pytest.raises(NotImplementedError):
        base.tell_blocked()
    base.lost()


def test_closing_a_connection_with_many_channels_gives_all_back_in_order(broker: Broker) -> None:
    client = Client(broker).open(1, 2, 3)
    client.declare(1, "q")
    client.feed(b"".join(publishing(1, bytes((each,)), key="q") for each in range(9)))
    for channel in (3, 1, 2):
        client.send(channel, *[spec.BasicGet("q")] * 3)
    client.feed(method_frame(0, spec.ConnectionClose()))
    other = Client(broker).open(1)
    got = other.send(1, *[spec.BasicGet("q")] * 9)
    assert [each.body for each in got] == [bytes((each,)) for each in range(9)]
