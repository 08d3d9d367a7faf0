"""Programs made smaller."""

from __future__ import annotations

from minibroker.differential.program import Operation, Program
from minibroker.differential.shrink import shrink

NOISE = [Operation(0, 1, "basic.qos", {"prefetch_count": n}) for n in range(9)]
PUBLISH = Operation(
    1,
    2,
    "basic.publish",
    {"exchange": "", "routing_key": "q", "mandatory": True, "arguments": [["a", ["I", 1]]]},
    {"priority": 1, "headers": [["keep", ["I", 1]], ["other", ["I", 1]]]},
    "body",
    times=5,
    more=True,
)


def publishes(program: Program) -> bool:
    return any(each.method == "basic.publish" for each in program.operations)


def test_what_is_not_needed_is_left_out() -> None:
    program = Program([*NOISE, PUBLISH, *NOISE], seed=4)
    smaller = shrink(program, publishes)
    assert smaller == Program(
        [Operation(0, 1, "basic.publish", {"exchange": ""}, {}, "body")], seed=4
    )


def test_what_is_needed_stays() -> None:
    def holds(program: Program) -> bool:
        return sum(each.method == "basic.qos" for each in program.operations) >= 3 and any(
            ["keep", ["I", 1]] in each.properties.get("headers", []) and each.times == 5
            for each in program.operations
        )

    smaller = shrink(Program([*NOISE, PUBLISH, *NOISE]), holds)
    assert len(smaller.operations) == 4
    (publish,) = (each for each in smaller.operations if each.method == "basic.publish")
    assert publish.properties == {"headers": [["keep", ["I", 1]]]}
    assert publish.times == 5


def test_a_pause_stays_as_long_as_it_is() -> None:
    pause = Operation(0, 1, "pause", times=50)
    assert shrink(Program([pause, *NOISE]), lambda each: pause in each.operations) == Program(
        [pause]
    )


def test_it_is_tried_only_so_often() -> None:
    asked = []

    def never(program: Program) -> bool:
        asked.append(program)
        return False

    program = Program([*NOISE, PUBLISH])
    assert shrink(program, never, most_tries=5) is not None
    assert len(asked) == 5
    assert shrink(program, never, most_tries=1000).operations == program.operations
