"""How entities end, and what they count (36, 38, 39)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from minibroker import Broker
from minibroker.errors import NotFound, NotImplementedByBroker, PreconditionFailed

if TYPE_CHECKING:
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection


def is_queue(channel: Channel, name: str) -> bool:
    try:
        channel.declare_queue(name, passive=True)
    except NotFound:
        return False
    return True


def is_exchange(channel: Channel, name: str) -> bool:
    try:
        channel.declare_exchange(name, passive=True)
    except NotFound:
        return False
    return True


def fill(channel: Channel, queue: str, count: int) -> None:
    for number in range(count):
        channel.publish("", queue, b"%d" % number)


# -- 36: auto-delete


@pytest.mark.semantics(36)
def test_an_auto_delete_queue_goes_with_its_last_consumer(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q", auto_delete=True)
    fill(channel, "q", 1)
    first, second = channel.consume("q"), connection.channel().consume("q")
    channel.cancel(first)
    assert is_queue(channel, "q")
    channel.cancel(second)  # of another channel: unknown here
    assert is_queue(channel, "q")
    connection.channels[1].cancel(second)
    assert not is_queue(channel, "q")


@pytest.mark.semantics(36)
def test_the_end_of_a_channel_or_connection_ends_its_consumers(
    broker: Broker, channel: Channel
) -> None:
    channel.declare_queue("a", auto_delete=True)
    channel.declare_queue("b", auto_delete=True)
    other = broker.connect()
    closing = other.channel()
    closing.consume("a")
    other.channel().consume("b")
    closing.close()
    assert not is_queue(channel, "a")
    assert is_queue(channel, "b")
    other.close()
    assert not is_queue(channel, "b")


@pytest.mark.semantics(36)
def test_an_auto_delete_queue_that_never_had_a_consumer_stays(
    broker: Broker, channel: Channel
) -> None:
    other = broker.connect()
    other.channel().declare_queue("q", auto_delete=True)
    fill(channel, "q", 1)
    assert channel.get("q", no_ack=True) is not None
    assert channel.get("q") is None
    other.close()
    assert is_queue(channel, "q")


@pytest.mark.semantics(36)
def test_an_auto_delete_exchange_goes_with_its_last_outgoing_binding(channel: Channel) -> None:
    channel.declare_exchange("x", auto_delete=True)
    channel.declare_exchange("upstream", "fanout")
    channel.bind_exchange("x", "upstream")
    channel.unbind_exchange("x", "upstream")
    assert is_exchange(channel, "x")  # it never had an outgoing one
    channel.declare_queue("q")
    channel.bind_queue("q", "x", "1")
    channel.bind_queue("q", "x", "2")
    channel.unbind_queue("q", "x", "1")
    channel.unbind_queue("q", "x", "1")
    assert is_exchange(channel, "x")
    channel.unbind_queue("q", "x", "2")
    assert not is_exchange(channel, "x")


@pytest.mark.semantics(36)
def test_an_auto_delete_exchange_goes_when_all_its_destinations_are_gone(
    channel: Channel,
) -> None:
    channel.declare_exchange("x", auto_delete=True)
    channel.declare_exchange("y")
    channel.declare_queue("q")
    channel.bind_queue("q", "x")
    channel.bind_exchange("y", "x")
    channel.delete_queue("q")
    assert is_exchange(channel, "x")
    channel.delete_exchange("y")
    assert not is_exchange(channel, "x")


@pytest.mark.semantics(36)
def test_an_auto_delete_exchange_takes_along_those_that_only_led_to_it(channel: Channel) -> None:
    for name in ("a", "b", "c"):
        channel.declare_exchange(name, "fanout", auto_delete=True)
    channel.declare_exchange("lasting", "fanout")
    channel.declare_queue("q")
    channel.bind_exchange("b", "a")
    channel.bind_exchange("b", "lasting")
    channel.bind_exchange("c", "b")
    channel.bind_queue("q", "c")
    channel.unbind_queue("q", "c")
    assert [is_exchange(channel, name) for name in ("a", "b", "c", "lasting")] == (
        [False, False, False, True]
    )
    channel.publish("lasting", "", b"")


@pytest.mark.semantics(36)
def test_auto_delete_exchanges_in_a_ring_go_when_one_of_them_is_deleted(channel: Channel) -> None:
    for name in ("a", "b", "c"):
        channel.declare_exchange(name, "fanout", auto_delete=True)
    for destination, source in (("b", "a"), ("c", "b"), ("a", "c")):
        channel.bind_exchange(destination, source)
    channel.delete_exchange("b")
    assert not any(is_exchange(channel, name) for name in ("a", "b", "c"))


@pytest.mark.semantics(36)
def test_an_exchange_that_took_the_place_of_an_auto_delete_one_stays(channel: Channel) -> None:
    channel.declare_queue("q")
    channel.declare_exchange("x", auto_delete=True)
    channel.bind_queue("q", "x", "k")
    channel.delete_exchange("x")
    channel.declare_exchange("x", auto_delete=True)
    channel.delete_queue("q")
    assert is_exchange(channel, "x")


@pytest.mark.semantics(36)
def test_an_exchange_that_took_the_place_of_one_that_went_by_itself_stays(
    channel: Channel,
) -> None:
    channel.declare_queue("q")
    channel.declare_exchange("x", auto_delete=True)
    channel.bind_queue("q", "x", "k")
    channel.unbind_queue("q", "x", "k")
    channel.declare_exchange("x", auto_delete=True)
    channel.delete_queue("q")
    assert is_exchange(channel, "x")


@pytest.mark.semantics(36)
def test_a_chain_of_3000_auto_delete_exchanges_goes_with_the_queue_at_its_end(
    broker: Broker, channel: Channel
) -> None:
    before = set(broker.vhosts["/"].exchanges)
    names = [f"x{number}" for number in range(3000)]
    for name in names:
        channel.declare_exchange(name, "fanout", auto_delete=True)
    for source, destination in pairwise(names):
        channel.bind_exchange(destination, source)
    channel.declare_queue("q")
    channel.bind_queue("q", names[-1])
    channel.publish(names[0], "", b"")
    assert channel.delete_queue("q") == 1
    assert set(broker.vhosts["/"].exchanges) == before


# -- 38: conditions of deleting


@pytest.mark.semantics(38)
def test_a_queue_in_use_is_not_deleted_if_unused(channel: Channel) -> None:
    channel.declare_queue("q")
    channel.bind_queue("q", "amq.direct", "k")
    tag = channel.consume("q")
    with pytest.raises(PreconditionFailed) as caught:
        channel.delete_queue("q", if_unused=True)
    assert str(caught.value) == "queue 'q' in vhost '/' in use"
    channel.cancel(tag)
    fill(channel, "q", 2)
    assert channel.delete_queue("q", if_unused=True) == 2


@pytest.mark.semantics(38)
def test_a_queue_with_ready_entries_is_not_deleted_if_empty(channel: Channel) -> None:
    channel.declare_queue("q")
    fill(channel, "q", 1)
    with pytest.raises(PreconditionFailed) as caught:
        channel.delete_queue("q", if_empty=True)
    assert str(caught.value) == "queue 'q' in vhost '/' not empty"
    channel.get("q")  # unacked entries do not count
    channel.consume("q")
    assert channel.delete_queue("q", if_empty=True) == 0


@pytest.mark.semantics(38)
@pytest.mark.parametrize("flag", ["if_unused", "if_empty"])
def test_a_quorum_queue_is_not_deleted_under_conditions(channel: Channel, flag: str) -> None:
    channel.declare_queue("q", durable=True, arguments={"x-queue-type": "quorum"})
    with pytest.raises(NotImplementedByBroker) as caught:
        channel.delete_queue("q", **{flag: True})
    assert str(caught.value) == (
        "cannot delete queue 'q' in vhost '/'. queue.delete operations with "
        f"{flag.replace('_', '-')} flag set are not supported by quorum queues"
    )
    assert channel.delete_queue("q") == 0


@pytest.mark.semantics(38)
def test_an_exchange_with_outgoing_bindings_is_not_deleted_if_unused(channel: Channel) -> None:
    channel.declare_exchange("x")
    channel.declare_exchange("y")
    channel.bind_exchange("y", "x")
    with pytest.raises(PreconditionFailed) as caught:
        channel.delete_exchange("x", if_unused=True)
    assert str(caught.value) == "exchange 'x' in vhost '/' in use"
    channel.delete_exchange("y", if_unused=True)  # it is only a destination
    channel.delete_exchange("x", if_unused=True)
    assert not is_exchange(channel, "x")


# -- 39: counts


@pytest.mark.semantics(39)
def test_purging_counts_what_was_ready_and_leaves_what_is_unacked(channel: Channel) -> None:
    channel.declare_queue("q")
    fill(channel, "q", 5)
    answers = [channel.get("q"), channel.get("q")]
    assert channel.purge_queue("q") == 3
    assert channel.purge_queue("q") == 0
    assert all(answers)
    channel.recover()
    assert channel.declare_queue("q").message_count == 2


@pytest.mark.semantics(39)
def test_deleting_counts_what_was_ready(channel: Channel) -> None:
    channel.declare_queue("q")
    fill(channel, "q", 5)
    answer = channel.get("q")
    assert answer is not None
    assert channel.delete_queue("q") == 4
    channel.ack(answer.entry.tag)


@pytest.mark.semantics(39)
@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_neither_purging_nor_deleting_dead_letters(channel: Channel, kind: str) -> None:
    channel.declare_queue("dead")
    arguments = {
        "x-queue-type": kind,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "dead",
    }
    channel.declare_queue("q", durable=True, arguments=arguments)
    fill(channel, "q", 2)
    assert channel.purge_queue("q") == 2
    fill(channel, "q", 2)
    channel.get("q")
    assert channel.delete_queue("q") == 1
    channel.close()
    other = channel.connection.channel()
    assert other.declare_queue("dead", passive=True).message_count == 0
