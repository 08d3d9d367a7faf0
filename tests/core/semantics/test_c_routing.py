"""Which queues a message goes to (47, 50, 51, 53, 55)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker import PROFILES, Broker, Properties
from minibroker.errors import AccessRefused, NotFound, PreconditionFailed
from minibroker.events import Returned

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Message
    from minibroker.channel import Channel
    from minibroker.fields import FieldValue
    from minibroker.local import LocalConnection

REPLY = "amq.rabbitmq.reply-to"


def make(channel: Channel, *queues: str) -> None:
    for queue in queues:
        channel.declare_queue(queue)


def taken(channel: Channel, queue: str) -> list[Message]:
    """All that is ready in a queue, which is empty then."""
    messages = []
    while (answer := channel.get(queue, no_ack=True)) is not None:
        messages.append(answer.entry.message)
    return messages


def reached(channel: Channel, exchange: str, key: str, **properties: FieldValue) -> list[str]:
    """The queues that a message reaches, one name per copy."""
    names = sorted(channel.vhost.queues)
    channel.publish(exchange, key, b"", Properties(**properties))  # type: ignore[arg-type]  # by name
    return [name for name in names for _ in taken(channel, name)]


def returned(connection: LocalConnection) -> list[str]:
    """The routing keys of the messages that came back."""
    items = list(connection.outbox)
    connection.outbox.clear()
    return [item.message.routing_key for item in items if isinstance(item, Returned)]


# -- 47: direct, fanout, default


@pytest.mark.semantics(47)
def test_a_direct_exchange_takes_keys_literally(channel: Channel) -> None:
    make(channel, "a", "b", "c")
    channel.bind_queue("a", "amq.direct", "k")
    channel.bind_queue("b", "amq.direct", "k")
    channel.bind_queue("c", "amq.direct", "k.*")
    assert reached(channel, "amq.direct", "k") == ["a", "b"]
    assert reached(channel, "amq.direct", "k.x") == []
    assert reached(channel, "amq.direct", "k.*") == ["c"]
    assert reached(channel, "amq.direct", "") == []


@pytest.mark.semantics(47)
def test_a_fanout_exchange_does_not_look_at_keys(channel: Channel) -> None:
    make(channel, "a", "b", "c")
    channel.bind_queue("a", "amq.fanout", "k")
    channel.bind_queue("b", "amq.fanout", "")
    assert reached(channel, "amq.fanout", "k") == ["a", "b"]
    assert reached(channel, "amq.fanout", "other") == ["a", "b"]


@pytest.mark.semantics(47)
def test_the_default_exchange_takes_the_key_for_a_queues_name(
    connection: LocalConnection, channel: Channel
) -> None:
    make(channel, "a", "b")
    assert reached(channel, "", "a") == ["a"]
    channel.publish("", "missing", b"", mandatory=True)
    channel.publish("", "a", b"", mandatory=True)
    assert returned(connection) == ["missing"]
    assert len(taken(channel, "a")) == 1
    make(channel, "missing")
    assert reached(channel, "", "missing") == ["missing"]
    channel.delete_queue("missing")
    channel.publish("", "missing", b"", mandatory=True)
    assert returned(connection) == ["missing"]


@pytest.mark.semantics(47)
def test_what_is_bound_and_unbound_between_two_messages_counts_at_once(channel: Channel) -> None:
    make(channel, "a", "b")
    for exchange in ("amq.direct", "amq.fanout", "amq.topic", "amq.headers"):
        channel.bind_queue("a", exchange, "k")
        assert reached(channel, exchange, "k") == ["a"]
        channel.bind_queue("b", exchange, "k")
        assert reached(channel, exchange, "k") == ["a", "b"]
        channel.unbind_queue("a", exchange, "k")
        assert reached(channel, exchange, "k") == ["b"]
        channel.unbind_queue("b", exchange, "k")
        assert reached(channel, exchange, "k") == []


# -- 50: one copy


@pytest.mark.semantics(50)
@pytest.mark.parametrize("kind", ["direct", "fanout", "topic", "headers"])
def test_a_queue_gets_one_copy_however_many_bindings_match(channel: Channel, kind: str) -> None:
    make(channel, "a")
    channel.declare_exchange("x", kind)
    channel.declare_exchange("y", "fanout")
    channel.bind_queue("a", "x", "k")
    channel.bind_queue("a", "x", "k", {"n": 1})
    channel.bind_queue("a", "x", "#")
    channel.bind_exchange("y", "x", "k")
    channel.bind_queue("a", "y")
    assert reached(channel, "x", "k", headers={"n": 1}) == ["a"]
    assert reached(channel, "x", "k") == ["a"]


@pytest.mark.semantics(50)
def test_exchanges_bound_in_a_ring_deliver_once(channel: Channel) -> None:
    names = ("x", "y", "z")
    make(channel, *(f"q{name}" for name in names))
    for name in names:
        channel.declare_exchange(name, "fanout")
        channel.bind_queue(f"q{name}", name)
    for destination, source in (("y", "x"), ("z", "y"), ("x", "z"), ("x", "x")):
        channel.bind_exchange(destination, source)
    for name in names:
        assert reached(channel, name, "k") == ["qx", "qy", "qz"]


@pytest.mark.semantics(50)
def test_bindings_between_exchanges_filter_with_the_messages_own_key(channel: Channel) -> None:
    make(channel, "a", "b")
    channel.declare_exchange("x", "topic")
    channel.bind_exchange("amq.direct", "x", "k.#")
    channel.bind_queue("a", "amq.direct", "k.1")
    channel.bind_queue("b", "amq.direct", "j")
    assert reached(channel, "x", "k.1") == ["a"]
    assert reached(channel, "x", "k.2") == []
    assert reached(channel, "x", "j") == []
    channel.unbind_exchange("amq.direct", "x", "k.#")
    assert reached(channel, "x", "k.1") == []


# -- 51: CC and BCC


@pytest.mark.semantics(51)
def test_cc_and_bcc_add_routing_keys_on_the_same_exchange(channel: Channel) -> None:
    make(channel, "a", "b", "c", "d")
    headers: dict[str, FieldValue] = {"CC": ["b", "missing"], "BCC": ["c"]}
    assert reached(channel, "", "a", headers=headers) == ["a", "b", "c"]
    for key in "abcd":
        channel.bind_queue(key, "amq.topic", f"{key}.#")
    assert reached(channel, "amq.topic", "a.1", headers={"CC": ["d.1"], "BCC": ["b"]}) == (
        ["a", "b", "d"]
    )
    assert reached(channel, "", "a", headers={"CC": ["a", "a"], "BCC": ["a"]}) == ["a"]


@pytest.mark.semantics(51)
def test_cc_and_bcc_add_keys_for_the_exchanges_behind_as_well(channel: Channel) -> None:
    make(channel, "a", "b")
    channel.declare_exchange("x", "fanout")
    channel.bind_exchange("amq.direct", "x")
    channel.bind_queue("a", "amq.direct", "a")
    channel.bind_queue("b", "amq.direct", "b")
    assert reached(channel, "x", "none", headers={"CC": ["a"], "BCC": ["b"]}) == ["a", "b"]


@pytest.mark.semantics(51)
def test_bcc_is_not_delivered_and_cc_is(channel: Channel) -> None:
    make(channel, "a", "b", "c")
    published: dict[str, FieldValue] = {"CC": ["b"], "BCC": ["c"], "n": 1}
    channel.publish("", "a", b"", Properties(headers=published))
    for queue in ("a", "b", "c"):
        (message,) = taken(channel, queue)
        assert message.headers == {"CC": ["b"], "n": 1}
        assert message.routing_key == "a"
        assert message.exchange == ""
    assert published == {"CC": ["b"], "BCC": ["c"], "n": 1}


@pytest.mark.semantics(51)
@pytest.mark.parametrize("name", ["CC", "BCC"])
@pytest.mark.parametrize(
    ("value", "kind"),
    [("a", "longstr"), (5, "signedint"), (None, "void"), ({"a": 1}, "table"), (b"a", "binary")],
)
def test_cc_and_bcc_are_arrays(channel: Channel, name: str, value: FieldValue, kind: str) -> None:
    make(channel, "a")
    with pytest.raises(PreconditionFailed) as caught:
        channel.publish("", "a", b"", Properties(headers={name: value}))
    assert str(caught.value) == (
        f'invalid message: {{unacceptable_type_in_header,"{name}",{kind}}}'
    )
    assert taken(channel, "a") == []


@pytest.mark.semantics(51)
def test_what_is_no_string_in_cc_is_passed_over(channel: Channel) -> None:
    make(channel, "a")
    headers: dict[str, FieldValue] = {"CC": [5, "a", None], "BCC": []}
    assert reached(channel, "", "missing", headers=headers) == ["a"]


@pytest.mark.semantics(51)
def test_a_message_is_unroutable_only_if_none_of_its_keys_leads_anywhere(
    connection: LocalConnection, channel: Channel
) -> None:
    make(channel, "a")
    for key in ("a", "b"):
        channel.publish("", "none", b"", Properties(headers={"BCC": [key]}), mandatory=True)
    assert len(returned(connection)) == 1
    assert len(taken(channel, "a")) == 1


# -- 53: internal exchanges


@pytest.mark.semantics(53)
def test_clients_do_not_publish_to_an_internal_exchange_but_exchanges_do(channel: Channel) -> None:
    make(channel, "q")
    channel.declare_exchange("inner", "fanout", internal=True)
    channel.bind_queue("q", "inner")
    for exchange in ("inner", "amq.rabbitmq.trace"):
        for properties in (Properties(), Properties(headers={"n": 1})):
            with pytest.raises(AccessRefused) as caught:
                channel.publish(exchange, "k", b"", properties)
            assert str(caught.value) == (
                f"cannot publish to internal exchange '{exchange}' in vhost '/'"
            )
    assert taken(channel, "q") == []
    channel.bind_exchange("inner", "amq.direct", "k")
    assert reached(channel, "amq.direct", "k") == ["q"]
    channel.declare_exchange("x", arguments={"alternate-exchange": "inner"})
    assert reached(channel, "x", "k") == ["q"]
    with pytest.raises(AccessRefused):  # though routes through it are remembered by now
        channel.publish("inner", "k", b"")


# -- 55: who may bind what


@pytest.mark.semantics(55)
@pytest.mark.parametrize("profile", PROFILES)
def test_direct_reply_to_addresses_cannot_be_bound(
    make_broker: Callable[..., Broker], profile: str
) -> None:
    channel = make_broker(profile=profile).connect().channel()
    channel.consume(REPLY, no_ack=True)
    (alive,) = channel.vhost.replies
    error = AccessRefused if profile in {"rabbitmq-4.2", "rabbitmq-4.3"} else NotFound
    for name in (REPLY, alive, f"{REPLY}.dead"):
        with pytest.raises(error) as caught:
            channel.bind_queue(name, "amq.direct", "k")
        assert name in str(caught.value)
        channel.unbind_queue(name, "amq.direct", "k")


@pytest.mark.semantics(55)
def test_binding_exchanges_needs_write_on_the_destination_and_read_on_the_source(
    broker: Broker, channel: Channel
) -> None:
    channel.declare_exchange("to")
    channel.declare_exchange("from", "topic")
    broker.add_user("ann")
    refused = "access to exchange '{}' in vhost '/' refused for user 'ann'"

    def bound(write: str, read: str) -> str:
        broker.set_permissions("ann", configure="", write=write, read=read)
        ann = broker.connect(user="ann").channel()
        try:
            ann.bind_exchange("to", "from", "k")
            ann.unbind_exchange("to", "from", "k")
        except AccessRefused as error:
            with pytest.raises(AccessRefused):
                ann.unbind_exchange("to", "from", "k")
            return str(error)
        return "ok"

    assert bound("^to$", "^from$") == "ok"
    assert bound("^from$", "^to$") == f"write {refused.format('to')}"
    assert bound("^to$", "") == f"read {refused.format('from')}"
    assert bound("", "^from$") == f"write {refused.format('to')}"
