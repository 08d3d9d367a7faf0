"""Programs as data."""

from __future__ import annotations

import json

import pytest

from minibroker.differential.program import Operation, Program

QUORUM = {"queue": "~q", "arguments": [["x-queue-type", ["S", "quorum"]]]}
PROGRAM = Program(
    [
        Operation(0, 1, "queue.declare", QUORUM),
        Operation(1, 2, "exchange.declare", {"exchange": "~x"}),
        Operation(0, 1, "exchange.declare", {"exchange": "amq.topic", "passive": True}),
        Operation(0, 1, "basic.publish", {"routing_key": "~q"}, {"priority": 1}, "m", 3, more=True),
    ],
    seed=7,
)


def test_a_program_comes_back_from_json() -> None:
    shown = json.loads(json.dumps(PROGRAM.to_json()))
    assert Program.from_json(shown) == PROGRAM
    assert shown["operations"][1] == {
        "on": [1, 2],
        "do": "exchange.declare",
        "arguments": {"exchange": "~x"},
    }


@pytest.mark.parametrize(
    "shown",
    [
        None,
        {},
        {"operations": [1]},
        {"operations": [{"on": [1], "do": "tx.select"}]},
        {"operations": [{"on": [0, 1]}]},
        {"operations": [{"on": [0, 1], "do": "tx.select", "if": 1}]},
    ],
)
def test_what_is_no_program_is_refused(shown: object) -> None:
    with pytest.raises(ValueError, match=r"no program|no operation|other fields|unpack"):
        Program.from_json(shown)


def test_a_program_knows_what_it_may_make() -> None:
    assert PROGRAM.names("queue") == ["~q"]
    assert PROGRAM.names("exchange") == ["~x"]
    assert PROGRAM.uses_quorum()
    without = PROGRAM.without({0, 3})
    assert [each.method for each in without.operations] == ["exchange.declare"] * 2
    assert not without.uses_quorum()


def test_an_operation_reads_as_a_line() -> None:
    assert str(PROGRAM.operations[3]) == (
        "0.1 basic.publish(routing_key='~q', properties={'priority': 1}, body='m', times=3) ..."
    )
    assert str(Operation(0, 0, "connection.close")) == "0.0 connection.close()"


def test_messages_can_be_published_one_by_one() -> None:
    apart = PROGRAM.one_by_one().operations
    assert apart[:3] == PROGRAM.operations[:3]
    assert [(each.body, each.times) for each in apart[3:]] == [("m1", 1), ("m2", 1), ("m3", 1)]
    assert Program(PROGRAM.operations[:3]).one_by_one() == Program(PROGRAM.operations[:3])
