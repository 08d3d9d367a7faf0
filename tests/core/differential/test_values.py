"""Values that programs are made of."""

from __future__ import annotations

from random import Random

from minibroker.differential import typed
from minibroker.differential.values import (
    BAD_ARGUMENTS,
    KEYS,
    any_value,
    bind_arguments,
    chance,
    headers,
    pick,
    properties,
    weighted,
)

MANY = 400


def test_every_value_can_be_sent() -> None:
    random = Random(1)
    for _ in range(MANY):
        typed.encode_table([["a", any_value(random)]])
        typed.encode_table(headers(random))
        typed.encode_table(bind_arguments(random))
        typed.encode_properties(properties(random, KEYS))
    for name, values in BAD_ARGUMENTS.items():
        typed.encode_table([[name, value] for value in values])


def test_what_is_rare_comes_too() -> None:
    random = Random(1)
    made = [properties(random, KEYS) for _ in range(10 * MANY)]
    assert {name for each in made for name in each} == {
        "app_id", "content_encoding", "content_type", "correlation_id", "delivery_mode",
        "expiration", "headers", "message_id", "priority", "reply_to", "timestamp", "type",
        "user_id",
    }  # fmt: skip
    found = {name for each in made for name, _ in each.get("headers", [])}
    assert {"CC", "BCC", "x-death", "h1"} <= found


def test_choices_follow_their_weights() -> None:
    random = Random(1)
    assert not chance(random, 0)
    assert chance(random, 100)
    assert pick(random, ["one"]) == "one"
    assert weighted(random, {"never": 0, "always": 1}) == "always"
