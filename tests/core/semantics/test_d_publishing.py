"""What a publisher must see: checks and their order, returns, order (56 to 60, 67, 68)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker import Broker, Message, Permissions, Properties, TopicPermissions
from minibroker.errors import AccessRefused, NotFound, NotImplementedByBroker, PreconditionFailed
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import ManualClock
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection

MAX_EXPIRATION = 315_360_000_000


def taken(connection: LocalConnection) -> list[object]:
    """All that lies in the outbox, which is empty then."""
    items: list[object] = list(connection.outbox)
    connection.outbox.clear()
    return items


def got(channel: Channel) -> Message | None:
    answer = channel.get("q", no_ack=True)
    return None if answer is None else answer.entry.message


# -- 56: the order of the checks


def wrong_in_every_way(broker: Broker) -> tuple[Channel, Properties]:
    """A channel of a user who may do nothing, and properties of which every single one is bad."""
    broker.add_user("bob")
    broker.set_permissions("bob", write="^$")
    properties = Properties(
        reply_to="amq.rabbitmq.reply-to",
        expiration="abc",
        headers={"CC": "no array"},
        user_id="alice",
    )
    return broker.connect(user="bob").channel(), properties


@pytest.mark.semantics(56)
def test_checks_of_a_publish_run_in_rabbitmqs_order(
    make_broker: Callable[..., Broker],
) -> None:
    broker = make_broker()
    channel, bad = wrong_in_every_way(broker)
    size = broker.profile.max_message_size
    admin = Permissions(".*", ".*", ".*")

    def refusal(body: bytes = b"", exchange: str = "missing") -> str:
        with pytest.raises((PreconditionFailed, AccessRefused, NotFound)) as caught:
            channel.publish(exchange, "key", body, bad)
        return str(caught.value)

    assert refusal(bytes(size + 1)).startswith(f"message size {size + 1} is larger")
    assert refusal().startswith("write access to exchange 'missing'")

    channel.connection.access.permissions = admin
    assert refusal() == "no exchange 'missing' in vhost '/'"
    internal = "amq.rabbitmq.trace"
    assert refusal(exchange=internal).startswith("cannot publish to internal exchange")
    topic = "amq.topic"
    channel.connection.access.topics = {topic: TopicPermissions(topic, write="^no$", read="")}
    assert refusal(exchange=topic) == "fast reply consumer does not exist"
    bad = bad.replace(reply_to=None)
    assert refusal(exchange=topic) == "invalid expiration 'abc': no_integer"
    bad = bad.replace(expiration=None)
    assert refusal(exchange=topic).startswith("invalid message: {unacceptable_type_in_header")
    bad = bad.replace(headers=None)
    assert refusal(exchange=topic).startswith("write access to topic 'key' in exchange 'amq.topic'")
    channel.connection.access.topics = {}
    assert refusal(exchange=topic).startswith("user_id property set to 'alice'")


@pytest.mark.semantics(56)
def test_a_refused_publish_changes_nothing(connection: LocalConnection, channel: Channel) -> None:
    channel.declare_queue("q")
    channel.confirm_select()
    for exchange, key, properties in (
        ("", "q", Properties(expiration="abc")),
        ("", "q", Properties(user_id="somebody")),
        ("", "q", Properties(headers={"BCC": 7})),
        ("", "q" * 256, Properties()),
        ("missing", "q", Properties()),
        ("amq.rabbitmq.trace", "q", Properties()),
    ):
        with pytest.raises((PreconditionFailed, AccessRefused, NotFound)):
            channel.publish(exchange, key, b"", properties, mandatory=True)
    assert taken(connection) == []
    assert got(channel) is None
    assert channel.publish("", "q", b"") == 1


@pytest.mark.semantics(57)
def test_immediate_is_not_implemented(channel: Channel) -> None:
    channel.declare_queue("q")
    with pytest.raises(NotImplementedByBroker) as caught:
        channel.publish("", "q", b"", immediate=True)
    assert caught.value.reply_text == "NOT_IMPLEMENTED - immediate=true"
    assert caught.value.reply_code == 540
    assert got(channel) is None


# -- 58: expiration


@pytest.mark.semantics(58)
@pytest.mark.parametrize(
    ("expiration", "reason"),
    [
        ("", "no_integer"),
        ("abc", "no_integer"),
        (" 5", "no_integer"),
        ("-1", "{value_negative,-1}"),
        ("1.5", '{leftover_string,".5"}'),
        ("10foobar", '{leftover_string,"foobar"}'),
        (f"{MAX_EXPIRATION + 1}", f"{{value_too_large,{MAX_EXPIRATION + 1}}}"),
    ],
)
def test_an_expiration_is_a_decimal_number_up_to_ten_years(
    channel: Channel, expiration: str, reason: str
) -> None:
    channel.declare_queue("q")
    with pytest.raises(PreconditionFailed) as caught:
        channel.publish("", "q", b"", Properties(expiration=expiration))
    assert caught.value.reply_code == 406
    assert str(caught.value) == f"invalid expiration '{expiration}': {reason}"
    assert got(channel) is None


@pytest.mark.semantics(58)
@pytest.mark.parametrize("expiration", ["1", "00005", "+5", f"{MAX_EXPIRATION}"])
def test_an_expiration_within_the_bounds_is_kept_as_it_was_written(
    channel: Channel, expiration: str
) -> None:
    channel.declare_queue("q")
    channel.publish("", "q", b"", Properties(expiration=expiration))
    message = got(channel)
    assert message is not None
    assert message.properties.expiration == expiration


@pytest.mark.semantics(58)
@pytest.mark.parametrize("argument", ["x-message-ttl", "x-expires"])
def test_arguments_of_queues_share_the_bound_of_expirations(
    channel: Channel, argument: str
) -> None:
    channel.declare_queue("q", arguments={argument: MAX_EXPIRATION})
    with pytest.raises(PreconditionFailed, match="value_too_large,315360000001"):
        channel.declare_queue("r", arguments={argument: MAX_EXPIRATION + 1})


@pytest.mark.semantics(58)
def test_ten_years_pass(channel: Channel, clock: ManualClock) -> None:
    channel.declare_queue("q")
    channel.publish("", "q", b"", Properties(expiration=f"{MAX_EXPIRATION}"))
    clock.advance(MAX_EXPIRATION / 1000 - 1)
    assert channel.declare_queue("q", passive=True).message_count == 1
    clock.advance(1)
    assert channel.declare_queue("q", passive=True).message_count == 0


# -- 59, 60: user_id and delivery_mode


@pytest.mark.semantics(59)
def test_the_user_id_must_be_the_connections_user(channel: Channel) -> None:
    channel.declare_queue("q")
    with pytest.raises(PreconditionFailed) as caught:
        channel.publish("", "q", b"", Properties(user_id="bob"))
    expected = "user_id property set to 'bob' but authenticated user was 'guest'"
    assert str(caught.value) == expected
    channel.publish("", "q", b"", Properties(user_id="guest"))
    message = got(channel)
    assert message is not None
    assert message.properties.user_id == "guest"


@pytest.mark.semantics(59)
def test_an_impersonator_may_name_any_user(broker: Broker) -> None:
    broker.add_user("relay", tags=["impersonator"])
    broker.set_permissions("relay")
    channel = broker.connect(user="relay").channel()
    channel.declare_queue("q")
    channel.publish("", "q", b"", Properties(user_id="bob"))
    message = got(channel)
    assert message is not None
    assert message.properties.user_id == "bob"


@pytest.mark.semantics(60)
def test_only_delivery_mode_2_is_persistent(channel: Channel) -> None:
    channel.declare_queue("q")
    for mode, persistent in ((None, False), (0, False), (1, False), (2, True), (3, False)):
        channel.publish("", "q", b"", Properties(delivery_mode=mode))
        message = got(channel)
        assert message is not None
        assert message.persistent is persistent
        assert message.properties.delivery_mode == mode


@pytest.mark.semantics(60)
@pytest.mark.parametrize("mode", [0, 3, 255])
def test_rabbitmq_3_10_refuses_other_delivery_modes(
    make_broker: Callable[..., Broker], mode: int
) -> None:
    channel = make_broker(profile="rabbitmq-3.10").connect().channel()
    channel.declare_queue("q")
    with pytest.raises(PreconditionFailed) as caught:
        channel.publish("", "q", b"", Properties(delivery_mode=mode))
    assert str(caught.value) == f"invalid message: {{delivery_mode_unknown,{mode}}}"
    for taken_mode in (None, 1, 2):
        channel.publish("", "q", b"", Properties(delivery_mode=taken_mode))
    assert channel.declare_queue("q", passive=True).message_count == 3


# -- 67, 68: mandatory, order


@pytest.mark.semantics(67)
def test_mandatory_asks_for_a_queue_and_not_for_a_consumer(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q")
    channel.publish("", "q", b"", mandatory=True)
    assert taken(connection) == []
    assert got(channel) is not None


@pytest.mark.semantics(67)
def test_a_full_queue_is_a_queue_for_a_mandatory_message(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("full", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    channel.publish("", "full", b"", mandatory=True)
    assert taken(connection) == []


@pytest.mark.semantics(68)
def test_messages_of_one_channel_keep_their_order_through_exchange_and_queue(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q")
    channel.bind_queue("q", "amq.topic", "#")
    bodies = [b"%d" % number for number in range(50)]
    for body in bodies[:25]:
        channel.publish("amq.topic", f"key.{body!r}", body)
    channel.consume("q")
    for body in bodies[25:]:
        channel.publish("amq.topic", f"key.{body!r}", body)
    items = taken(connection)
    assert [item.message.body for item in items if isinstance(item, Entry)] == bodies


@pytest.mark.semantics(68)
def test_a_redelivery_takes_its_original_place(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q")
    for body in (b"1", b"2", b"3"):
        channel.publish("", "q", body)
    first = channel.get("q")
    assert first is not None
    channel.publish("", "q", b"4")
    channel.reject(first.entry.tag)
    channel.consume("q", no_ack=True)
    items = taken(connection)
    bodies = [item.message.body for item in items if isinstance(item, Entry)]
    assert bodies == [b"1", b"2", b"3", b"4"]
