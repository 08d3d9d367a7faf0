"""What a client knows of a channel."""

from __future__ import annotations

from typing import Any

import pytest

from minibroker.differential.channel import ChannelView
from minibroker.wire.amqp import spec


def deliver(view: ChannelView, consumer: str, *tags: int) -> None:
    for tag in tags:
        view.delivered(spec.BasicDeliver(consumer, tag), {"tag was": tag})


@pytest.fixture
def view() -> ChannelView:
    view = ChannelView()
    view.open = True
    view.consumers = {"a": ("~a", False), "b": ("~b", False), "n": ("~n", True)}
    return view


def test_deliveries_are_counted_queue_by_queue(view: ChannelView) -> None:
    deliver(view, "b", 1)
    deliver(view, "a", 2)
    deliver(view, "b", 3)
    assert view.take_deliveries() == {
        "~a": [{"tag was": 2, "delivery_tag": 1}],
        "~b": [{"tag was": 1, "delivery_tag": 2}, {"tag was": 3, "delivery_tag": 3}],
    }
    assert view.take_deliveries() == {}
    assert [view.resolve(tag, False) for tag in (1, 2, 3, 99)] == [2, 1, 3, 99]
    assert view.resolve(["oldest", 0], False) == 2
    assert view.resolve(["newest", 0], False) == 3
    assert view.resolve(["oldest", 0], True) == 3, "up to where the order is any"


def test_there_may_be_nothing_to_settle(view: ChannelView) -> None:
    deliver(view, "n", 1)
    deliver(view, "unknown", 2)
    assert list(view.take_deliveries()) == ["?", "~n"]
    assert view.unsettled == [1]
    assert view.resolve(["newest", 1], False) is None


@pytest.mark.parametrize(
    ("tag", "multiple", "left"),
    [(2, False, [1, 3]), (2, True, [3]), (0, True, []), (0, False, [1, 2, 3])],
)
def test_what_is_settled_is_so_no_more(
    view: ChannelView, tag: int, multiple: bool, left: list[int]
) -> None:
    deliver(view, "a", 1, 2, 3)
    view.take_deliveries()
    view.settle(tag, multiple)
    assert view.unsettled == left


def test_a_rollback_brings_back_what_was_settled(view: ChannelView) -> None:
    view.note_mode("tx.select")
    deliver(view, "a", 1, 2)
    view.take_deliveries()
    view.settle(1, False)
    view.note_mode("tx.rollback")
    assert view.unsettled == [1, 2]
    view.settle(1, False)
    view.note_mode("tx.commit")
    view.note_mode("tx.rollback")
    assert view.unsettled == [2]


def test_confirms_are_waited_for(view: ChannelView) -> None:
    view.count_publish()
    assert not view.busy
    view.note_mode("confirm.select")
    view.note_mode("tx.select")
    for _ in range(4):
        view.count_publish()
    assert view.busy
    view.confirmed(spec.BasicNack(2))
    view.confirmed(spec.BasicAck(4, multiple=True))
    assert (view.acked, view.nacked) == ([1, 3, 4], [2])
    assert not view.busy
    assert not view.transactional


def test_a_get_belongs_to_its_queue(view: ChannelView) -> None:
    got: Any = {"body": "x"}
    view.getting = [("~q", True)]
    view.got(spec.BasicGetOk(1), got)
    view.got(spec.BasicGetOk(2), got)
    assert list(view.take_deliveries()) == ["?", "~q"]


def test_what_came_outlives_the_channel(view: ChannelView) -> None:
    deliver(view, "a", 1)
    view.reset()
    assert list(view.take_deliveries()) == ["~a"]
    assert view.unsettled == []
