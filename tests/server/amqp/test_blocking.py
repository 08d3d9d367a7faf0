"""Connections at the gate: who publishes while the broker is short is told, held, and goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import ConnectionForced
from minibroker.gate import BEHIND, DISK, MEMORY
from minibroker.wire.amqp import spec
from minibroker.wire.amqp.constants import HEARTBEAT_FRAME
from minibroker.wire.amqp.frames import method_frame

from ..pair import PLAIN, Client, Said, publishing

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock

BLOCKED = Said(0, spec.ConnectionBlocked("low on memory"))
UNBLOCKED = Said(0, spec.ConnectionUnblocked())
LIMIT = 1000


@pytest.fixture
def short(make_broker: Callable[..., Broker]) -> Broker:
    """A broker that is over its memory limit, with queue `q` full of one message."""
    broker = make_broker(memory_limit=LIMIT)
    channel = broker.connect().channel()
    channel.declare_queue("q", durable=True)
    channel.publish("", "q", bytes(2 * LIMIT))
    assert broker.host.gate.on
    return broker


def ready(broker: Broker) -> int:
    """How many messages lie in the queue."""
    return broker.vhosts["/"].queues["q"].message_count


def relieve(broker: Broker) -> None:
    """The broker has room again."""
    broker.connect().channel().purge_queue("q")
    assert not broker.host.gate.on


def shut(broker: Broker, reason: str) -> None:
    """The broker is short of something."""
    with broker.host.guard:
        broker.host.gate.shut(reason, lambda: "")


def opened(broker: Broker, reason: str) -> None:
    """It is not any more."""
    with broker.host.guard:
        broker.host.gate.open(reason)


@pytest.mark.semantics(16)
def test_who_publishes_is_told_and_held_and_goes_on_later(short: Broker) -> None:
    client = Client(short).open(1)
    assert client.publish(1, b"m", key="q") == [BLOCKED]
    assert ready(short) == 1
    woken = client.outlet.woken_times
    relieve(short)
    assert client.outlet.woken_times > woken
    assert client.said() == [UNBLOCKED]
    assert ready(short) == 1
    assert client.send(1, spec.BasicGet("q"))[0].body == b"m"


@pytest.mark.semantics(16)
def test_who_does_not_publish_is_told_nothing(short: Broker) -> None:
    client = Client(short).open(1)
    client.declare(1, "other")
    client.send(1, spec.BasicConsume("other", "t"))
    relieve(short)
    assert client.said() == []


@pytest.mark.semantics(16)
def test_who_does_not_understand_is_held_and_told_nothing(short: Broker) -> None:
    client = Client(short, capabilities=()).open(1)
    assert client.publish(1, b"m", key="q") == []
    assert not client.server.reading
    relieve(short)
    assert client.said() == []
    assert ready(short) == 1


@pytest.mark.semantics(16)
@pytest.mark.parametrize(
    ("reasons", "words"),
    [((MEMORY,), "memory"), ((DISK,), "disk"), ((DISK, MEMORY), "memory & disk")],
)
def test_the_reason_is_said_as_rabbitmq_says_it(
    broker: Broker, reasons: tuple[str, ...], words: str
) -> None:
    client = Client(broker).open(1)
    client.declare(1, "q")
    for reason in reasons:
        shut(broker, reason)
    said = client.publish(1, b"m", key="q")
    assert said == [Said(0, spec.ConnectionBlocked(f"low on {words}"))]
    for reason in reasons:
        assert client.said() == []
        opened(broker, reason)
    assert client.said() == [UNBLOCKED]


def test_a_log_that_is_behind_holds_publishers_and_tells_nobody(broker: Broker) -> None:
    client = Client(broker).open(1)
    client.declare(1, "q")
    shut(broker, BEHIND)
    assert client.publish(1, b"m", key="q") == []
    shut(broker, MEMORY)
    assert client.said() == [BLOCKED]
    opened(broker, MEMORY)
    assert client.said() == []
    assert ready(broker) == 0
    opened(broker, BEHIND)
    assert client.said() == [UNBLOCKED]
    assert ready(broker) == 1


@pytest.mark.semantics(17)
def test_nothing_that_comes_behind_a_held_publish_is_read(short: Broker) -> None:
    client = Client(short).open(1, 2)
    client.send(2, spec.BasicGet("q"))
    behind = method_frame(2, spec.BasicAck(1)) + method_frame(0, spec.ConnectionClose())
    assert client.feed(publishing(1, b"m", key="q") + behind[:10]) == [BLOCKED]
    assert not client.server.reading
    assert client.feed(behind[10:]) == []
    assert not client.server.ending
    short.set_policy("small", "^q$", {"max-length": 0})  # takes what is ready, not what is unacked
    opened(short, MEMORY)
    assert client.said() == [UNBLOCKED, Said(0, spec.ConnectionCloseOk())]
    assert client.server.ending


@pytest.mark.semantics(17)
def test_heartbeats_of_a_held_client_cannot_be_heard_and_it_stays(
    short: Broker, clock: ManualClock
) -> None:
    client = Client(short).open(1, heartbeat=10)
    client.publish(1, b"m", key="q")
    clock.advance("5m")
    assert not client.server.ending
    client.said()
    assert client.frames.heartbeats > 0  # it is still told that the server is there
    relieve(short)
    client.said()
    clock.advance(30)
    assert client.server.aborted


def test_a_held_client_still_gets_its_deliveries(short: Broker) -> None:
    client = Client(short).open(1)
    client.declare(1, "other")
    client.send(1, spec.BasicConsume("other", "t"))
    client.publish(1, b"m", key="q")
    queue = short.vhosts["/"].queues["other"]
    opened(short, MEMORY)
    assert client.said() == [UNBLOCKED]
    shut(short, MEMORY)
    client.publish(1, b"m", key="q")
    opened(short, MEMORY)
    short.connect().channel().publish("", "other", b"x")
    shut(short, MEMORY)
    assert [each.body for each in client.said() if each.body] == [b"x"]
    assert queue.unacked == 1


@pytest.mark.semantics(16)
@pytest.mark.parametrize("cut", range(1, 63, 3))
def test_a_publish_that_comes_in_pieces_is_held_whole(short: Broker, cut: int) -> None:
    client = Client(short).open(1)
    whole = publishing(1, b"in two pieces", key="q")
    first = client.feed(whole[:cut])
    second = client.feed(whole[cut:] + HEARTBEAT_FRAME)
    assert first + second == [BLOCKED]
    assert ready(short) == 1
    relieve(short)
    assert client.said() == [UNBLOCKED]
    assert client.send(1, spec.BasicGet("q"))[0].body == b"in two pieces"


def test_the_gate_may_shut_between_the_frames_of_a_publish(broker: Broker) -> None:
    client = Client(broker).open(1)
    client.declare(1, "q")
    whole = publishing(1, b"body", key="q")
    cut = len(method_frame(1, spec.BasicPublish("", "q")))
    assert client.feed(whole[:cut]) == []
    shut(broker, MEMORY)
    assert client.feed(whole[cut:]) == [BLOCKED]
    opened(broker, MEMORY)
    assert client.said() == [UNBLOCKED]
    assert ready(broker) == 1


def test_publishes_that_fill_the_broker_hold_those_behind_them(
    make_broker: Callable[..., Broker],
) -> None:
    broker = make_broker(memory_limit=LIMIT)
    client = Client(broker).open(1)
    client.declare(1, "q")
    many = b"".join(publishing(1, bytes(300), key="q") for _ in range(10))
    assert client.feed(many) == [BLOCKED]
    held = ready(broker)
    assert 0 < held < 10
    rounds = 0
    while (count := ready(broker)) < 10 - 3 * rounds and rounds < 10:
        relieve(broker)
        client.said()
        rounds += 1
        assert count
    relieve(broker)
    client.said()
    assert client.server.reading


def test_a_client_that_is_gone_while_it_is_held_publishes_nothing(short: Broker) -> None:
    client = Client(short).open(1)
    client.publish(1, b"m", key="q")
    client.server.lost()
    woken = client.outlet.woken_times
    relieve(short)
    assert client.outlet.woken_times == woken
    assert client.said() == []
    assert ready(short) == 0


def test_content_for_a_channel_that_was_closed_does_not_wait(short: Broker) -> None:
    client = Client(short).open(1)
    client.send(1, spec.BasicGet("nowhere"))
    assert client.publish(1, b"m", key="q") == []
    assert client.server.reading


@pytest.mark.parametrize("header", [PLAIN, b"\x08\x00\x05"])
def test_a_held_publish_is_refused_when_it_goes_on(short: Broker, header: bytes) -> None:
    client = Client(short).open(1)
    assert client.publish(1, b"m", exchange="nowhere", header=header) == [BLOCKED]
    relieve(short)
    unblocked, close = client.said()
    assert unblocked == UNBLOCKED
    assert isinstance(close.method, spec.ChannelClose)
    assert close.method[0] == 404


def test_a_held_client_hears_that_the_broker_closes_and_its_answer_is_heard(short: Broker) -> None:
    client = Client(short).open(1)
    client.publish(1, b"m", key="q")
    for connection in list(short.vhosts["/"].connections):
        connection.close()
    (close,) = client.said()
    assert isinstance(close.method, spec.ConnectionClose)
    assert close.method.reply_code == 320
    assert client.server.reading
    assert client.send(0, spec.ConnectionCloseOk()) == []
    assert client.server.ending
    relieve(short)
    assert ready(short) == 0
    assert client.raw() == b""


def test_what_a_held_client_sent_before_it_was_closed_may_be_the_answer(short: Broker) -> None:
    client = Client(short).open(1)
    goodbye = method_frame(0, spec.ConnectionClose())
    assert client.feed(publishing(1, b"m", key="q") + goodbye) == [BLOCKED]
    client.server.fail(ConnectionForced("shutdown"))
    close, answer = client.said()
    assert isinstance(close.method, spec.ConnectionClose)
    assert answer == Said(0, spec.ConnectionCloseOk())
    assert client.server.ending
    assert ready(short) == 1


@pytest.mark.parametrize(
    "data",
    [
        publishing(1, bytes(1000), key="nowhere", mandatory=True) * 100,
        publishing(1, b"", key="nowhere") * 2500,
    ],
    ids=["returns", "confirms"],
)
def test_what_nobody_takes_does_not_pile_up_as_events(client: Client, data: bytes) -> None:
    client.ask(1, spec.ConfirmSelect(), spec.ConfirmSelectOk)
    pieces = 0
    while client.server.reading and pieces < 100:
        client.server.receive(data)
        pieces += 1
    model = client.server.model
    assert model is not None
    assert len(model.outbox) <= 5000
