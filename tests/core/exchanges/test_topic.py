"""The topic exchange, against a few lines that say the same without a trie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minibroker.errors import PreconditionFailed
from minibroker.exchanges import (
    Binding,
    ExchangeDeclaration,
    ExchangeSurroundings,
    FanoutExchange,
    TopicExchange,
)
from minibroker.message import Message
from minibroker.profile import get_profile
from minibroker.properties import PLAIN
from minibroker.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.exchanges import Exchange

WORLD = ExchangeSurroundings(
    get_profile("rabbitmq-4.2"), Timers(), now=lambda: 0, release=lambda _, __: None
)


@pytest.fixture
def topic(declare: Callable[..., Exchange]) -> Exchange:
    """A topic exchange without bindings."""
    return declare("topic")


@pytest.mark.semantics(48)
@pytest.mark.parametrize(
    ("pattern", "key", "does"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.c", False),
        ("a.b", "a", False),
        ("a.b", "a.b.c", False),
        ("a.*", "a.b", True),
        ("a.*", "a", False),
        ("a.*", "a.b.c", False),
        ("*", "a", True),
        ("*", "", False),
        ("*.*", "a..b", False),
        ("*.*.*", "a..b", True),
        ("*.b", ".b", True),
        ("*.b", "b", False),
        ("a.*", "a.", True),
        ("a.#", "a", True),
        ("a.#", "a.b", True),
        ("a.#", "a.b.c", True),
        ("a.#", "ab", False),
        ("#.a", "a", True),
        ("#.a", "b.c.a", True),
        ("#.a", "a.b", False),
        ("a.#.b", "a.b", True),
        ("a.#.b", "a..b", True),
        ("a.#.b", "a.x.y.b", True),
        ("a.#.b", "a", False),
        ("#", "", True),
        ("#", "a.b.c", True),
        ("", "", True),
        ("", "a", False),
        (".", ".", True),
        (".", "", False),
        ("#.*", "", False),
        ("#.*", "a", True),
        ("*.#.*", "a", False),
        ("*.#.*", "a.b", True),
        ("#.#", "", True),
        ("a*", "ab", False),
        ("a*", "a*", True),
        ("##", "a", False),
        ("a", "*", False),
        ("a", "#", False),
        ("*", "#", True),
        ("#", "*.#", True),
    ],
)
def test_a_pattern_matches_word_by_word(
    topic: Exchange,
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
    pattern: str,
    key: str,
    *,
    does: bool,
) -> None:
    bind(topic, topic, pattern)
    assert matched(topic, key) == (["x"] if does else [])


def test_a_binding_matches_once_however_many_ways_lead_to_it(
    topic: Exchange,
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
) -> None:
    bind(topic, declare(name="a"), "#.a.#.a.#")
    assert matched(topic, "a.a.a.a.a.a") == ["a"]
    assert matched(topic, "a") == []


def test_destinations_come_in_the_order_of_the_bindings_for_each_key(
    topic: Exchange,
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
) -> None:
    for name, pattern in (("a", "#"), ("b", "k.x"), ("c", "*.x"), ("d", "k.#"), ("e", "k.x")):
        bind(topic, declare(name=name), pattern)
    assert matched(topic, "k.x") == ["a", "b", "c", "d", "e"]
    assert matched(topic, "k.y", "j.x") == ["a", "d", "a", "c"]


def test_a_key_of_255_dots_and_many_hashes_is_matched_in_no_time(
    topic: Exchange,
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
) -> None:
    bind(topic, declare(name="hashes"), ".".join(["#"] * 128))
    bind(topic, declare(name="pairs"), ".".join(["#", "a"] * 64))
    bind(topic, declare(name="never"), ".".join(["#", "a"] * 63 + ["b"]))
    bind(topic, declare(name="stars"), ".".join(["*"] * 128))
    bind(topic, declare(name="empty"), "." * 255)
    assert matched(topic, "." * 255) == ["hashes", "empty"]
    assert matched(topic, ".".join(["a"] * 128)) == ["hashes", "pairs", "stars"]


@pytest.mark.semantics(45)
@pytest.mark.parametrize("key", ["#.#.#", "#.*.#.*.#", "a.#.b.#.c.#", ".".join(["#"] * 128)])
def test_rabbitmq_4_3_refuses_a_third_hash(world: ExchangeSurroundings, key: str) -> None:
    world.profile = get_profile("rabbitmq-4.3")
    topic = TopicExchange(ExchangeDeclaration("x", "topic"), world)
    with pytest.raises(PreconditionFailed, match="more than 2 '#' words"):
        topic.bind(Binding(topic, topic, key, {}))
    assert not topic.is_bound
    topic._check()


@pytest.mark.semantics(45)
@pytest.mark.parametrize("key", ["", "a.b.c", "*.*.*", "#", "a.#", "#.a.#", "a#b", "##.##.##"])
def test_rabbitmq_4_3_takes_two_hashes(world: ExchangeSurroundings, key: str) -> None:
    world.profile = get_profile("rabbitmq-4.3")
    topic = TopicExchange(ExchangeDeclaration("x", "topic"), world)
    assert topic.bind(Binding(topic, topic, key, {}))


@pytest.mark.semantics(45)
def test_older_versions_take_any_number_of_hashes(
    topic: Exchange, bind: Callable[..., bool]
) -> None:
    assert bind(topic, topic, "#.#.#.#")


def reference(pattern: list[str], words: list[str]) -> bool:
    """Whether the pattern matches, in the words of the specification."""
    if not pattern:
        return not words
    if pattern[0] == "#":
        return reference(pattern[1:], words) or (bool(words) and reference(pattern, words[1:]))
    return bool(words) and pattern[0] in ("*", words[0]) and reference(pattern[1:], words[1:])


def split(key: str) -> list[str]:
    return key.split(".") if key else []


PATTERNS = st.lists(st.sampled_from(["a", "b", "", "*", "#", "a*"]), max_size=5).map(".".join)
KEYS = st.lists(st.sampled_from(["a", "b", "", "c", "*", "#"]), max_size=6).map(".".join)


@settings(deadline=None)
@given(st.lists(PATTERNS, max_size=8, unique=True), KEYS, st.data())
def test_the_trie_matches_what_the_specification_says_also_after_unbinding(
    patterns: list[str], key: str, data: st.DataObject
) -> None:
    topic = TopicExchange(ExchangeDeclaration("x", "topic"), WORLD)
    bound: list[Binding] = []
    for pattern in patterns:
        destination = FanoutExchange(ExchangeDeclaration(pattern, "fanout"), WORLD)
        bound.append(Binding(topic, destination, pattern, {}))
        assert topic.bind(bound[-1])
    topic._check()
    while True:
        expected = [b.destination for b in bound if reference(split(b.routing_key), split(key))]
        assert list(topic.match(Message("x", key, PLAIN, b""), (key,))) == expected
        if not bound:
            break
        gone = bound.pop(data.draw(st.integers(0, len(bound) - 1)))
        assert topic.unbind(gone.destination, gone.routing_key, {})
        topic._check()
