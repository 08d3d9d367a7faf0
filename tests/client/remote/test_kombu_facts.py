"""Bindings in Kombu's tables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker_client.remote.facts import BindingFact, binding_key, key_of
from minibroker_client.remote.kombu_facts import KombuFacts, Row, pattern_of

from ...interop.needed import needed_module

kombu = needed_module("kombu")


class Kept:
    """Facts in a dict, and a table in a list."""

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}
        self.rows: list[Row] = []
        self.bind = self.rows.append
        self.unbind = self.rows.remove

    def version(self) -> object:
        return len(self.facts)

    def load(self) -> dict[str, str]:
        return dict(self.facts)

    def add(self, key: str, value: str) -> str:
        return self.facts.setdefault(key, value)

    def remove(self, keys: Any) -> None:
        for key in keys:
            self.facts.pop(key, None)


def bound(source: str, key: str = "k", *, to_exchange: bool = False) -> str:
    return binding_key(BindingFact(source, to_exchange, "q", key, {}))


@given(st.lists(st.sampled_from([*"*#.+[a\0é- "])).map("".join) | st.text())
def test_a_pattern_is_kombus_own(routing_key: str) -> None:
    with kombu.Connection("memory://") as connection:
        topic = connection.default_channel.exchange_types["topic"]
        assert pattern_of(routing_key) == topic.key_to_pattern(routing_key)


@pytest.mark.parametrize("kind", ["direct", "topic", "fanout"])
def test_a_binding_is_a_row_until_it_is_removed(kind: str) -> None:
    kept = Kept()
    facts = KombuFacts(kept, kept)
    facts.add(key_of("e", "x"), f'{{"type": "{kind}"}}')
    assert facts.add(bound("x"), "") == ""
    assert kept.rows == [Row("x", "k", "^k$" if kind == "topic" else "", "q")]
    assert len(facts.load()) == facts.version() == 2
    facts.remove([bound("x"), key_of("e", "x")])
    assert (kept.rows, kept.facts) == ([], {})


def test_the_type_of_an_exchange_is_known_from_what_others_declared() -> None:
    kept = Kept()
    kept.add(key_of("e", "x"), '{"type": "topic"}')
    facts = KombuFacts(kept, kept)
    facts.load()
    facts.add(bound("x", "a.*"), "")
    assert kept.rows == [Row("x", "a.*", r"^a\.[^\.]+$", "q")]


def test_the_exchanges_that_are_always_there_are_mirrored() -> None:
    kept = Kept()
    KombuFacts(kept, kept).add(bound("amq.direct"), "")
    assert kept.rows == [Row("amq.direct", "k", "", "q")]


def test_what_kombu_does_not_have_is_no_row() -> None:
    kept = Kept()
    facts = KombuFacts(kept, kept)
    facts.add(key_of("e", "x"), '{"type": "headers"}')
    facts.add(bound("x"), "")
    facts.add(bound("amq.direct", to_exchange=True), "")
    assert kept.rows == []
    assert len(kept.facts) == 3
