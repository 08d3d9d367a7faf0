"""Who may have another delivery, and whose turn it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import (
    NotImplementedByBroker,
)

from .told import publish, turns

if TYPE_CHECKING:
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection


@pytest.mark.parametrize("count", [-1, 65_536])
def test_a_prefetch_count_is_16_bits(channel: Channel, count: int) -> None:
    with pytest.raises(ValueError, match=f"must be 0 to 65535, not {count}"):
        channel.qos(count)
    with pytest.raises(NotImplementedByBroker):
        channel.qos(1, prefetch_size=1)
    channel.qos(65_535)
    assert channel.prefetch == 65_535


def test_an_ack_gives_credit_back_that_may_not_be_needed(
    connection: LocalConnection, q: Channel
) -> None:
    q.qos(2)
    q.consume("q", tag="A")
    publish(q, 1)
    assert turns(connection) == "A"
    q.ack(1)
    assert q.consumers["A"].credit == 2
    publish(q, 3)
    assert turns(connection) == "AA"


def test_an_ack_gives_credit_back(connection: LocalConnection, q: Channel) -> None:
    q.qos(1)
    q.consume("q", tag="A")
    publish(q, 3)
    assert turns(connection) == "A"
    q.ack(1)
    assert turns(connection) == "A"
    q.reject(2, requeue=False)
    assert turns(connection) == "A"


def test_at_a_shared_limit_classic_queues_wait(connection: LocalConnection, q: Channel) -> None:
    q.qos(2, global_=True)
    q.declare_queue("r")
    q.consume("q", tag="A")
    q.consume("r", tag="N", no_ack=True)
    publish(q, 1)
    publish(q, 2, "r")
    assert turns(connection) == "ANN"
    publish(q, 2)
    publish(q, 1, "r")
    assert turns(connection) == "A"
    q.ack(1)
    assert turns(connection) == "NA"
    q.qos(1, global_=True)
    q.ack(4)
    publish(q, 1)
    assert turns(connection) == ""
    q.ack(6)
    assert turns(connection) == "A"
    q.qos(0)
    publish(q, 2)
    assert turns(connection) == "AA"


def test_what_get_took_before_a_shared_limit_counts_until_the_limit_ends(
    connection: LocalConnection, q: Channel
) -> None:
    publish(q, 2)
    q.get("q")
    q.qos(1, global_=True)
    q.consume("q", tag="A")
    q.ack(1)
    assert turns(connection) == ""
    q.qos(0)
    assert turns(connection) == "A"


def test_a_quorum_queue_asks_for_no_shared_limit(connection: LocalConnection, q: Channel) -> None:
    q.declare_queue("r", durable=True, arguments={"x-queue-type": "quorum"})
    q.consume("q", tag="A")
    q.consume("r", tag="Q")
    q.qos(2, global_=True)
    publish(q, 2)
    publish(q, 2, "r")
    publish(q, 2)
    assert turns(connection) == "AAQQ"
    q.ack(4)  # it has not been counted, and makes room nevertheless
    assert turns(connection) == "A"


def test_who_has_credit_again_before_its_turn_has_kept_its_place(
    connection: LocalConnection, q: Channel
) -> None:
    q.qos(1)
    q.consume("q", tag="A")
    q.qos(0)
    q.consume("q", tag="B")
    q.consume("q", tag="C")
    publish(q, 2)
    q.ack(1)
    publish(q, 4)
    assert turns(connection) == "ABCABC"
    publish(q, 1)
    q.ack(4)
    publish(q, 3)
    assert turns(connection) == "BCBA"


def test_who_was_asked_in_vain_goes_behind_the_others(
    connection: LocalConnection, q: Channel
) -> None:
    q.qos(1)
    q.consume("q", tag="A")
    q.consume("q", tag="B")
    publish(q, 3)
    other = connection.channel()
    assert other.get("q", no_ack=True) is not None
    q.ack(2)
    q.ack(1)
    publish(q, 2)
    assert turns(connection) == "ABBA"


def test_what_comes_back_comes_by_the_names_of_its_consumers(
    connection: LocalConnection, q: Channel
) -> None:
    q.qos(2)
    q.consume("q", tag="B")
    q.consume("q", tag="A")
    publish(q, 4)
    assert turns(connection) == "BABA"
    q.nack(4, multiple=True)
    assert turns(connection) == "AABB"


def test_all_whose_credit_came_back_are_there_before_their_queue_deals(
    connection: LocalConnection, q: Channel
) -> None:
    q.qos(1)
    q.declare_queue("r")
    for queue, tag, priority in (("q", "L", 0), ("q", "H", 1), ("r", "R", 0)):
        q.consume(queue, tag=tag, arguments={"x-priority": priority})
    publish(q, 3)
    publish(q, 2, "r")
    assert turns(connection) == "HLR"
    q.ack(3, multiple=True)
    assert turns(connection) == "HR"


def test_a_shared_credit_may_end_within_one_round(connection: LocalConnection, q: Channel) -> None:
    q.declare_queue("r")
    q.qos(1, global_=True)
    q.consume("q", tag="A")
    q.consume("r", tag="B")
    for queue in ("q", "q", "r"):
        q.publish("", queue, b"")
    assert turns(connection) == "A"
    q.ack(1)
    assert turns(connection) == "B"
    q.ack(2)
    assert turns(connection) == "A"
