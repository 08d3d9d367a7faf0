"""What a client may ask for without effect, and what there is not: each has its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.arguments.settings import DELAYED_RETRY_ARGUMENTS, KIND_ARGUMENTS
from minibroker.server.amqp.handlers import HANDLERS
from minibroker.wire.amqp import spec
from minibroker.wire.amqp.frames import method_frame
from minibroker.wire.amqp.spec import LAYOUTS

from ..pair import Client, Said, publishing, raw_method

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker
    from minibroker.fields import FieldValue, Table
    from minibroker.wire.amqp.spec import MethodRecord

STREAM: Table = {"x-queue-type": "stream"}


@pytest.fixture
def newer(make_broker: Callable[..., Broker]) -> Client:
    """A client of RabbitMQ 4.2, which knows all these arguments, with channel 1 open."""
    return Client(make_broker(profile="rabbitmq-4.2")).open(1)


def bodies(said: list[Said]) -> list[bytes]:
    """What was delivered."""
    return [each.body for each in said if isinstance(each.method, spec.BasicDeliver)]


# -- the beginning


def test_any_locale_will_do(broker: Broker) -> None:
    client = Client(broker)
    client.greet()
    client.ask(0, client.start_ok()._replace(locale="tlh"), spec.ConnectionTune)


def test_what_clients_once_sent_with_connection_open_is_passed_over(broker: Broker) -> None:
    client = Client(broker)
    client.login()
    client.send(0, spec.ConnectionTuneOk(2047, 131_072, 0))
    capabilities, insist = b"\x04none", b"\x01"
    said = client.feed(raw_method(0, 10, 40, b"\x01/" + capabilities + insist))
    assert said == [Said(0, spec.ConnectionOpenOk())]


def test_a_client_may_use_what_it_did_not_announce(broker: Broker) -> None:
    client = Client(broker, capabilities=()).open(1)
    full = {"x-max-length": 0, "x-overflow": "reject-publish"}
    client.declare(1, "q", arguments=full)
    client.ask(1, spec.ExchangeDeclare("x", "fanout"), spec.ExchangeDeclareOk)
    client.ask(1, spec.ExchangeBind("amq.fanout", "x"), spec.ExchangeBindOk)
    client.ask(1, spec.BasicConsume("q", arguments={"x-priority": 5}), spec.BasicConsumeOk)
    client.ask(1, spec.ConfirmSelect(), spec.ConfirmSelectOk)
    said = client.feed(publishing(1, b"m", key="nowhere") + publishing(1, b"m", key="q"))
    assert said == [
        Said(1, spec.BasicAck(1)), Said(1, spec.BasicNack(2, multiple=False, requeue=False)),
    ]  # fmt: skip


# -- arguments


VALUES: dict[str, FieldValue] = {
    "x-consumer-timeout": 60_000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "k",
    "x-dead-letter-strategy": "at-least-once", "x-delayed-retry-max": 9, "x-delayed-retry-min": 1,
    "x-delayed-retry-type": "all", "x-delivery-limit": 3, "x-expires": 60_000,
    "x-initial-cluster-size": 3, "x-max-age": "1D", "x-max-in-memory-bytes": 1,
    "x-max-in-memory-length": 1, "x-max-length": 9, "x-max-length-bytes": 1_000,
    "x-max-priority": 3, "x-message-ttl": 60_000, "x-overflow": "reject-publish",
    "x-queue-leader-locator": "balanced", "x-queue-master-locator": "min-masters",
    "x-queue-mode": "lazy", "x-queue-version": 2, "x-quorum-initial-group-size": 3,
    "x-single-active-consumer": True, "x-stream-filter-size-bytes": 32,
    "x-stream-max-segment-size-bytes": 1_000,
}  # fmt: skip
TAKEN = [
    (kind, key)
    for kind, keys in KIND_ARGUMENTS.items()
    for key in (*keys, "x-consumer-timeout", *DELAYED_RETRY_ARGUMENTS)
    if key != "x-queue-type"
]


@pytest.mark.parametrize(("kind", "key"), TAKEN)
def test_every_argument_of_a_queue_is_taken_and_the_queue_works(
    newer: Client, kind: str, key: str
) -> None:
    needed: Table = {"x-dead-letter-exchange": ""} if key == "x-dead-letter-routing-key" else {}
    arguments: Table = {"x-queue-type": kind, key: VALUES[key], **needed}
    for _ in range(2):
        newer.declare(1, "q", arguments=arguments)
    newer.ask(1, spec.BasicQos(0, 5), spec.BasicQosOk)
    newer.send(1, spec.BasicConsume("q", "t"))
    assert bodies(newer.publish(1, b"m", key="q")) == [b"m"]
    assert newer.send(1, spec.BasicAck(1)) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("x-cancel-on-ha-failover", True), ("x-priority", 5), ("x-mine", [1, {"a": None}])],
)
def test_a_consumer_of_a_classic_queue_may_say_this(
    client: Client, key: str, value: FieldValue
) -> None:
    client.declare(1, "q")
    client.feed(publishing(1, b"m", key="q") * 3)
    said = client.send(1, spec.BasicConsume("q", "t", arguments={key: value}))
    assert bodies(said) == [b"m"] * 3


def test_the_credit_of_a_bridge_from_amqp_1_0_is_no_limit(newer: Client) -> None:
    newer.declare(1, "q")
    newer.feed(publishing(1, b"m", key="q") * 3)
    arguments: Table = {"x-credit": {"credit": 1, "drain": False}}
    assert bodies(newer.send(1, spec.BasicConsume("q", "t", arguments=arguments))) == [b"m"] * 3


@pytest.mark.parametrize(
    "arguments",
    [
        {"x-stream-filter": "red"},
        {"x-stream-filter": ["red", "blue"], "x-stream-match-unfiltered": True},
    ],
)
def test_filters_of_a_stream_are_taken_and_everything_is_delivered(
    newer: Client, arguments: Table
) -> None:
    newer.declare(1, "s", arguments=STREAM)
    newer.feed(publishing(1, b"1", key="s") + publishing(1, b"2", key="s"))
    newer.ask(1, spec.BasicQos(0, 5), spec.BasicQosOk)
    consume = spec.BasicConsume("s", "t", arguments={"x-stream-offset": "first", **arguments})
    assert bodies(newer.send(1, consume)) == [b"1", b"2"]


@pytest.mark.parametrize("key", ["x-stream-filter", "x-stream-match-unfiltered"])
def test_filters_of_another_kind_of_queue_are_refused(newer: Client, key: str) -> None:
    newer.declare(1, "q")
    consume = spec.BasicConsume("q", "t", arguments={key: True})
    close = newer.ask(1, consume, spec.ChannelClose)
    assert close.reply_code == 406
    assert f"invalid arg '{key}' for queue 'q'" in close.reply_text


# -- bits


def test_no_local_keeps_nothing_from_a_consumer(client: Client) -> None:
    client.declare(1, "q")
    client.ask(1, spec.BasicConsume("q", "t", no_local=True), spec.BasicConsumeOk)
    assert bodies(client.publish(1, b"mine", key="q")) == [b"mine"]


def test_who_does_not_wait_for_an_answer_hears_of_errors_all_the_same(client: Client) -> None:
    said = client.send(1, spec.QueueBind("nowhere", "amq.fanout", nowait=True))
    text = "NOT_FOUND - no queue 'nowhere' in vhost '/'"
    assert said == [Said(1, spec.ChannelClose(404, text, *LAYOUTS[spec.QueueBind][:2]))]


# -- what there is not


ABSENT = [
    (60, 200),  # basic.credit, which RabbitMQ up to 3.13 has for its plugin for AMQP 1.0
    (70, 10),  # file.qos
    (80, 10),  # stream.qos
    (100, 10),  # dtx.select
    (110, 10),  # tunnel.request
]


@pytest.mark.parametrize(("class_id", "method_id"), ABSENT)
def test_methods_of_other_specifications_are_no_commands(
    client: Client, class_id: int, method_id: int
) -> None:
    (said,) = client.feed(raw_method(1, class_id, method_id, b"\0\0"))
    assert isinstance(said.method, spec.ConnectionClose)
    assert (said.method.reply_code, *said.method[2:]) == (503, class_id, method_id)


OF_CLIENTS = {*HANDLERS, spec.BasicPublish, spec.ChannelOpen, spec.ChannelClose}


@pytest.mark.parametrize(
    "record", [each for each in LAYOUTS if each not in OF_CLIENTS], ids=lambda each: each.__name__
)
def test_nothing_that_only_a_server_answers_is_a_command(
    client: Client, record: type[MethodRecord]
) -> None:
    text = "COMMAND_INVALID - unimplemented method"
    said = client.feed(method_frame(1, record()))
    assert said == [Said(0, spec.ConnectionClose(503, text, *LAYOUTS[record][:2]))]


@pytest.mark.parametrize(
    "name", ["x-random", "x-local-random", "x-modulus-hash", "x-recent-history", "x-jms-topic"]
)
@pytest.mark.parametrize(("profile", "code"), [("rabbitmq-3.10", 503), ("rabbitmq-4.2", 406)])
def test_exchange_types_of_other_plugins_are_unknown(
    make_broker: Callable[..., Broker], name: str, profile: str, code: int
) -> None:
    client = Client(make_broker(profile=profile)).open(1)
    (said,) = client.send(1, spec.ExchangeDeclare("x", name))
    assert isinstance(said.method, spec.ConnectionClose | spec.ChannelClose)
    assert said.method.reply_code == code
    assert f"exchange type '{name}'" in said.method.reply_text


def test_nothing_is_traced(client: Client) -> None:
    client.declare(1, "seen")
    client.ask(1, spec.QueueBind("seen", "amq.rabbitmq.trace", "#"), spec.QueueBindOk)
    client.declare(1, "q")
    client.publish(1, b"m", key="q")
    client.send(1, spec.BasicGet("q", no_ack=True))
    assert client.send(1, spec.BasicGet("seen")) == [Said(1, spec.BasicGetEmpty())]
