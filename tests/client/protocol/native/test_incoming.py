from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker import Broker
from minibroker.wire.native import (
    CREDIT,
    DELIVER,
    GOT,
    HEARTBEAT_FRAME,
    PART,
    RETURN,
    Reader,
    frame,
)
from minibroker_client.exceptions import AMQPError, UnexpectedFrame

from ..pair import Pair

if TYPE_CHECKING:
    from minibroker_client.protocol.channel import ProtocolChannel

ROUTE = ["e", "k", b"", False]


@pytest.fixture
def pair(broker: Broker) -> Pair:
    return Pair(broker, "native").open()


@pytest.fixture
def channel(pair: Pair) -> ProtocolChannel:
    channel = pair.channel()
    channel.declare_queue("q")
    channel.consume("q", pair.deliveries.append, tag="t")
    return channel


def test_a_batch_counts_its_tags_up(pair: Pair, channel: ProtocolChannel) -> None:
    again = ["e", "k", b"", True]
    pair.client.receive(frame([DELIVER, 1, "t", 5, [ROUTE, b"1", b"2", again, b"3"]]))
    seen = [(each.tag, each.redelivered, each.body) for each in pair.client.inbox]  # type: ignore[union-attr]  # deliveries
    assert seen == [(5, False, b"1"), (6, False, b"2"), (7, True, b"3")]
    assert channel.last_tag == 7


def test_a_delivery_for_nobody_gives_its_credit_back(broker: Broker) -> None:
    pair = Pair(broker, "native", options={"credit": 100}).open()
    channel = pair.channel()
    pair.client.take()
    pair.client.receive(frame([DELIVER, 1, "nobody", 1, [ROUTE, bytes(60)]]))
    [payload] = Reader(100).feed(pair.client.take())
    assert payload == [CREDIT, 0, 60]
    pair.client.receive(frame([DELIVER, 9, "t", 1, [ROUTE, b"x"]]))
    assert not pair.client.inbox
    assert channel.last_tag == 1


def test_parts_are_put_together(pair: Pair, channel: ProtocolChannel) -> None:
    pair.client.receive(frame([DELIVER, 1, "t", 1, [ROUTE, b"small", 6]]))
    pair.client.receive(frame([PART, 1, b"abc"]) + HEARTBEAT_FRAME + frame([PART, 1, b"def"]))
    assert [each.body for each in pair.client.inbox] == [b"small", b"abcdef"]  # type: ignore[union-attr]  # deliveries
    pair.client.receive(frame([DELIVER, 1, "nobody", 3, [ROUTE, 3]]) + frame([PART, 1, b"abc"]))
    assert len(pair.client.inbox) == 2


def test_a_returned_message_may_come_in_parts(pair: Pair, channel: ProtocolChannel) -> None:
    pair.client.receive(frame([RETURN, 1, 312, "NO_ROUTE", ROUTE, 4]) + frame([PART, 1, b"back"]))
    pair.drain()
    assert pair.returned[0].message.body == b"back"


def test_what_comes_for_a_channel_that_is_closed_is_ignored(pair: Pair) -> None:
    for payload in ([GOT, 9, 1, 0, ROUTE, b"x"], [PART, 9, b"x"], [RETURN, 9, 312, "", ROUTE, 5]):
        pair.client.receive(frame(payload))
    assert not pair.client.closed


def test_a_part_that_was_not_announced_ends_the_connection(
    pair: Pair, channel: ProtocolChannel
) -> None:
    pair.client.receive(frame([PART, 1, b"x"]))
    with pytest.raises(UnexpectedFrame, match="not announced"):
        pair.client.ensure_open()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 70_000) | st.text(max_size=4)
    | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2), st.lists(VALUES, max_size=6))))
def test_any_frame_is_understood_or_ends_the_connection(payloads: list[Any]) -> None:
    with Broker() as broker:
        pair = Pair(broker, "native").open()
        channel = pair.channel()
        channel.consume(channel.declare_queue("q").queue, pair.deliveries.append, tag="t")
        for kind, number, rest in payloads:
            pair.client.receive(frame([kind, number, *rest]))
        if pair.client.closed:
            with pytest.raises(AMQPError):
                pair.client.ensure_open()
