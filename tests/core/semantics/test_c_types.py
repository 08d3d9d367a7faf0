"""What each type of exchange matches (45, 48, 49, 54)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from minibroker import PROFILES, Broker, Properties
from minibroker.errors import PreconditionFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.channel import Channel
    from minibroker.fields import FieldValue, Table

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def is_reached(channel: Channel, exchange: str, key: str, **properties: object) -> bool:
    """Whether a message gets into the queue `q`, which is empty then."""
    channel.publish(exchange, key, b"", Properties().replace(**properties))
    return channel.purge_queue("q") == 1


def counts(channel: Channel, queues: list[str]) -> list[int]:
    """How many messages lay in each queue; they are empty then."""
    return [channel.purge_queue(queue) for queue in queues]


# -- 48 and 45: topic


TOPICS: list[tuple[str, list[str], list[str]]] = [
    ("a.#", ["a", "a.b", "a.b.c", "a."], ["ab", "b.a", "", ".a"]),
    ("#.a", ["a", "b.a", "c.b.a", ".a"], ["ab", "a.b", ""]),
    ("*.b", ["a.b", ".b"], ["b", "a.a.b", "b.", ""]),
    ("*", ["a"], ["", "a.b", "."]),
    ("#", ["", "a", "a.b", "."], []),
    ("", [""], ["a", "."]),
    ("a..b", ["a..b"], ["a.b", "a...b"]),
    ("a.*.b", ["a.x.b", "a..b"], ["a.b", "a.x.y.b"]),
    ("a.#.b", ["a.b", "a.x.b", "a..b", "a.x.y.b"], ["a", "b", "ab"]),
    ("*.*", [".", "a.b", "a."], ["", "a", ".."]),
    ("#.#", ["", "a", "a.b"], []),
    ("*.#", ["a", "a.b", "."], [""]),
    ("#.*.#", ["a", "a.b", "a.b.c"], [""]),
    ("a*", ["a*"], ["ab", "a"]),
    ("a#", ["a#"], ["a", "a.b"]),
    ("A", ["A"], ["a"]),
    ("ä.*", ["ä.ö"], ["a.ö"]),
]


@pytest.mark.semantics(48)
@pytest.mark.parametrize(("pattern", "matching", "others"), TOPICS)
def test_a_topic_pattern_matches_words_between_dots(
    channel: Channel, pattern: str, matching: list[str], others: list[str]
) -> None:
    channel.declare_queue("q")
    channel.bind_queue("q", "amq.topic", pattern)
    for _ in range(2):  # the second time from memory
        assert [key for key in matching if not is_reached(channel, "amq.topic", key)] == []
        assert [key for key in others if is_reached(channel, "amq.topic", key)] == []


@pytest.mark.semantics(45)
@pytest.mark.parametrize("profile", PROFILES)
def test_more_than_two_hashes_in_a_binding_key_are_refused_from_4_3(
    make_broker: Callable[..., Broker], profile: str
) -> None:
    channel = make_broker(profile=profile).connect().channel()
    channel.declare_queue("q", durable=True)
    channel.declare_exchange("x", "topic")
    for key in ("#.a.#", "#.#", "a#.b#.c#"):
        channel.bind_queue("q", "amq.topic", key)
    for key in ("#.a.#.b.#", "#.#.#"):
        if profile == "rabbitmq-4.3":
            with pytest.raises(PreconditionFailed, match="more than 2 '#' words"):
                channel.bind_queue("q", "amq.topic", key)
            with pytest.raises(PreconditionFailed, match="more than 2 '#' words"):
                channel.bind_exchange("x", "amq.topic", key)
        else:
            channel.bind_queue("q", "amq.topic", key)
            channel.bind_exchange("x", "amq.topic", key)
    channel.bind_queue("q", "amq.direct", "#.#.#")  # a key like any other


# -- 49: headers


def matches(channel: Channel, arguments: Table, headers: Table | None) -> bool:
    """Whether a binding with these arguments takes a message with these headers."""
    channel.declare_queue("q")
    channel.bind_queue("q", "amq.headers", "", arguments)
    found = is_reached(channel, "amq.headers", "any key", headers=headers)
    channel.unbind_queue("q", "amq.headers", "", arguments)
    return found


@pytest.mark.semantics(49)
@pytest.mark.parametrize("mode", [{}, {"x-match": "all"}])
def test_all_headers_of_a_binding_must_match_by_default(channel: Channel, mode: Table) -> None:
    wanted: Table = {**mode, "a": 1, "b": "x"}
    assert matches(channel, wanted, {"a": 1, "b": "x"})
    assert matches(channel, wanted, {"a": 1, "b": "x", "c": 5})
    assert not matches(channel, wanted, {"a": 1})
    assert not matches(channel, wanted, {"a": 1, "b": "y"})
    assert not matches(channel, wanted, {})
    assert not matches(channel, wanted, None)


@pytest.mark.semantics(49)
def test_one_header_is_enough_where_the_binding_says_any(channel: Channel) -> None:
    wanted: Table = {"x-match": "any", "a": 1, "b": "x"}
    assert matches(channel, wanted, {"a": 1})
    assert matches(channel, wanted, {"a": 2, "b": "x"})
    assert not matches(channel, wanted, {"a": 2, "c": "x"})
    assert not matches(channel, wanted, None)


@pytest.mark.semantics(49)
def test_names_that_begin_with_x_count_only_where_the_binding_says_so(channel: Channel) -> None:
    for mode in ("all", "any"):
        plain: Table = {"x-match": mode, "a": 1, "x-b": 2}
        assert matches(channel, plain, {"a": 1})
        assert not matches(channel, plain, {"x-b": 2})
    assert matches(channel, {"x-match": "all-with-x", "a": 1, "x-b": 2}, {"a": 1, "x-b": 2})
    assert not matches(channel, {"x-match": "all-with-x", "a": 1, "x-b": 2}, {"a": 1})
    assert matches(channel, {"x-match": "any-with-x", "a": 1, "x-b": 2}, {"x-b": 2})
    assert not matches(channel, {"x-match": "any-with-x", "x-b": 2}, {"x-b": 3})


@pytest.mark.semantics(49)
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            "some",
            'Invalid x-match field value <<"some">>; expected all, any, all-with-x, or any-with-x',
        ),
        (5, "Invalid x-match field type signedint (value 5); expected longstr"),
        (True, "Invalid x-match field type bool (value true); expected longstr"),
        (None, "Invalid x-match field type void (value undefined); expected longstr"),
    ],
)
def test_another_kind_of_match_is_refused_when_binding(
    channel: Channel, value: FieldValue, text: str
) -> None:
    channel.declare_queue("q")
    with pytest.raises(PreconditionFailed) as caught:
        channel.bind_queue("q", "amq.headers", "", {"x-match": value})
    assert str(caught.value) == text
    with pytest.raises(PreconditionFailed):
        channel.bind_exchange("amq.direct", "amq.match", "", {"x-match": value})
    channel.bind_queue("q", "amq.direct", "", {"x-match": value})  # means nothing there


SAME: list[tuple[FieldValue, FieldValue]] = [
    (1, 1),
    ("1", "1"),
    (1.5, 1.5),
    (1, 1.0),
    (True, True),
    (b"a", b"a"),
    (NOON, NOON + timedelta(milliseconds=999)),
    ([1, "a"], (1, "a")),
    ({"a": [None]}, {"a": [None]}),
    (Decimal("1.5"), Decimal("1.5")),
]
OTHER: list[tuple[FieldValue, FieldValue]] = [
    (1, "1"),
    ("1", 1),
    (1, True),
    (False, 0),
    ("a", b"a"),
    (1, None),
    ([1], [1, 2]),
    ([1], ["1"]),
    ({"a": 1}, {"a": True}),
    (NOON, NOON + timedelta(seconds=1)),
]


@pytest.mark.semantics(49)
def test_values_are_the_same_when_type_and_value_are(channel: Channel) -> None:
    for mode in ("all", "any"):
        for wanted, there in SAME:
            assert matches(channel, {"x-match": mode, "h": wanted}, {"h": there})
        for wanted, there in OTHER:
            assert not matches(channel, {"x-match": mode, "h": wanted}, {"h": there})


@pytest.mark.semantics(49)
@pytest.mark.parametrize("mode", ["all", "any"])
def test_a_void_value_asks_only_for_the_header_to_be_there(channel: Channel, mode: str) -> None:
    wanted = {"x-match": mode, "h": None}
    values: list[FieldValue] = [1, "", False, None, []]
    for there in values:
        assert matches(channel, wanted, {"h": there})
    assert not matches(channel, wanted, {"g": None})
    assert not matches(channel, wanted, None)


@pytest.mark.semantics(49)
def test_a_binding_that_asks_for_nothing_takes_all_or_nothing(channel: Channel) -> None:
    headers: list[Table | None] = [{"a": 1}, {}, None]
    for each in headers:
        assert matches(channel, {}, each)
        assert matches(channel, {"x-match": "all"}, each)
        assert matches(channel, {"x-match": "all", "x-only": 1}, each)
        assert not matches(channel, {"x-match": "any"}, each)
        assert not matches(channel, {"x-match": "any", "x-only": 1}, {"x-only": 1})


@pytest.mark.semantics(49)
def test_the_routing_key_means_nothing_to_a_headers_exchange(channel: Channel) -> None:
    channel.declare_queue("q")
    channel.bind_queue("q", "amq.match", "k", {"a": 1})
    assert is_reached(channel, "amq.match", "other", headers={"a": 1})
    assert not is_reached(channel, "amq.match", "k", headers={"a": 2})
    assert is_reached(channel, "amq.match", "k", headers={"a": 1})


# -- 54: consistent hash


HASHES = "x-consistent-hash"
QUEUES = ["q1", "q2", "q3"]


def declare_hash(channel: Channel, weights: list[str], arguments: Table | None = None) -> None:
    channel.declare_exchange("x", HASHES, arguments=arguments)
    for queue, weight in zip(QUEUES, weights, strict=False):
        channel.declare_queue(queue)
        channel.bind_queue(queue, "x", weight)


@pytest.mark.semantics(54)
def test_each_message_goes_to_one_queue_the_same_for_the_same_key(channel: Channel) -> None:
    declare_hash(channel, ["1", "1", "1"])
    for number in range(300):
        channel.publish("x", f"key {number}", b"")
    first = counts(channel, QUEUES)
    assert sum(first) == 300
    assert min(first) > 50
    for number in range(20):
        for _ in range(3):
            channel.publish("x", f"key {number}", b"")
        assert sorted(counts(channel, QUEUES)) == [0, 0, 3]


@pytest.mark.semantics(54)
def test_the_binding_key_is_a_weight(channel: Channel) -> None:
    declare_hash(channel, ["1", "2", "7"])
    for number in range(1000):
        channel.publish("x", f"key {number}", b"")
    one, two, seven = counts(channel, QUEUES)
    assert 60 < one < 140
    assert 150 < two < 250
    assert 640 < seven < 760


@pytest.mark.semantics(54)
@pytest.mark.parametrize("key", ["0", "-1", "a", "", "1.5", "1 "])
def test_a_weight_is_an_integer_from_1(channel: Channel, key: str) -> None:
    channel.declare_queue("q")
    channel.declare_exchange("x", HASHES)
    with pytest.raises(PreconditionFailed, match="The binding key must be"):
        channel.bind_queue("q", "x", key)
    assert not is_reached(channel, "x", "k")
    channel.bind_queue("q", "x", "10")
    assert is_reached(channel, "x", "k")


@pytest.mark.semantics(54)
def test_a_header_may_be_hashed_instead_of_the_routing_key(channel: Channel) -> None:
    declare_hash(channel, ["1", "1", "1"], {"hash-header": "customer"})
    for number in range(60):
        channel.publish("x", str(number), b"", Properties(headers={"customer": "ann"}))
    assert sorted(counts(channel, QUEUES)) == [0, 0, 60]
    for number in range(60):
        channel.publish("x", "same", b"", Properties(headers={"customer": str(number)}))
    assert 0 not in counts(channel, QUEUES)


@pytest.mark.semantics(54)
@pytest.mark.parametrize("name", ["message_id", "correlation_id", "timestamp"])
def test_a_property_may_be_hashed_instead_of_the_routing_key(channel: Channel, name: str) -> None:
    declare_hash(channel, ["1", "1", "1"], {"hash-property": name})

    def hashed(number: int) -> Properties:
        value = NOON + timedelta(seconds=number) if name == "timestamp" else str(number)
        return Properties().replace(**{name: value})

    for number in range(60):
        channel.publish("x", str(number), b"", hashed(0))
    assert sorted(counts(channel, QUEUES)) == [0, 0, 60]
    for number in range(60):
        channel.publish("x", "same", b"", hashed(number))
    assert 0 not in counts(channel, QUEUES)


@pytest.mark.semantics(54)
def test_header_and_property_together_are_refused_and_so_are_other_properties(
    channel: Channel,
) -> None:
    both = {"hash-header": "customer", "hash-property": "message_id"}
    with pytest.raises(PreconditionFailed, match="mutually exclusive"):
        channel.declare_exchange("x", HASHES, arguments=both)
    with pytest.raises(PreconditionFailed, match="Unsupported property: app_id"):
        channel.declare_exchange("x", HASHES, arguments={"hash-property": "app_id"})
    channel.declare_exchange("x", HASHES)
