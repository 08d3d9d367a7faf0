"""Names of exchanges and queues, and what they mean (24 to 28)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker import PROFILES, Broker
from minibroker.errors import AccessRefused, NotFound, PreconditionFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.channel import Channel
    from minibroker.local import LocalConnection

DEFAULT_REFUSED = "operation not permitted on the default exchange"
LONGEST = "é" * 127 + "a"
"""255 bytes."""


def exists(channel: Channel, queue: str) -> bool:
    try:
        channel.declare_queue(queue, passive=True)
    except NotFound:
        return False
    return True


def ready(channel: Channel, queue: str) -> int:
    return channel.declare_queue(queue, passive=True).message_count


# -- 24: short strings


@pytest.mark.semantics(24)
def test_a_name_may_have_255_bytes_of_utf8_and_no_more(channel: Channel) -> None:
    channel.declare_queue(LONGEST)
    channel.declare_exchange(LONGEST)
    channel.bind_queue(LONGEST, LONGEST, LONGEST)
    channel.publish(LONGEST, LONGEST, b"")
    assert ready(channel, LONGEST) == 1
    long = LONGEST + "b"
    with pytest.raises(PreconditionFailed, match=f"queue name '{long}' is longer than 255 bytes"):
        channel.declare_queue(long)
    with pytest.raises(PreconditionFailed, match="exchange name '.*' is longer than 255 bytes"):
        channel.declare_exchange(long)
    for refused in (
        lambda: channel.bind_queue(LONGEST, LONGEST, long),
        lambda: channel.bind_exchange(LONGEST, LONGEST, long),
        lambda: channel.publish(LONGEST, long, b""),
    ):
        with pytest.raises(PreconditionFailed, match="routing key '.*' is longer than 255 bytes"):
            refused()


@pytest.mark.semantics(24)
def test_a_name_is_text(channel: Channel) -> None:
    with pytest.raises(TypeError, match="queue name must be a str, not 5"):
        channel.declare_queue(5)  # type: ignore[arg-type]  # refused
    with pytest.raises(TypeError, match="exchange name must be a str, not b'x'"):
        channel.declare_exchange(b"x")  # type: ignore[arg-type]  # refused


@pytest.mark.semantics(24)
def test_line_ends_are_taken_out_of_names_in_declares_binds_and_deletes(channel: Channel) -> None:
    assert channel.declare_queue("\r\nq\n").queue == "q"
    assert channel.declare_queue("q\r", passive=True).queue == "q"
    channel.declare_exchange("x\n")
    channel.declare_exchange("y")
    channel.declare_exchange("x\r\n", passive=True)
    channel.bind_queue("q\n", "x\n", "k")
    channel.bind_exchange("x\n", "y\n", "k")
    channel.publish("y", "k", b"")
    assert ready(channel, "q") == 1
    channel.unbind_exchange("x\n", "y\n", "k")
    channel.unbind_queue("q\n", "x\n", "k")
    channel.delete_exchange("x", if_unused=True)
    channel.delete_exchange("y\r\n", if_unused=True)
    assert channel.delete_queue("q\r\n") == 1
    with pytest.raises(NotFound):
        channel.declare_exchange("y", passive=True)


@pytest.mark.semantics(24, 28)
def test_a_queue_name_of_nothing_but_line_ends_is_none_at_all(channel: Channel) -> None:
    name = channel.declare_queue("\r\n").queue
    assert name.startswith("amq.gen-")
    with pytest.raises(AccessRefused, match=DEFAULT_REFUSED):
        channel.declare_exchange("\r\n")


# -- 25 to 27: reserved and predeclared names


@pytest.mark.semantics(25)
def test_names_that_begin_with_amq_are_not_for_clients(channel: Channel) -> None:
    with pytest.raises(AccessRefused) as queue:
        channel.declare_queue("amq.foo")
    assert str(queue.value) == "queue name 'amq.foo' contains reserved prefix 'amq.*'"
    with pytest.raises(AccessRefused) as exchange:
        channel.declare_exchange("amq.foo")
    assert str(exchange.value) == "exchange name 'amq.foo' contains reserved prefix 'amq.*'"
    channel.declare_queue("amq")
    channel.declare_exchange("amqfoo")


@pytest.mark.semantics(25)
def test_a_server_named_queue_can_be_looked_at_but_not_declared_by_its_name(
    channel: Channel,
) -> None:
    name = channel.declare_queue().queue
    assert channel.declare_queue(name, passive=True).queue == name
    with pytest.raises(AccessRefused, match=f"queue name '{name}' contains reserved prefix"):
        channel.declare_queue(name)


@pytest.mark.semantics(25, 35)
def test_a_passive_declare_of_a_reserved_name_only_asks_whether_it_is_there(
    channel: Channel,
) -> None:
    channel.declare_exchange("amq.direct", passive=True)
    with pytest.raises(NotFound, match=r"no exchange 'amq\.foo' in vhost '/'"):
        channel.declare_exchange("amq.foo", passive=True)
    with pytest.raises(NotFound, match=r"no queue 'amq\.foo' in vhost '/'"):
        channel.declare_queue("amq.foo", passive=True)


PREDECLARED = {
    "amq.direct": "direct",
    "amq.fanout": "fanout",
    "amq.topic": "topic",
    "amq.headers": "headers",
    "amq.match": "headers",
    "amq.rabbitmq.trace": "topic",
}


@pytest.mark.semantics(25, 27)
@pytest.mark.parametrize(("name", "kind"), PREDECLARED.items())
def test_predeclared_exchanges_are_durable_and_may_be_declared_again(
    channel: Channel, name: str, kind: str
) -> None:
    internal = name == "amq.rabbitmq.trace"
    channel.declare_exchange(name, kind, durable=True, internal=internal)
    with pytest.raises(PreconditionFailed, match="arg 'durable' .* 'false' but current is 'true'"):
        channel.declare_exchange(name, kind, internal=internal)
    with pytest.raises(PreconditionFailed, match="arg 'type' .* received 'x-delayed-message'"):
        channel.declare_exchange(name, "x-delayed-message", durable=True, internal=internal)
    with pytest.raises(PreconditionFailed, match="inequivalent arg 'internal'"):
        channel.declare_exchange(name, kind, durable=True, internal=not internal)


@pytest.mark.semantics(27)
def test_every_virtual_host_has_its_own_predeclared_exchanges_and_the_default_one(
    broker: Broker,
) -> None:
    broker.add_vhost("other")
    for vhost in broker.vhosts.values():
        assert set(vhost.exchanges) == {"", *PREDECLARED}
        assert vhost.default.type == "direct"
        assert vhost.default.durable
    here, there = broker.connect().channel(), broker.connect("other").channel()
    here.declare_queue("q")
    here.bind_queue("q", "amq.fanout")
    there.publish("amq.fanout", "", b"")
    there.publish("", "q", b"")
    assert ready(here, "q") == 0
    assert not exists(there, "q")


@pytest.mark.semantics(26)
@pytest.mark.parametrize("name", ["amq.direct", "amq.rabbitmq.trace", "amq.missing"])
def test_no_exchange_with_a_reserved_name_can_be_deleted(channel: Channel, name: str) -> None:
    for if_unused in (False, True):
        with pytest.raises(AccessRefused) as caught:
            channel.delete_exchange(name, if_unused)
        assert str(caught.value) == f"deletion of system exchange '{name}' in vhost '/' not allowed"


@pytest.mark.semantics(26)
def test_the_default_exchange_is_not_for_clients_to_touch(channel: Channel) -> None:
    channel.declare_queue("q")
    refused: list[Callable[[], None]] = [
        lambda: channel.declare_exchange("", durable=True),
        lambda: channel.declare_exchange("", passive=True),
        lambda: channel.delete_exchange(""),
        lambda: channel.bind_queue("q", "", "k"),
        lambda: channel.unbind_queue("q", "", "k"),
        lambda: channel.unbind_queue("q", "", "q"),
        lambda: channel.bind_exchange("", "amq.direct", "k"),
        lambda: channel.bind_exchange("amq.direct", "", "k"),
        lambda: channel.unbind_exchange("", "amq.direct", "k"),
        lambda: channel.unbind_exchange("amq.direct", "", "k"),
    ]
    for call in refused:
        with pytest.raises(AccessRefused) as caught:
            call()
        assert str(caught.value) == DEFAULT_REFUSED


# -- 28: names from the broker


@pytest.mark.semantics(28)
def test_a_queue_without_a_name_gets_one_that_nobody_has(channel: Channel) -> None:
    names = {channel.declare_queue().queue for _ in range(100)}
    assert len(names) == 100
    for name in names:
        kind, token = name[:8], name[8:]
        assert kind == "amq.gen-"
        assert len(token) == 22
        assert token.replace("-", "a").replace("_", "a").isalnum()


@pytest.mark.semantics(28)
@pytest.mark.parametrize("profile", PROFILES)
def test_a_prefix_for_the_name_is_taken_from_4_on(
    make_broker: Callable[..., Broker], profile: str
) -> None:
    channel = make_broker(profile=profile).connect().channel()
    arguments = {"x-name-prefix": "mine."}
    name = channel.declare_queue(exclusive=True, arguments=arguments).queue
    taken = profile in {"rabbitmq-4.2", "rabbitmq-4.3"}
    assert name.startswith("mine." if taken else "amq.gen-")
    channel.declare_queue("named", exclusive=True, arguments=arguments)
    too_long = {"x-name-prefix": "é" * 32 + "a"}
    if taken:
        channel.declare_queue(exclusive=True, arguments={"x-name-prefix": "é" * 32})
        with pytest.raises(PreconditionFailed, match="invalid arg 'x-name-prefix'"):
            channel.declare_queue(exclusive=True, arguments=too_long)
        with pytest.raises(PreconditionFailed, match="invalid arg 'x-name-prefix'"):
            channel.declare_queue(exclusive=True, arguments={"x-name-prefix": 5})
    else:
        channel.declare_queue(exclusive=True, arguments=too_long)


@pytest.mark.semantics(28)
def test_an_empty_name_means_the_queue_declared_last_on_the_channel(
    connection: LocalConnection, channel: Channel
) -> None:
    other = connection.channel()
    other.declare_queue("other")
    channel.declare_queue("first")
    name = channel.declare_queue().queue
    channel.bind_queue("", "amq.direct", "k")
    channel.publish("amq.direct", "k", b"1")
    channel.publish("amq.direct", "k", b"2")
    answer = channel.get("")
    assert answer is not None
    assert answer.entry.queue.name == name
    assert channel.purge_queue("") == 1
    channel.consume("")
    assert channel.declare_queue(name, passive=True).consumer_count == 1
    channel.unbind_queue("", "amq.direct", "k")
    channel.publish("amq.direct", "k", b"3")
    assert len(connection.outbox) == 0
    channel.delete_queue("")
    assert not exists(channel, name)
    assert exists(channel, "first")


@pytest.mark.semantics(28)
def test_a_passive_declare_counts_as_declared_last(channel: Channel) -> None:
    channel.declare_queue("first")
    channel.declare_queue("second")
    channel.declare_queue("first", passive=True)
    channel.publish("", "first", b"")
    assert channel.purge_queue("") == 1


@pytest.mark.semantics(28)
def test_without_a_declaration_an_empty_name_means_nothing(channel: Channel) -> None:
    calls: list[Callable[[], object]] = [
        lambda: channel.bind_queue("", "amq.direct", "k"),
        lambda: channel.unbind_queue("", "amq.direct", "k"),
        lambda: channel.get(""),
        lambda: channel.consume(""),
        lambda: channel.purge_queue(""),
        lambda: channel.delete_queue(""),
    ]
    for call in calls:
        with pytest.raises(NotFound) as caught:
            call()
        assert str(caught.value) == "no previously declared queue"


@pytest.mark.semantics(28)
def test_a_passive_declare_does_not_know_an_empty_name(channel: Channel) -> None:
    channel.declare_queue("q")
    with pytest.raises(NotFound, match="no queue '' in vhost '/'"):
        channel.declare_queue("", passive=True)


@pytest.mark.semantics(28)
def test_binding_without_queue_and_key_binds_the_last_queue_by_its_name(channel: Channel) -> None:
    name = channel.declare_queue().queue
    channel.bind_queue("", "amq.direct", "")
    channel.publish("amq.direct", name, b"")
    assert ready(channel, name) == 1
    channel.publish("amq.direct", "", b"")
    assert ready(channel, name) == 1
    channel.unbind_queue("", "amq.direct", "")
    channel.publish("amq.direct", name, b"")
    assert ready(channel, name) == 1
    channel.bind_queue(name, "amq.direct", "")
    channel.publish("amq.direct", "", b"")
    assert ready(channel, name) == 2
