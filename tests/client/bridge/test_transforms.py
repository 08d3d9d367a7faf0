"""What becomes of a message on its way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from minibroker.message import Message
from minibroker.properties import FIELDS, Properties
from minibroker_client.bridge.link import BridgeLink
from minibroker_client.bridge.transforms import (
    FILTERED,
    HOPS,
    LOOPED,
    Outgoing,
    Transforms,
    topic,
)
from minibroker_client.exceptions import FrameInvalid

USUAL: dict[str, Any] = {
    "source": "memory://a", "queue": "q", "target": "memory://b", "exchange": "e", "name": "up",
}  # fmt: skip


@dataclass
class Delivered:
    message: Message
    tag: int = 1
    redelivered: bool = False
    consumer: None = None


@dataclass
class Numbered(Delivered):
    seq: int = 0


def outgoing(key: str = "k", body: bytes = b"b", seq: int | None = None, **values: Any) -> Outgoing:
    """What becomes of a message; what is called as a setting of a link is one."""
    properties = {name: values.pop(name) for name in FIELDS if name in values}
    message = Message("x", key, Properties(**properties), body)
    delivery = Delivered(message) if seq is None else Numbered(message, seq=seq)
    return Transforms(BridgeLink(**USUAL, **values)).outgoing(delivery)


def test_a_message_keeps_what_it_has() -> None:
    made = outgoing(content_type="a/b", priority=3, message_id="m", expiration="9", app_id="a")
    assert (made.routing_key, made.body) == ("k", b"b")
    assert made.values == {
        "content_type": "a/b", "priority": 3, "message_id": "m", "expiration": "9", "app_id": "a",
        "headers": {HOPS: ["up"]},
    }  # fmt: skip


def test_the_user_is_not_passed_on() -> None:
    assert "user_id" not in outgoing(user_id="guest").values


def test_the_links_that_it_passed_are_told_in_order() -> None:
    assert outgoing(headers={HOPS: ["first"]}).values["headers"] == {HOPS: ["first", "up"]}
    assert outgoing(headers={HOPS: "nonsense"}).values["headers"] == {HOPS: ["up"]}


@pytest.mark.parametrize("hops", [["up"], ["x", "down"], ("down",)])
def test_what_passed_this_link_or_its_opposite_does_not_go(hops: Any) -> None:
    assert outgoing(headers={HOPS: hops}, opposite=["down"]).over == LOOPED


def test_only_messages_with_the_headers_asked_for_go() -> None:
    match = {"kind": "alarm", "level": 3}
    assert outgoing(match_headers=match).over == FILTERED
    assert outgoing(headers={"kind": "alarm"}, match_headers=match).over == FILTERED
    assert outgoing(headers={**match, "level": 4}, match_headers=match).over == FILTERED
    assert outgoing(headers={**match, "more": 1}, match_headers=match).over is None


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({}, ["a", "b", "x-1"]),
        ({"deny_headers": ["b"]}, ["a", "x-1"]),
        ({"deny_headers": ["x-*", "a"]}, ["b"]),
        ({"allow_headers": ["a", "x-*"]}, ["a", "x-1"]),
        ({"allow_headers": ["a", "x-*"], "deny_headers": ["a"]}, ["x-1"]),
        ({"allow_headers": []}, []),
    ],
)
def test_headers_go_along_as_they_are_allowed(settings: dict[str, Any], left: list[str]) -> None:
    made = outgoing(headers={"a": 1, "b": 2, "x-1": 3}, **settings)
    assert set(made.values["headers"]) == {*left, HOPS}


def test_a_routing_key_for_all_wins() -> None:
    assert outgoing("a", routing_key="all", routing_keys={"a": "b"}).routing_key == "all"


@pytest.mark.parametrize(
    ("key", "new"),
    [("a.b", "exact"), ("a.c", "word"), ("z", "z"), ("a", "a"), ("log.x.y", "log"), ("log", "log")],
)
def test_a_routing_key_is_mapped_exactly_or_by_the_first_pattern(key: str, new: str) -> None:
    keys = {"a.*": "word", "a.b": "exact", "log.#": "log"}
    assert outgoing(key, routing_keys=keys).routing_key == new


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("a", ["a"], ["", "b", "a.b", "aa"]),
        ("*", ["a", ""], ["a.b"]),
        ("#", ["", "a", "a.b.c"], []),
        ("a.#", ["a", "a.b", "a.b.c"], ["ab", "b.a"]),
        ("#.a", ["a", "b.a", "c.b.a"], ["ba", "a.b"]),
        ("a.#.b", ["a.b", "a.x.b", "a.x.y.b"], ["a", "ab"]),
        ("#.*", ["a", "a.b"], []),
        ("*.#", ["a", "a.b"], []),
        ("a+b.*", ["a+b.c"], ["aab.c"]),
    ],
)
def test_a_pattern_is_one_of_a_topic_exchange(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [key for key in yes if not topic(pattern).fullmatch(key)] == []
    assert [key for key in no if topic(pattern).fullmatch(key)] == []


def test_a_message_without_an_id_gets_one_that_is_the_same_the_next_time() -> None:
    one, again = outgoing(seq=7), outgoing(seq=7)
    assert one.values["message_id"].startswith("mbb-")
    assert one.values["message_id"] == again.values["message_id"]


def test_equal_messages_of_a_queue_that_numbers_them_get_different_ids() -> None:
    assert outgoing(seq=7).values["message_id"] != outgoing(seq=8).values["message_id"]


def test_without_a_number_it_is_the_contents_that_count() -> None:
    ids = {
        outgoing().values["message_id"],
        outgoing(body=b"c").values["message_id"],
        outgoing("other").values["message_id"],
        outgoing(headers={"a": 1}).values["message_id"],
        outgoing(correlation_id="c").values["message_id"],
    }
    assert len(ids) == 5
    assert outgoing().values["message_id"] in ids


def test_what_the_source_gives_again_counts_as_published_before() -> None:
    delivery = Delivered(Message("x", "k", Properties(), b""), redelivered=True)
    assert Transforms(BridgeLink(**USUAL)).outgoing(delivery).published


class Unreadable(Message):
    @property
    def properties(self) -> Properties:
        raise FrameInvalid("no such type")

    @properties.setter
    def properties(self, _: Properties) -> None:
        pass


def test_a_message_that_cannot_be_read_is_unfit() -> None:
    delivery = Delivered(Unreadable("x", "k", Properties(), b"b"), tag=5)
    made = Transforms(BridgeLink(**USUAL)).outgoing(delivery)
    assert (made.tag, made.over) == (5, None)
    assert "cannot be read: (501) no such type" in str(made.unfit)
