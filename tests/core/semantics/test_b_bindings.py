"""What is there and what is not: passive declares, bindings (35, 37, 40, 41)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker import Broker, Properties
from minibroker.errors import AccessRefused, NotFound

if TYPE_CHECKING:
    from minibroker.channel import Channel

DEFAULT_REFUSED = "operation not permitted on the default exchange"


def exists(channel: Channel, queue: str) -> bool:
    try:
        channel.declare_queue(queue, passive=True)
    except NotFound:
        return False
    return True


def ready(channel: Channel, queue: str) -> int:
    return channel.declare_queue(queue, passive=True).message_count


# -- 35, 37, 40: what is there and what is not


@pytest.mark.semantics(35)
def test_a_passive_declare_of_what_is_missing_is_an_error(channel: Channel) -> None:
    with pytest.raises(NotFound, match="no queue 'q' in vhost '/'"):
        channel.declare_queue("q", passive=True)
    with pytest.raises(NotFound, match="no exchange 'x' in vhost '/'"):
        channel.declare_exchange("x", passive=True)
    assert not exists(channel, "q")


@pytest.mark.semantics(35)
def test_a_passive_declare_looks_at_nothing_but_the_name(channel: Channel) -> None:
    channel.declare_queue("q", durable=True, arguments={"x-max-length": 5})
    answer = channel.declare_queue(
        "q",
        passive=True,
        exclusive=True,
        auto_delete=True,
        arguments={"x-max-length": "nonsense", "x-queue-type": "quorum"},
    )
    assert answer == ("q", 0, 0)
    channel.declare_exchange("x", "fanout", durable=True)
    channel.declare_exchange(
        "x", "nonsense", passive=True, internal=True, arguments={"alternate-exchange": 5}
    )


@pytest.mark.semantics(35)
def test_a_declare_answers_with_ready_entries_and_consumers(channel: Channel) -> None:
    channel.declare_queue("q")
    for _ in range(3):
        channel.publish("", "q", b"")
    channel.get("q")
    assert channel.declare_queue("q") == ("q", 2, 0)
    channel.qos(1)
    channel.consume("q")
    assert channel.declare_queue("q") == ("q", 1, 1)
    assert channel.declare_queue("q", passive=True) == ("q", 1, 1)


@pytest.mark.semantics(37)
def test_deleting_and_unbinding_what_is_not_there_is_no_error(channel: Channel) -> None:
    assert channel.delete_queue("q") == 0
    assert channel.delete_queue("q", if_unused=True, if_empty=True) == 0
    channel.delete_exchange("x")
    channel.delete_exchange("x", if_unused=True)
    channel.unbind_queue("q", "x", "k")
    channel.unbind_exchange("x", "y", "k")
    channel.declare_queue("q")
    channel.declare_exchange("x")
    channel.unbind_queue("q", "x", "k")
    channel.unbind_queue("q", "y", "k")
    channel.unbind_queue("p", "x", "k")
    channel.unbind_exchange("x", "x", "k")
    channel.unbind_exchange("x", "y", "k")
    channel.bind_queue("q", "x", "k", {"n": 1})
    channel.unbind_queue("q", "x", "other", {"n": 1})
    channel.unbind_queue("q", "x", "k")
    channel.unbind_queue("q", "x", "k", {"n": "1"})
    channel.publish("x", "k", b"")
    assert ready(channel, "q") == 1


@pytest.mark.semantics(40)
def test_a_bind_needs_both_ends_and_the_source_is_missed_first(channel: Channel) -> None:
    channel.declare_queue("q")
    with pytest.raises(NotFound, match="no exchange 'x' in vhost '/'"):
        channel.bind_queue("q", "x")
    with pytest.raises(NotFound, match="no exchange 'x' in vhost '/'"):
        channel.bind_queue("p", "x")
    with pytest.raises(NotFound, match="no queue 'p' in vhost '/'"):
        channel.bind_queue("p", "amq.direct")
    with pytest.raises(NotFound, match="no exchange 'y' in vhost '/'"):
        channel.bind_exchange("x", "y")
    with pytest.raises(NotFound, match="no exchange 'x' in vhost '/'"):
        channel.bind_exchange("x", "amq.direct")


@pytest.mark.semantics(40)
def test_the_same_binding_again_changes_nothing(broker: Broker, channel: Channel) -> None:
    channel.declare_queue("q")
    for _ in range(2):
        channel.bind_queue("q", "amq.direct", "k", {"n": 1})
    assert len(broker.vhosts["/"].exchanges["amq.direct"].bindings) == 1
    channel.unbind_queue("q", "amq.direct", "k", {"n": 1})
    channel.publish("amq.direct", "k", b"")
    assert ready(channel, "q") == 0


@pytest.mark.semantics(40, 50)
def test_other_arguments_make_another_binding_but_not_another_copy(
    broker: Broker, channel: Channel
) -> None:
    channel.declare_queue("q")
    channel.bind_queue("q", "amq.direct", "k", {"n": 1})
    channel.bind_queue("q", "amq.direct", "k", {"n": 2})
    assert len(broker.vhosts["/"].exchanges["amq.direct"].bindings) == 2
    channel.publish("amq.direct", "k", b"")
    assert ready(channel, "q") == 1
    channel.unbind_queue("q", "amq.direct", "k", {"n": 1})
    channel.publish("amq.direct", "k", b"")
    assert ready(channel, "q") == 2


# -- 41: the default exchange


@pytest.mark.semantics(41)
def test_every_queue_is_bound_to_the_default_exchange_by_its_name(
    broker: Broker, channel: Channel
) -> None:
    channel.declare_queue("a")
    channel.declare_queue("b")
    default = broker.vhosts["/"].default

    def listed() -> list[tuple[str, str, str]]:
        return [(b.source.name, b.destination.name, b.routing_key) for b in default.bindings]

    assert listed() == [("", "a", "a"), ("", "b", "b")]
    with pytest.raises(AccessRefused, match=DEFAULT_REFUSED):
        channel.unbind_queue("a", "", "a")
    channel.publish("", "a", b"", Properties(headers={"n": 1}))
    channel.publish("", "a", b"")
    assert ready(channel, "a") == 2
    channel.delete_queue("a")
    assert listed() == [("", "b", "b")]
