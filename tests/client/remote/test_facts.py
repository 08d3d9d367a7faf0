from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.arguments import QueueDeclaration
from minibroker.exchanges import ExchangeDeclaration
from minibroker_client.remote.facts import (
    BindingFact,
    binding_key,
    describe_exchange,
    describe_queue,
    key_of,
    read_key,
)
from minibroker_client.serialization import typed_json

NAMES = st.text(max_size=20)
VALUES = st.none() | st.booleans() | st.integers() | NAMES | st.binary(max_size=9)
ARGUMENTS = st.dictionaries(NAMES, VALUES | st.lists(VALUES, max_size=2), max_size=4).filter(
    lambda arguments: not {"__type__", "__value__"} <= arguments.keys()
)


@given(st.sampled_from("eq"), NAMES)
def test_any_name_is_read_from_its_key(kind: str, name: str) -> None:
    assert read_key(key_of(kind, name)) == (kind, name)


@given(NAMES, st.booleans(), NAMES, NAMES, ARGUMENTS)
def test_any_binding_is_read_from_its_key(
    source: str, to_exchange: bool, destination: str, key: str, arguments: dict[str, Any]
) -> None:
    fact = BindingFact(source, to_exchange, destination, key, arguments)
    assert read_key(binding_key(fact)) == fact


def test_a_binding_has_the_same_key_in_whatever_order_its_arguments_are() -> None:
    one = {"x-match": "all", "a": 1, "table": {"x": 1, "y": [{"p": 1, "q": 2}]}}
    other = {"table": {"y": [{"q": 2, "p": 1}], "x": 1}, "a": 1, "x-match": "all"}
    keys = {binding_key(BindingFact("e", False, "q", "k", each)) for each in (one, other)}
    assert len(keys) == 1


def test_no_two_bindings_have_the_same_key() -> None:
    facts = [
        BindingFact("a", False, "b", "c", {}),
        BindingFact("a", True, "b", "c", {}),
        BindingFact("a", False, 'b","c', "", {}),
        BindingFact("a", False, "b", "c", {"n": 1}),
        BindingFact("a", False, "b", "c", {"n": "1"}),
        BindingFact("", False, "ab", "c", {}),
    ]
    assert len({binding_key(each) for each in facts}) == len(facts)


@pytest.mark.parametrize(
    "key", ['["x","name"]', '["e"]', '["b","e",false,"q","k"]', "{}", "[]", "1", "no json"]
)
def test_what_is_no_key_of_this_version_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="."):
        read_key(key)


def test_a_queue_is_described_by_what_differs_from_a_plain_one() -> None:
    plain = QueueDeclaration("q")
    assert typed_json.decode(describe_queue(plain, "me")) == {}
    full = QueueDeclaration("q", True, True, True, {"b": 1, "a": 2})
    said = {"owner": "me", "durable": True, "auto_delete": True, "exclusive": True}
    assert typed_json.decode(describe_queue(full, "me")) == {
        **said,
        "arguments": {"a": 2, "b": 1},
    }


def test_an_exchange_is_described_by_its_type_and_what_differs_from_a_plain_one() -> None:
    plain = ExchangeDeclaration("e", "topic")
    assert typed_json.decode(describe_exchange(plain)) == {"type": "topic"}
    full = ExchangeDeclaration("e", "fanout", True, True, True, {"alternate-exchange": "a"})
    assert typed_json.decode(describe_exchange(full)) == {
        "type": "fanout",
        "durable": True,
        "auto_delete": True,
        "internal": True,
        "arguments": {"alternate-exchange": "a"},
    }


def test_the_same_declaration_has_the_same_text_in_whatever_order_its_arguments_are() -> None:
    one = QueueDeclaration("q", arguments={"x-message-ttl": 1, "x-max-priority": 2})
    other = QueueDeclaration("q", arguments={"x-max-priority": 2, "x-message-ttl": 1})
    assert describe_queue(one, "me") == describe_queue(other, "me")
