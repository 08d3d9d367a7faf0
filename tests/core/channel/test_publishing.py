"""The side of a channel that publishes: its short path and its long one do the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker import Broker, Properties, TopicPermissions
from minibroker.errors import (
    AccessRefused,
    ChannelInvalid,
    NotFound,
    NotImplementedByBroker,
    PreconditionFailed,
    PublisherBlocked,
)
from minibroker.events import Blocked, Confirmed, Returned
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import ManualClock, Message
    from minibroker.channel import Channel
    from minibroker.fields import Table
    from minibroker.local import LocalConnection


def got(channel: Channel, queue: str = "q") -> Message:
    answer = channel.get(queue, no_ack=True)
    assert answer is not None
    return answer.entry.message


@pytest.fixture(params=["short", "long"])
def path(request: pytest.FixtureRequest, broker: Broker) -> Channel:
    """A channel with a queue `q`, which publishes on the short path, or by all the rules."""
    if request.param == "long":
        broker.add_user("guest")
        broker.set_permissions("guest")
    channel = broker.connect().channel()
    channel.declare_queue("q")
    assert channel.plain is (request.param == "short")
    return channel


def returned(channel: Channel) -> list[bytes]:
    """The bodies of what came back unroutable."""
    items = list(channel.connection.outbox)
    channel.connection.outbox.clear()
    return [item.message.body for item in items if isinstance(item, Returned)]


# -- both paths


def test_a_message_is_published_as_it_is(path: Channel) -> None:
    properties = Properties(message_id="7")
    path.bind_queue("q", "amq.direct", "key")
    for _ in range(2):  # the second time the route is remembered
        path.publish("amq.direct", "key", b"body", properties)
        message = got(path)
        assert (message.exchange, message.routing_key, message.body) == (
            "amq.direct",
            "key",
            b"body",
        )
        assert message.properties is properties


def test_a_message_goes_to_each_queue_and_is_shared(path: Channel) -> None:
    path.declare_queue("r")
    for queue in ("q", "r"):
        path.bind_queue(queue, "amq.fanout")
    path.publish("amq.fanout", "", b"")
    assert got(path, "q") is got(path, "r")


def test_only_mandatory_messages_come_back_unroutable(path: Channel) -> None:
    path.publish("", "nowhere", b"1")
    path.publish("", "nowhere", b"2", mandatory=True)
    path.publish("", "nowhere", b"3", mandatory=True)
    path.publish("", "q", b"4", mandatory=True)
    assert returned(path) == [b"2", b"3"]


def test_a_message_that_an_exchange_holds_does_not_come_back(
    path: Channel, clock: ManualClock
) -> None:
    path.declare_exchange("later", "x-delayed-message", arguments={"x-delayed-type": "direct"})
    path.publish("later", "q", b"", Properties(headers={"x-delay": 1000}), mandatory=True)
    assert returned(path) == []
    path.bind_queue("q", "later", "q")
    clock.advance("1s")
    assert got(path).headers == {"x-delay": -1000}


def test_an_unknown_exchange_is_not_found(path: Channel) -> None:
    with pytest.raises(NotFound, match="no exchange 'missing' in vhost '/'"):
        path.publish("missing", "q", b"")


def test_an_internal_exchange_takes_nothing_from_clients(path: Channel) -> None:
    path.declare_exchange("inner", internal=True)
    path.bind_queue("q", "inner", "q")
    for _ in range(2):
        with pytest.raises(AccessRefused) as caught:
            path.publish("inner", "q", b"")
        assert str(caught.value) == "cannot publish to internal exchange 'inner' in vhost '/'"


def test_a_routing_key_is_a_short_string(path: Channel) -> None:
    path.publish("", "k" * 255, b"")
    with pytest.raises(PreconditionFailed, match="longer than 255 bytes"):
        path.publish("", "é" * 128, b"")
    with pytest.raises(TypeError, match="routing key must be a str"):
        path.publish("", 7, b"")  # type: ignore[arg-type]  # what the test is about


def test_a_body_is_bytes_of_any_kind_and_is_copied(path: Channel) -> None:
    body = bytearray(b"body")
    path.publish("", "q", body)  # type: ignore[arg-type]  # taken, though only bytes are promised
    body[0:] = b"else"
    assert got(path).body == b"body"
    path.publish("", "q", memoryview(b"view"))  # type: ignore[arg-type]  # as above
    assert got(path).body == b"view"
    with pytest.raises(TypeError, match="body must be bytes, not str"):
        path.publish("", "q", "text")  # type: ignore[arg-type]  # what the test is about


def test_a_body_has_a_largest_size(make_broker: Callable[..., Broker]) -> None:
    broker = make_broker()
    channel = broker.connect().channel()
    channel.declare_queue("q")
    most = broker.profile.max_message_size
    channel.publish("", "q", bytes(most))
    with pytest.raises(PreconditionFailed) as caught:
        channel.publish("", "q", bytes(most + 1))
    assert str(caught.value) == (
        f"message size {most + 1} is larger than configured max size {most}"
    )


def test_a_closed_channel_publishes_nothing(path: Channel) -> None:
    path.close()
    with pytest.raises(ChannelInvalid, match="the channel is closed"):
        path.publish("", "q", b"")


def test_immediate_is_refused(path: Channel) -> None:
    with pytest.raises(NotImplementedByBroker, match="immediate=true"):
        path.publish("", "q", b"", immediate=True)


# -- what the broker reads in a message


def test_an_expiration_is_read(path: Channel, clock: ManualClock) -> None:
    path.publish("", "q", b"", Properties(expiration="1000"))
    path.publish("", "q", b"", Properties(expiration="2000", headers={"a": 1}))
    clock.advance("1s")
    assert got(path).properties.expiration == "2000"


def test_further_routing_keys_are_read_and_bcc_is_taken_out(path: Channel) -> None:
    for queue in ("cc", "bcc"):
        path.declare_queue(queue)
    headers: Table = {"CC": ["cc"], "BCC": ["bcc"], "a": 1}
    path.publish("", "q", b"", Properties(headers=headers))
    for queue in ("q", "cc", "bcc"):
        message = got(path, queue)
        assert message.headers == {"CC": ["cc"], "a": 1}
        assert message.routing_key == "q"
    assert "BCC" in headers  # the publisher's own table is left alone
    path.publish("", "q", b"", Properties(headers={"BCC": []}))
    assert got(path).headers == {}


def test_plain_headers_need_no_marks(path: Channel) -> None:
    path.publish("", "q", b"", Properties(headers={"a": 1}))
    message = got(path)
    assert (message.ttl, message.copies, message.headers) == (None, (), {"a": 1})


def test_reply_to_may_be_an_address_of_the_channel(path: Channel) -> None:
    asking = Properties(reply_to="amq.rabbitmq.reply-to")
    with pytest.raises(PreconditionFailed, match="fast reply consumer does not exist"):
        path.publish("", "q", b"", asking)
    path.consume("amq.rabbitmq.reply-to", no_ack=True)
    path.publish("", "q", b"", asking)
    address = got(path).properties.reply_to
    assert address is not None
    assert address.startswith("amq.rabbitmq.reply-to.")
    path.publish("", address, b"answer")
    deliveries = [item for item in path.connection.outbox if isinstance(item, Entry)]
    assert [entry.message.body for entry in deliveries] == [b"answer"]
    path.publish("", "q", b"", Properties(reply_to="other"))
    assert got(path).properties.reply_to == "other"


def test_a_user_id_is_compared(path: Channel) -> None:
    path.publish("", "q", b"", Properties(user_id="guest"))
    with pytest.raises(PreconditionFailed, match="user_id property set to 'x'"):
        path.publish("", "q", b"", Properties(user_id="x"))


def test_an_unusual_delivery_mode_is_up_to_the_profile(
    make_broker: Callable[..., Broker],
) -> None:
    for profile, taken in (("rabbitmq-3.10", False), ("rabbitmq-4.2", True)):
        channel = make_broker(profile=profile).connect().channel()
        channel.declare_queue("q")
        if taken:
            channel.publish("", "q", b"", Properties(delivery_mode=3))
            assert got(channel).properties.delivery_mode == 3
        else:
            with pytest.raises(PreconditionFailed, match="delivery_mode_unknown,3"):
                channel.publish("", "q", b"", Properties(delivery_mode=3))


def test_topic_permissions_are_asked_for_topic_exchanges(broker: Broker) -> None:
    broker.add_user("bob")
    topics = [TopicPermissions("amq.topic", write="^mine", read="")]
    broker.set_permissions("bob", topics=topics)
    channel = broker.connect(user="bob").channel()
    channel.publish("amq.topic", "mine.a", b"")
    channel.publish("amq.direct", "other", b"")
    with pytest.raises(AccessRefused, match="write access to topic 'other'"):
        channel.publish("amq.topic", "other", b"")


# -- modes


def test_a_nack_is_a_confirm_that_is_not_ok(channel: Channel) -> None:
    channel.declare_queue("q", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    channel.confirm_select()
    assert channel.publish("", "q", b"") == 1
    assert list(channel.connection.outbox) == [Confirmed(channel, 1, multiple=False, ok=False)]


def test_modes_exclude_each_other(connection: LocalConnection) -> None:
    confirming, transacting = connection.channel(), connection.channel()
    for _ in range(2):
        confirming.confirm_select()
        transacting.tx_select()
    with pytest.raises(PreconditionFailed):
        confirming.tx_select()
    with pytest.raises(PreconditionFailed):
        transacting.confirm_select()
    with pytest.raises(PreconditionFailed):
        confirming.begin_transaction()


def test_a_transaction_publishes_where_its_messages_were_routed(
    channel: Channel, clock: ManualClock
) -> None:
    for queue in ("q", "r"):
        channel.declare_queue(queue)
    for name in ("later", "never"):
        channel.declare_exchange(name, "x-delayed-message", arguments={"x-delayed-type": "fanout"})
        channel.bind_queue("q", name)
    channel.tx_select()
    delayed = Properties(headers={"x-delay": 1000})
    for exchange in ("later", "never"):
        channel.publish(exchange, "", b"delayed", delayed, mandatory=True)
    channel.publish("", "q", b"kept")
    channel.publish("", "r", b"lost", mandatory=True)
    channel.publish("", "nowhere", b"back", mandatory=True)
    channel.delete_exchange("never")
    channel.delete_queue("r")
    channel.tx_commit()
    assert returned(channel) == [b"back"]
    assert got(channel).body == b"kept"
    clock.advance("1s")
    assert got(channel).body == b"delayed"
    assert channel.get("q") is None


# -- the memory limit


def test_a_publisher_waits_while_the_broker_is_over_its_limit(
    make_broker: Callable[..., Broker],
) -> None:
    broker = make_broker(memory_limit=1000, blocked_timeout=0)
    connection = broker.connect()
    channel = connection.channel()
    channel.declare_queue("q")
    channel.publish("", "q", bytes(1000))
    assert list(connection.outbox) == [Blocked("low on memory")]
    for timeout in (None, 0):
        with pytest.raises(PublisherBlocked):
            channel.publish("", "q", b"", timeout=timeout)
    channel.purge_queue("q")
    channel.publish("", "q", b"")
    assert channel.declare_queue("q", passive=True).message_count == 1
