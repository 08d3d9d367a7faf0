"""The rules of declaring, binding and deleting: their order, and that a refusal changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker import PROFILES, Broker, TopicPermissions
from minibroker.declare import check_name, plain_name
from minibroker.errors import AccessRefused, NotFound, PreconditionFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from minibroker.channel import Channel
    from minibroker.fields import FieldValue


def ann(
    broker: Broker,
    configure: str = "",
    write: str = "",
    read: str = "",
    topics: Iterable[TopicPermissions] = (),
) -> Channel:
    """A channel of a user with these permissions and no others."""
    broker.add_user("ann")
    broker.set_permissions("ann", configure=configure, write=write, read=read, topics=topics)
    return broker.connect(user="ann").channel()


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(AccessRefused) as caught:
        call()
    return str(caught.value)


def test_a_name_is_checked_and_freed_of_line_ends() -> None:
    assert check_name("queue name", "a\r\n") == "a\r\n"
    assert plain_name("queue name", "\r\na\nb\r") == "ab"
    assert plain_name("queue name", "") == ""
    with pytest.raises(PreconditionFailed, match="queue name 'a+' is longer than 255 bytes"):
        plain_name("queue name", "a" * 256)
    with pytest.raises(TypeError, match="queue name must be a str, not None"):
        plain_name("queue name", None)  # type: ignore[arg-type]  # refused


def test_arguments_are_copied_when_something_is_declared_or_bound(
    broker: Broker, channel: Channel
) -> None:
    inner: list[FieldValue] = [1]
    arguments: dict[str, FieldValue] = {"list": inner}
    channel.declare_queue("q", arguments=arguments)
    channel.declare_exchange("x", "headers", arguments=arguments)
    channel.bind_queue("q", "x", "", arguments)
    channel.bind_exchange("amq.direct", "x", "", arguments)
    inner.append(2)
    arguments["more"] = True
    vhost = broker.vhosts["/"]
    assert vhost.queues["q"].declaration.arguments == {"list": [1]}
    exchange = vhost.exchanges["x"]
    assert exchange.arguments == {"list": [1]}
    assert [binding.arguments for binding in exchange.bindings] == [{"list": [1]}] * 2


@pytest.mark.parametrize(
    ("table", "error", "words"),
    [
        ({"a": {1, 2}}, TypeError, "field 'a'"),
        ({5: "a"}, TypeError, "field name 5"),
        ({"a": 1 << 64}, ValueError, "does not fit 64 bits"),
    ],
)
def test_tables_that_amqp_cannot_carry_are_refused_and_nothing_changes(
    broker: Broker,
    channel: Channel,
    table: dict[str, FieldValue],
    error: type[Exception],
    words: str,
) -> None:
    channel.declare_queue("q")
    calls: list[Callable[[], object]] = [
        lambda: channel.declare_queue("p", arguments=table),
        lambda: channel.declare_exchange("x", arguments=table),
        lambda: channel.bind_queue("q", "amq.direct", "k", table),
        lambda: channel.bind_exchange("amq.fanout", "amq.direct", "k", table),
    ]
    for call in calls:
        with pytest.raises(error, match=words):
            call()
    vhost = broker.vhosts["/"]
    assert list(vhost.queues) == ["q"]
    assert "x" not in vhost.exchanges
    assert not vhost.exchanges["amq.direct"].is_bound


def test_the_last_queue_declared_is_one_whose_declaration_went_well(channel: Channel) -> None:
    channel.declare_queue("q")
    for refused in ("amq.foo", "missing"):
        with pytest.raises((AccessRefused, NotFound)):
            channel.declare_queue(refused, passive=refused == "missing")
    channel.publish("", "q", b"")
    assert channel.purge_queue("") == 1


# -- who may do what (the table of permissions itself is tested with `access`)


@pytest.mark.semantics(118)
def test_declaring_and_deleting_need_configure(broker: Broker, channel: Channel) -> None:
    channel.declare_queue("other")
    user = ann(broker, configure="^mine", write=".*", read=".*")
    user.declare_queue("mine")
    user.declare_exchange("mine")
    user.delete_queue("mine")
    user.delete_exchange("mine")
    for kind, call in {
        "queue": lambda: user.declare_queue("other"),
        "exchange": lambda: user.declare_exchange("other"),
    }.items():
        assert refusal(call) == (
            f"configure access to {kind} 'other' in vhost '/' refused for user 'ann'"
        )
    assert "queue 'other'" in refusal(lambda: user.delete_queue("other"))
    assert "exchange 'other'" in refusal(lambda: user.delete_exchange("other"))
    assert refusal(user.declare_queue).startswith("configure access to queue 'amq.gen-")


@pytest.mark.semantics(118)
def test_binding_needs_write_on_the_destination_and_read_on_the_source(
    broker: Broker, channel: Channel
) -> None:
    channel.declare_queue("q")
    channel.declare_exchange("x")
    user = ann(broker, write="^q$", read="^x$")
    user.bind_queue("q", "x", "k")
    user.unbind_queue("q", "x", "k")
    for bind in (user.bind_queue, user.unbind_queue):
        assert refusal(lambda: bind("q", "amq.direct", "k")) == (  # noqa: B023 -- called at once
            "read access to exchange 'amq.direct' in vhost '/' refused for user 'ann'"
        )
        assert refusal(lambda: bind("p", "x", "k")) == (  # noqa: B023 -- called at once
            "write access to queue 'p' in vhost '/' refused for user 'ann'"
        )


@pytest.mark.semantics(118)
def test_dead_letter_and_alternate_exchanges_need_read_and_write_when_declared(
    broker: Broker,
) -> None:
    user = ann(broker, configure=".*", write="^dlx$", read="^q")
    dead: dict[str, FieldValue] = {"x-dead-letter-exchange": "dlx"}
    alternate: dict[str, FieldValue] = {"alternate-exchange": "dlx"}
    user.declare_queue("q", arguments=dead)
    user.declare_exchange("qx", arguments=alternate)
    assert "read access to queue 'p'" in refusal(lambda: user.declare_queue("p", arguments=dead))
    assert "read access to exchange 'p'" in (
        refusal(lambda: user.declare_exchange("p", arguments=alternate))
    )
    other: dict[str, FieldValue] = {"x-dead-letter-exchange": ""}
    assert "write access to exchange 'amq.default'" in (
        refusal(lambda: user.declare_queue("q2", arguments=other))
    )
    assert "write access to exchange 'no'" in (
        refusal(lambda: user.declare_exchange("q3", arguments={"alternate-exchange": "no"}))
    )
    user.declare_queue("q", arguments=dead)
    assert set(broker.vhosts["/"].queues) == {"q"}


@pytest.mark.semantics(119)
def test_topic_permissions_are_checked_when_binding_to_topic_exchanges_and_unbinding(
    broker: Broker, channel: Channel
) -> None:
    channel.declare_queue("q")
    channel.declare_exchange("x")
    topics = [TopicPermissions("amq.topic", write="", read=r"^{username}\.")]
    user = ann(broker, write=".*", read=".*", topics=topics)
    user.bind_queue("q", "amq.topic", "ann.#")
    user.bind_exchange("x", "amq.topic", "ann.#")
    user.bind_queue("q", "amq.direct", "bob.1")
    user.unbind_queue("q", "amq.topic", "ann.#")
    text = (
        "read access to topic 'bob.#' in exchange 'amq.topic' in vhost '/' refused for user 'ann'"
    )
    calls: list[Callable[[], object]] = [
        lambda: user.bind_queue("q", "amq.topic", "bob.#"),
        lambda: user.unbind_queue("q", "amq.topic", "bob.#"),
        lambda: user.bind_exchange("x", "amq.topic", "bob.#"),
        lambda: user.unbind_exchange("x", "amq.topic", "bob.#"),
    ]
    for call in calls:
        assert refusal(call) == text


@pytest.mark.semantics(120)
@pytest.mark.parametrize("profile", PROFILES)
def test_a_passive_declare_needs_a_permission_from_4_3(
    make_broker: Callable[..., Broker], profile: str
) -> None:
    broker = make_broker(profile=profile)
    broker.connect().channel().declare_queue("q", durable=True)
    allowed = "^q$|^amq.direct$"
    for permissions in ((allowed, "", ""), ("", allowed, ""), ("", "", allowed)):
        user = ann(broker, *permissions)
        user.declare_queue("q", passive=True)
        user.declare_exchange("amq.direct", passive=True)
    user = ann(broker)
    calls: list[Callable[[], object]] = [
        lambda: user.declare_queue("q", passive=True),
        lambda: user.declare_exchange("amq.direct", passive=True),
    ]
    for call in calls:
        if profile == "rabbitmq-4.3":
            assert "access to" in refusal(call)
        else:
            call()


# -- direct reply-to addresses


@pytest.mark.semantics(117)
def test_declaring_a_direct_reply_to_address_only_asks_whether_it_is_alive(
    channel: Channel,
) -> None:
    pseudo = "amq.rabbitmq.reply-to"
    tag = channel.consume(pseudo, no_ack=True)
    (address,) = channel.vhost.replies
    for passive in (False, True):
        assert channel.declare_queue(address, passive=passive) == (address, 0, 1)
        assert channel.declare_queue(pseudo, passive=passive) == (pseudo, 0, 1)
    channel.cancel(tag)
    for passive in (False, True):
        with pytest.raises(NotFound, match=f"no queue '{address}' in vhost '/'"):
            channel.declare_queue(address, passive=passive)
        assert channel.declare_queue(pseudo, passive=passive) == (pseudo, 0, 1)
