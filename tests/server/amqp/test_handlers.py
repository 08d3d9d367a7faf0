"""Every method of a channel: its answer, that it is silent where nobody waits, and each refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.server.amqp.handlers import HANDLERS
from minibroker.wire.amqp import spec
from minibroker.wire.amqp.spec import LAYOUTS

from ..pair import Client, Said, publishing

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker
    from minibroker.wire.amqp.spec import MethodRecord


@pytest.fixture
def prepared(client: Client) -> Client:
    """A client of a broker with something of everything: `q` has two messages, `e` is bound to it,
    `x` to nothing, `mine` is exclusive to this client, `inside` is internal.
    """
    client.declare(1, "q")
    client.declare(1, "mine", exclusive=True, durable=False)
    for declared in (
        spec.ExchangeDeclare("e", "topic"),
        spec.ExchangeDeclare("x", "fanout"),
        spec.ExchangeDeclare("inside", "fanout", internal=True),
    ):
        client.ask(1, declared, spec.ExchangeDeclareOk)
    client.ask(1, spec.QueueBind("q", "e", "a.*"), spec.QueueBindOk)
    client.feed(publishing(1, b"1", key="q") + publishing(1, b"2", key="q"))
    return client


ANSWERED: list[tuple[MethodRecord, MethodRecord]] = [
    (spec.ExchangeDeclare("n", "direct", durable=True), spec.ExchangeDeclareOk()),
    (spec.ExchangeDeclare("e", passive=True), spec.ExchangeDeclareOk()),
    (
        spec.ExchangeDeclare("n", "headers", auto_delete=True, internal=True),
        spec.ExchangeDeclareOk(),
    ),
    (spec.ExchangeDelete("e"), spec.ExchangeDeleteOk()),
    (spec.ExchangeDelete("nowhere", if_unused=True), spec.ExchangeDeleteOk()),
    (spec.ExchangeBind("e", "x", "k", arguments={"a": 1}), spec.ExchangeBindOk()),
    (spec.ExchangeUnbind("e", "x", "k"), spec.ExchangeUnbindOk()),
    (spec.QueueDeclare("n", durable=True), spec.QueueDeclareOk("n", 0, 0)),
    (spec.QueueDeclare("q", passive=True), spec.QueueDeclareOk("q", 2, 0)),
    (spec.QueueDeclare("n", auto_delete=True, exclusive=True), spec.QueueDeclareOk("n", 0, 0)),
    (spec.QueueBind("q", "x", "k"), spec.QueueBindOk()),
    (spec.QueueUnbind("q", "e", "a.*"), spec.QueueUnbindOk()),
    (spec.QueuePurge("q"), spec.QueuePurgeOk(2)),
    (spec.QueueDelete("q"), spec.QueueDeleteOk(2)),
    (spec.QueueDelete("mine", if_unused=True, if_empty=True), spec.QueueDeleteOk(0)),
    (spec.BasicQos(0, 10), spec.BasicQosOk()),
    (spec.BasicQos(0, 65535, global_=True), spec.BasicQosOk()),
    (spec.BasicConsume("mine", "tag"), spec.BasicConsumeOk("tag")),
    (spec.BasicCancel("nobody"), spec.BasicCancelOk("nobody")),
    (spec.BasicGet("mine"), spec.BasicGetEmpty()),
    (spec.BasicRecover(requeue=True), spec.BasicRecoverOk()),
    (spec.ConfirmSelect(), spec.ConfirmSelectOk()),
    (spec.TxSelect(), spec.TxSelectOk()),
    (spec.ChannelFlow(active=True), spec.ChannelFlowOk(active=True)),
    (spec.AccessRequest("/data", active=True), spec.AccessRequestOk(1)),
    (spec.ChannelClose(200, "bye"), spec.ChannelCloseOk()),
]


@pytest.mark.semantics(21, 23)
@pytest.mark.parametrize(("method", "answer"), ANSWERED, ids=lambda each: type(each).__name__)
def test_a_method_has_its_answer(
    prepared: Client, method: MethodRecord, answer: MethodRecord
) -> None:
    assert prepared.send(1, method) == [Said(1, answer)]


CAN_BE_SILENT = [method for method, _ in ANSWERED if hasattr(method, "nowait")]


@pytest.mark.parametrize("method", CAN_BE_SILENT, ids=lambda each: type(each).__name__)
def test_nobody_is_answered_who_does_not_wait(prepared: Client, method: MethodRecord) -> None:
    silent: MethodRecord = method._replace(nowait=True)  # type: ignore[attr-defined]  # a NamedTuple
    assert prepared.send(1, silent) == []
    assert prepared.send(1, spec.BasicQos()) == [Said(1, spec.BasicQosOk())]


def test_the_table_of_handlers_is_complete() -> None:
    asked = {type(method) for method, _ in ANSWERED} | {type(method) for method, *_ in REFUSED}
    elsewhere = {spec.ChannelClose, spec.BasicPublish}  # in `channel`
    assert set(HANDLERS) == asked - elsewhere
    silent = {spec.BasicAck, spec.BasicNack, spec.BasicReject, spec.BasicRecoverAsync}
    answers = {record.__name__ for record in LAYOUTS if record.__name__.endswith("Ok")}
    assert {each.__name__ + "Ok" for each in set(HANDLERS) - silent} <= answers


# -- in the words and with the codes that were recorded of RabbitMQ 3.10

_LOCKED = (
    "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'locked' in vhost '/'. It "
    "could be originally declared on another connection or the exclusive property value does not "
    "match that of the original declaration."
)
_NO_QUEUE = "NOT_FOUND - no queue 'nowhere' in vhost '/'"
_NO_EXCHANGE = "NOT_FOUND - no exchange 'nowhere' in vhost '/'"
_DEFAULT = "ACCESS_REFUSED - operation not permitted on the default exchange"
_406 = "PRECONDITION_FAILED - "

REFUSED: list[tuple[MethodRecord, int, str]] = [
    (spec.QueueDeclare("nowhere", passive=True), 404, _NO_QUEUE),
    (spec.QueueBind("nowhere", "e", "k"), 404, _NO_QUEUE),
    (spec.QueuePurge("nowhere"), 404, _NO_QUEUE),
    (spec.BasicConsume("nowhere"), 404, _NO_QUEUE),
    (spec.BasicGet("nowhere"), 404, _NO_QUEUE),
    (spec.ExchangeDeclare("nowhere", passive=True), 404, _NO_EXCHANGE),
    (spec.QueueBind("q", "nowhere", "k"), 404, _NO_EXCHANGE),
    (spec.ExchangeBind("e", "nowhere"), 404, _NO_EXCHANGE),
    (spec.ExchangeBind("nowhere", "e"), 404, _NO_EXCHANGE),
    (spec.QueueDeclare("locked"), 405, _LOCKED),
    (spec.QueueDeclare("locked", passive=True), 405, _LOCKED),
    (spec.QueueBind("locked", "e", "k"), 405, _LOCKED),
    (spec.QueuePurge("locked"), 405, _LOCKED),
    (spec.QueueDelete("locked"), 405, _LOCKED),
    (spec.QueueUnbind("locked", "e", "k"), 405, _LOCKED),
    (spec.BasicConsume("locked"), 405, _LOCKED),
    (spec.BasicGet("locked"), 405, _LOCKED),
    (
        spec.QueueDeclare("amq.x"), 403,
        "ACCESS_REFUSED - queue name 'amq.x' contains reserved prefix 'amq.*'",
    ),
    (
        spec.ExchangeDeclare("amq.x"), 403,
        "ACCESS_REFUSED - exchange name 'amq.x' contains reserved prefix 'amq.*'",
    ),
    (spec.ExchangeDeclare("", "direct"), 403, _DEFAULT),
    (spec.ExchangeDelete(""), 403, _DEFAULT),
    (spec.QueueBind("q", "", "k"), 403, _DEFAULT),
    (spec.QueueUnbind("q", "", "q"), 403, _DEFAULT),
    (
        spec.ExchangeDeclare("e", "fanout"), 406,
        _406 + "inequivalent arg 'type' for exchange 'e' in vhost '/': received 'fanout' but "
        "current is 'topic'",
    ),
    (
        spec.QueueDeclare("q"), 406,
        _406 + "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but "
        "current is 'true'",
    ),
    (
        spec.QueueDeclare("q", durable=True, arguments={"x-max-length": 5}), 406,
        _406 + "inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received the value '5' "
        "of type 'signedint' but current is none",
    ),
    (
        spec.QueueDeclare("n", arguments={"x-message-ttl": "a"}), 406,
        _406 + "invalid arg 'x-message-ttl' for queue 'n' in vhost '/': \"expected integer, got "
        'longstr"',
    ),
    (
        spec.QueueDeclare("n", arguments={"x-message-ttl": -1}), 406,
        _406 + "invalid arg 'x-message-ttl' for queue 'n' in vhost '/': {value_negative,-1}",
    ),
    (
        spec.QueueDeclare("n", arguments={"x-expires": 0}), 406,
        _406 + "invalid arg 'x-expires' for queue 'n' in vhost '/': {value_zero,0}",
    ),
    (
        spec.QueueDeclare("n", arguments={"x-dead-letter-routing-key": "k"}), 406,
        _406 + "invalid arg 'x-dead-letter-routing-key' for queue 'n' in vhost '/': "
        "routing_key_but_no_dlx_defined",
    ),
    (
        spec.QueueBind("q", "amq.headers", arguments={"x-match": 5}), 406,
        _406 + "Invalid x-match field type signedint (value 5); expected longstr",
    ),
    (
        spec.QueueBind("q", "amq.headers", arguments={"x-match": "some"}), 406,
        _406 + 'Invalid x-match field value <<"some">>; expected all, any, all-with-x, or '
        "any-with-x",
    ),
    (spec.QueueDelete("q", if_empty=True), 406, _406 + "queue 'q' in vhost '/' not empty"),
    (spec.ExchangeDelete("e", if_unused=True), 406, _406 + "exchange 'e' in vhost '/' in use"),
    (spec.BasicAck(7), 406, _406 + "unknown delivery tag 7"),
    (spec.BasicAck(0), 406, _406 + "unknown delivery tag 0"),
    (spec.BasicAck(7, multiple=True), 406, _406 + "unknown delivery tag 7"),
    (spec.BasicNack(7), 406, _406 + "unknown delivery tag 7"),
    (spec.BasicReject(7), 406, _406 + "unknown delivery tag 7"),
    (spec.TxCommit(), 406, _406 + "channel is not transactional"),
    (spec.TxRollback(), 406, _406 + "channel is not transactional"),
    (
        spec.BasicConsume("amq.rabbitmq.reply-to"), 406,
        _406 + "reply consumer cannot acknowledge",
    ),
    (
        spec.BasicConsume("q", arguments={"x-priority": "a"}), 406,
        _406 + "invalid arg 'x-priority' for queue 'q' in vhost '/': \"expected integer, got "
        'longstr"',
    ),
    (
        spec.ExchangeDeclare("n", "strange"), 503,
        "COMMAND_INVALID - unknown exchange type 'strange'",
    ),
    (spec.BasicQos(5, 1), 540, "NOT_IMPLEMENTED - prefetch_size!=0 (5)"),
    (spec.BasicRecover(requeue=False), 540, "NOT_IMPLEMENTED - requeue=false"),
    (spec.BasicRecoverAsync(requeue=False), 540, "NOT_IMPLEMENTED - requeue=false"),
    (spec.ChannelFlow(active=False), 540, "NOT_IMPLEMENTED - active=false"),
]  # fmt: skip


@pytest.mark.semantics(7, 21)
@pytest.mark.parametrize(
    ("method", "code", "text"),
    REFUSED,
    ids=[f"{type(row[0]).__name__}-{row[1]}" for row in REFUSED],
)
def test_a_refusal_says_why_and_of_what(
    broker: Broker, prepared: Client, method: MethodRecord, code: int, text: str
) -> None:
    owner = Client(broker).open(1)
    owner.declare(1, "locked", exclusive=True, durable=False)
    owner.ask(1, spec.QueueBind("locked", "e", "k"), spec.QueueBindOk)
    ids = LAYOUTS[type(method)][:2]
    before = described(broker)
    (said,) = prepared.send(1, method)
    text = text[:255]
    if code < 500:
        assert said == Said(1, spec.ChannelClose(code, text, *ids))
        assert prepared.send(1, spec.ChannelCloseOk(), spec.ChannelOpen()) == [
            Said(1, spec.ChannelOpenOk())
        ]
    else:
        assert said == Said(0, spec.ConnectionClose(code, text, *ids))
        before = {name: each for name, each in before.items() if name != "mine"}  # it went with it
    assert described(broker) == before
    owner.ask(1, spec.BasicQos(), spec.BasicQosOk)


def described(broker: Broker) -> dict[str, object]:
    """What a client can see of a broker."""
    host = broker.vhosts["/"]
    seen: dict[str, object] = {
        name: (queue.kind, queue.message_count, len(queue.consumers))
        for name, queue in host.queues.items()
    }
    for name, exchange in list(host.exchanges.items())[1:]:  # the default one has each queue
        seen[f"exchange {name}"] = (
            exchange.type,
            sorted((each.routing_key, each.destination.name) for each in exchange.bindings),
        )
    return seen


ORDERED: list[tuple[list[MethodRecord], int, str]] = [
    (
        [spec.ConfirmSelect(), spec.TxSelect()], 406,
        _406 + "cannot switch from confirm to tx mode",
    ),
    (
        [spec.TxSelect(), spec.ConfirmSelect()], 406,
        _406 + "cannot switch from tx to confirm mode",
    ),
    (
        [spec.BasicConsume("q", "t"), spec.BasicConsume("mine", "t")], 530,
        "NOT_ALLOWED - attempt to reuse consumer tag 't'",
    ),
    (
        [spec.BasicConsume("mine", "t"), spec.BasicConsume("mine", exclusive=True)], 403,
        "ACCESS_REFUSED - queue 'mine' in vhost '/' in exclusive use",
    ),
    (
        [spec.BasicConsume("mine", "t", exclusive=True), spec.BasicConsume("mine")], 403,
        "ACCESS_REFUSED - queue 'mine' in vhost '/' in exclusive use",
    ),
    (
        [
            spec.BasicConsume("amq.rabbitmq.reply-to", "t", no_ack=True),
            spec.BasicConsume("amq.rabbitmq.reply-to", no_ack=True),
        ], 406,
        _406 + "reply consumer already set",
    ),
    (
        [spec.BasicConsume("mine", "t"), spec.QueueDelete("mine", if_unused=True)], 406,
        _406 + "queue 'mine' in vhost '/' in use",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("methods", "code", "text"), ORDERED)
def test_a_refusal_of_what_does_not_go_with_what_was(
    prepared: Client, methods: list[MethodRecord], code: int, text: str
) -> None:
    *_, said = prepared.send(1, *methods)
    ids = LAYOUTS[type(methods[-1])][:2]
    kind = spec.ChannelClose if code < 500 else spec.ConnectionClose
    assert said.method == kind(code, text, *ids)


@pytest.mark.parametrize(
    "method",
    [spec.BasicConsume(), spec.BasicGet(), spec.QueuePurge(), spec.QueueBind("", "amq.topic")],
)
def test_no_name_is_the_queue_declared_last_and_without_one_not_found(
    broker: Broker, method: MethodRecord
) -> None:
    client = Client(broker).open(1, 2)
    client.ask(1, spec.QueueDeclare(exclusive=True), spec.QueueDeclareOk)
    assert not isinstance(client.send(1, method)[0].method, spec.ChannelClose)
    (said,) = client.send(2, method)
    text = "NOT_FOUND - no previously declared queue"
    assert said == Said(2, spec.ChannelClose(404, text, *LAYOUTS[type(method)][:2]))


def test_the_general_way_of_an_ack_does_the_same_as_the_quick_one(prepared: Client) -> None:
    prepared.send(1, spec.BasicGet("q"), spec.BasicGet("q"))
    channel = prepared.server.channels[1]
    assert HANDLERS[spec.BasicAck](channel, spec.BasicAck(2, multiple=True)) is None
    assert channel.model.unacked == {}


# -- what only answers of the server show


def test_a_get_brings_the_message_and_how_many_are_left(prepared: Client) -> None:
    said = prepared.send(1, spec.BasicGet("q"), spec.BasicGet("q", no_ack=True), spec.BasicGet("q"))
    assert said == [
        Said(1, spec.BasicGetOk(1, False, "", "q", 1), b"\0\0", b"1"),
        Said(1, spec.BasicGetOk(2, False, "", "q", 0), b"\0\0", b"2"),
        Said(1, spec.BasicGetEmpty()),
    ]


def test_rejected_messages_come_again(prepared: Client) -> None:
    get = spec.BasicGet("q")
    prepared.send(1, get, get)
    prepared.send(1, spec.BasicReject(1, requeue=True), spec.BasicNack(2, False, False))
    assert prepared.send(1, get, get) == [
        Said(1, spec.BasicGetOk(3, True, "", "q", 0), b"\0\0", b"1"),
        Said(1, spec.BasicGetEmpty()),
    ]
    prepared.send(1, spec.BasicRecoverAsync(requeue=True))
    assert len(prepared.send(1, get)[0].body) == 1


def test_a_transaction_shows_at_its_commit_and_returns_come_before_the_answer(
    prepared: Client,
) -> None:
    prepared.ask(1, spec.TxSelect(), spec.TxSelectOk)
    prepared.publish(1, b"seen", key="mine")
    prepared.publish(1, b"back", key="nowhere", mandatory=True)
    assert prepared.send(1, spec.BasicGet("mine")) == [Said(1, spec.BasicGetEmpty())]
    said = prepared.send(1, spec.TxCommit(), spec.BasicGet("mine"))
    assert [type(each.method).__name__ for each in said] == [
        "BasicReturn", "TxCommitOk", "BasicGetOk",
    ]  # fmt: skip
    assert [each.body for each in said] == [b"back", b"", b"seen"]
    prepared.publish(1, b"never", key="mine")
    prepared.ask(1, spec.TxRollback(), spec.TxRollbackOk)
    prepared.ask(1, spec.TxCommit(), spec.TxCommitOk)
    assert prepared.send(1, spec.BasicGet("mine")) == [Said(1, spec.BasicGetEmpty())]


def test_a_cancelled_consumer_gets_its_last_messages_before_the_answer(prepared: Client) -> None:
    said = prepared.send(1, spec.BasicConsume("q", "t"), spec.BasicCancel("t"))
    assert [type(each.method).__name__ for each in said] == [
        "BasicConsumeOk", "BasicDeliver", "BasicDeliver", "BasicCancelOk",
    ]  # fmt: skip


def test_a_consumer_without_a_tag_gets_one(prepared: Client) -> None:
    ok = prepared.ask(1, spec.BasicConsume("mine"), spec.BasicConsumeOk)
    assert ok.consumer_tag.startswith("amq.ctag-")


def test_newer_versions_refuse_the_channel_for_an_unknown_exchange_type(
    make_broker: Callable[..., Broker],
) -> None:
    client = Client(make_broker(profile="rabbitmq-4.2")).open(1)
    (said,) = client.send(1, spec.ExchangeDeclare("n", "strange"))
    assert isinstance(said.method, spec.ChannelClose)
    assert said.method.reply_code == 406
