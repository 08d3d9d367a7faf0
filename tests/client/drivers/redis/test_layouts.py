from __future__ import annotations

import json
from typing import Any

import msgpack
import pytest

from minibroker.message import Message
from minibroker.properties import Properties
from minibroker_client.drivers.redis.layouts import SortedLayout, StreamLayout, layout_of
from minibroker_client.remote.driver import Outgoing, QueueInfo

MESSAGE = Message("e", "k", Properties(priority=9, type="t"), b"\xff")
PLAIN = {"body": b"\xff", "exchange": "e", "routing_key": "k", "type": "t", "priority": "9"}


def layout(**arguments: Any) -> Any:
    return layout_of(QueueInfo("q", arguments), "p")


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({}, StreamLayout),
        ({"x-redis-layout": "stream"}, StreamLayout),
        ({"x-redis-layout": "sorted"}, SortedLayout),
        ({"x-max-priority": 5}, SortedLayout),
        ({"x-max-priority": 0}, SortedLayout),
    ],
)
def test_priorities_or_the_argument_ask_for_sorted_sets(
    arguments: dict[str, Any], kind: type
) -> None:
    assert type(layout(**arguments)) is kind


def test_another_layout_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="queue 'q': x-redis-layout is 'stream' or 'sorted'"):
        layout(**{"x-redis-layout": "list"})


@pytest.mark.parametrize("arguments", [{}, {"x-redis-layout": "sorted"}])
def test_all_keys_of_a_queue_are_in_one_slot_of_a_cluster(arguments: dict[str, Any]) -> None:
    found = layout(**arguments)
    assert len({*found.keys, *found.counters}) == len(found.keys) + len(found.counters)
    assert all(each.startswith("p:{q}") for each in (*found.keys, *found.counters))


def test_an_entry_of_a_stream_has_a_field_for_each_property() -> None:
    step, command = layout().put(Outgoing("q", MESSAGE, 1234))
    assert step is None
    assert command[:3] == ["XADD", "p:{q}", "*"]
    fields = dict(zip(command[3::2], command[4::2], strict=True))
    assert fields == {**PLAIN, "expires": "1234"}


def test_what_is_put_for_later_is_held_with_its_delay() -> None:
    step, (delay, packed) = layout().put(Outgoing("q", MESSAGE, None, 500))
    assert (step, delay) == ("hold", 500)
    pairs = msgpack.unpackb(packed, raw=True)
    assert dict(zip(pairs[::2], pairs[1::2], strict=True))[b"body"] == b"\xff"


@pytest.mark.parametrize(("highest", "priority"), [(5, 5), (255, 9), (0, 0)])
def test_a_priority_is_cut_to_the_highest_of_the_queue(highest: int, priority: int) -> None:
    step, arguments = layout(**{"x-max-priority": highest}).put(Outgoing("q", MESSAGE))
    assert (step, arguments[:2]) == ("put", [0, priority])


def test_what_was_put_is_leased_as_it_was() -> None:
    stream, in_sets = layout(), layout(**{"x-redis-layout": "sorted"})
    _, command = stream.put(Outgoing("q", MESSAGE, 1234))
    fields = [each.encode() if isinstance(each, str) else each for each in command[3:]]
    _, arguments = in_sets.put(Outgoing("q", MESSAGE, 1234))
    for leased in (
        stream.leased((b"1-0", fields, 2), "me"),
        in_sets.leased((b"1", arguments[2], 2, b"me:3"), "me"),
    ):
        assert leased.message.properties == MESSAGE.properties
        assert (leased.message.exchange, leased.message.body) == ("e", b"\xff")
        assert (leased.deliveries, leased.expires) == (2, 1234)


def test_an_entry_of_another_program_is_json_of_its_fields() -> None:
    leased = layout().leased((b"1-0", [b"user", b"7", b"name", b"\xff"], 0), "me")
    assert json.loads(leased.message.body) == {"user": "7", "name": "\\xff"}
    assert leased.message.properties.content_type == "application/json"
    assert leased.message.routing_key == "q"


def test_a_time_of_expiry_that_is_none_is_passed_over() -> None:
    leased = layout().leased((b"1-0", [b"body", b"x", b"expires", b"soon"], 0), "me")
    assert (leased.message.body, leased.expires) == (b"x", None)
