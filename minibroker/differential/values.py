"""Values that programs are made of: names, keys, arguments, headers, properties. Most are sensible,
some are near misses. Knows no operation.

Everything is drawn from the `Random` that is handed in, so that a seed gives the same program on
every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from .typed import Json

__all__ = [
    "BAD_ARGUMENTS",
    "EXCHANGE_TYPES",
    "HOUR",
    "KEYS",
    "PATTERNS",
    "any_value",
    "bind_arguments",
    "chance",
    "headers",
    "pick",
    "properties",
    "weighted",
]

_Value = TypeVar("_Value")

HOUR = 3_600_000
EXCHANGE_TYPES = ("direct", "fanout", "topic", "headers")
KEYS = ("a", "b", "a.b", "a.b.c", "b.a", "", ".", "a..b", "c")
PATTERNS = ("#", "*", "a.*", "a.#", "#.b", "*.b", "*.*", "a.*.#", "#.#", "a.b", "a", "")

_NUMBERS: tuple[Json, ...] = (
    ["I", 1], ["I", 2], ["b", 1], ["B", 1], ["s", 1], ["u", 1], ["i", 1], ["l", 1], ["I", -1],
    ["l", 5_000_000_000], ["D", [2, 150]], ["D", [0, 1]], ["d", 1.0], ["d", 0.5], ["f", 0.5],
)  # fmt: skip
_OTHERS: tuple[Json, ...] = (
    ["S", "1"], ["S", "one"], ["S", ""], ["S", "caf\u00e9"], ["t", True], ["t", False], ["V", None],
    ["T", 1_700_000_000], ["x", "00ff"], ["A", [["I", 1], ["S", "x"]]], ["A", []], ["F", []],
    ["F", [["in", ["t", True]]]], ["S", "\udcff"],
)  # fmt: skip
_HEADER_NAMES = ("h1", "h2", "x-h", "color")

BAD_ARGUMENTS: dict[str, tuple[Json, ...]] = {
    "x-message-ttl": (
        ["I", -1], ["S", "60000"], ["d", 1.5], ["t", True], ["l", 315_360_000_001], ["V", None],
        ["D", [0, 5]], ["l", 315_360_000_000],
    ),
    "x-expires": (["I", 0], ["I", -1], ["S", "1"], ["l", 315_360_000_001], ["d", 2.0]),
    "x-max-length": (["I", -1], ["S", "3"], ["d", 1.0], ["l", 1 << 40], ["A", []]),
    "x-max-length-bytes": (["I", -5], ["S", "x"], ["t", False]),
    "x-overflow": (["S", "drop"], ["I", 1], ["S", ""], ["V", None]),
    "x-dead-letter-exchange": (["I", 1], ["t", True], ["V", None]),
    "x-dead-letter-routing-key": (["I", 1], ["S", "a"], ["S", ""]),
    "x-max-priority": (["I", 256], ["I", -1], ["I", 0], ["S", "5"], ["d", 3.0], ["l", 1000]),
    "x-single-active-consumer": (["S", "true"], ["I", 1], ["t", False]),
    "x-queue-type": (["S", "nonsense"], ["I", 1], ["S", ""], ["S", "quorum"], ["V", None]),
    "x-queue-mode": (["S", "eager"], ["I", 1]),
    "x-queue-version": (["I", 3], ["S", "1"], ["I", 0]),
    "x-delivery-limit": (["I", -1], ["S", "2"], ["I", 3]),
    "x-max-in-memory-length": (["I", 1], ["I", -1]),
    "x-consumer-timeout": (["I", HOUR], ["I", -1], ["S", "1"]),
    "x-quorum-initial-group-size": (["I", 1], ["I", 0], ["S", "a"]),
    "x-queue-master-locator": (["S", "client-local"], ["S", "nowhere"], ["I", 1]),
    "x-cancel-on-ha-failover": (["t", True],),
}  # fmt: skip
"""Arguments of queues that are refused, or that mean something unusual."""


def chance(random: Random, percent: float) -> bool:
    """Whether it happens this time."""
    return random.random() * 100 < percent


def pick(random: Random, values: Sequence[_Value]) -> _Value:
    """Any of them."""
    return values[random.randrange(len(values))]


def weighted(random: Random, weights: dict[_Value, float]) -> _Value:
    """Any of them, the heavy ones more often."""
    return random.choices(list(weights), list(weights.values()))[0]


def any_value(random: Random) -> Json:
    """A field of any type."""
    return pick(random, _NUMBERS if chance(random, 50) else _OTHERS)


def headers(random: Random, most: int = 3) -> Json:
    """A table of headers."""
    names = random.sample(_HEADER_NAMES, random.randint(0, min(most, len(_HEADER_NAMES))))
    usual = (["I", 1], ["S", "one"], ["t", True])
    return [
        [name, pick(random, usual) if chance(random, 60) else any_value(random)] for name in names
    ]


def bind_arguments(random: Random) -> Json:
    """The arguments of a binding, most of use to a headers exchange."""
    table = headers(random, 2)
    if chance(random, 80):
        good = ("all", "any", "all-with-x", "any-with-x")
        table.append(["x-match", ["S", pick(random, good)]])
    elif chance(random, 20):
        table.append(["x-match", pick(random, (["S", "none"], ["I", 1], ["V", None]))])
    return table


def properties(random: Random, keys: Sequence[str]) -> dict[str, Json]:
    """Properties of a message; `keys` are where copies of it may go."""
    found: dict[str, Json] = {}
    if chance(random, 45):
        found["delivery_mode"] = weighted(random, {2: 50, 1: 20, 3: 0.4, 0: 0.4})
    if chance(random, 35):
        found["headers"] = headers(random)
    if chance(random, 7):
        found.setdefault("headers", []).extend(_copies(random, keys))
    if chance(random, 15):
        found["priority"] = weighted(random, {0: 1, 1: 3, 2: 3, 5: 2, 9: 1, 255: 1})
    if chance(random, 12):
        found["expiration"] = weighted(
            random, {"0": 6, str(HOUR): 6, "": 0.3, "abc": 0.3, "-1": 0.3, "1.5": 0.3, "+1": 0.1,
                     " 5": 0.1, "315360000001": 0.2, "5x": 0.2}
        )  # fmt: skip
    if chance(random, 4):
        found["user_id"] = weighted(random, {"<user>": 5, "nobody": 1})
    if chance(random, 15):
        found |= _texts(random)
    return found


def _texts(random: Random) -> dict[str, Json]:
    every: dict[str, Json] = {
        "content_type": "text/plain",
        "content_encoding": "utf-8",
        "correlation_id": "c-1",
        "message_id": "m-1",
        "timestamp": 1_700_000_000,
        "type": "t",
        "app_id": "",
        "reply_to": "somewhere",
    }
    return {name: every[name] for name in random.sample(sorted(every), random.randint(1, 4))}


def _copies(random: Random, keys: Sequence[str]) -> Json:
    """The headers CC and BCC, and those of a message that has died before."""
    name = weighted(random, {"CC": 5, "BCC": 4, "x-death": 1.5})
    if name == "x-death":
        death = [
            ["count", ["l", 3]], ["reason", ["S", "rejected"]], ["queue", ["S", "~q1"]],
            ["time", ["T", 1_700_000_000]], ["exchange", ["S", ""]],
            ["routing-keys", ["A", [["S", "~q1"]]]],
        ]  # fmt: skip
        return [[name, weighted_value(random, {"good": 5, "bad": 1}, ["A", [["F", death]]])]]
    targets = [["S", pick(random, keys)] for _ in range(random.randint(0, 2))]
    return [[name, ["A", targets] if chance(random, 92) else any_value(random)]]


def weighted_value(random: Random, weights: dict[str, float], good: Json) -> Json:
    """The good value, or any."""
    return good if weighted(random, weights) == "good" else any_value(random)
