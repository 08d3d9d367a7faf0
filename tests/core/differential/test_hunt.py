"""Many programs on two brokers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from minibroker.differential import hunt as hunting
from minibroker.differential.address import Address
from minibroker.differential.execute import Patience
from minibroker.differential.generate import generate
from minibroker.differential.hunt import BROKEN, DIFFERENT, EQUAL, UNSTEADY, Hunt
from minibroker.differential.program import Operation, Program
from minibroker.differential.typed import Json

PROGRAM = Program(
    [
        Operation(0, 1, "queue.declare", {"queue": "~q"}),
        Operation(0, 1, "basic.qos", {"prefetch_count": 3}),
        Operation(1, 1, "exchange.declare", {"exchange": "~x", "type": "nonsense"}),
        Operation(0, 1, "queue.purge", {"queue": "~q"}),
    ]
)
"""An unknown type of exchange closes the connection in 3.10, the channel in 4.2."""


@pytest.fixture
def hunt(serve: Callable[[str], Address]) -> Iterator[Callable[..., Hunt]]:
    """`hunt(measure, target)`, by profile."""
    with ExitStack() as stack:

        def start(measure: str = "rabbitmq-3.10", target: str = "rabbitmq-3.10") -> Hunt:
            return stack.enter_context(Hunt(serve(measure), serve(target)))

        yield start


def test_a_broker_is_equal_to_itself(hunt: Callable[..., Hunt]) -> None:
    for outcome in hunt().run(map(generate, range(12))):
        assert (outcome.kind, outcome.difference) == (EQUAL, None)


def test_a_difference_is_found_and_shrunk(hunt: Callable[..., Hunt]) -> None:
    outcome = hunt(target="rabbitmq-4.2").compare(PROGRAM)
    assert outcome.kind == DIFFERENT
    assert [str(each) for each in outcome.program.operations] == [
        "0.1 exchange.declare(exchange='~x', type='nonsense')"
    ]
    difference = outcome.difference
    assert difference is not None
    assert difference.expected["0.0"][0]["reply_code"] == 503
    assert difference.found["0.1"][0]["reply_code"] == 406
    kept = outcome.as_json()
    assert Program.from_json(kept["program"]) == outcome.program
    assert kept["record"][0]["0.0"] == kept["expected"]["0.0"]


Answer = Callable[[int], Json]
"""What a broker that only the test knows answers the n-th time."""


@pytest.fixture
def answers(serve: Callable[[str], Address]) -> Iterator[Hunt]:
    """A hunt that asks nobody, once the test has set what is answered."""
    with Hunt(serve("rabbitmq-3.10"), serve("rabbitmq-3.10")) as hunt:
        yield hunt


def always(what: Json) -> Answer:
    return lambda _: what


@pytest.mark.parametrize(
    ("measure", "target", "kind"),
    [
        (lambda n: n + 1, always(0), UNSTEADY),
        (always({"reply_code": 541}), always(0), BROKEN),
        (always(5), lambda n: 5 if n else 4, EQUAL),
        (always(5), lambda n: 5 if n == 2 else 4, DIFFERENT),
        (lambda n: 5 if n < 9 else n, always(0), DIFFERENT),
    ],
)
def test_a_record_that_differs_is_looked_at_again(
    answers: Hunt, monkeypatch: pytest.MonkeyPatch, measure: Answer, target: Answer, kind: str
) -> None:
    asked = {answers._measure.address: 0, answers._target.address: 0}
    answering = {answers._measure.address: measure, answers._target.address: target}

    def execute(_: Program, address: Address, *__: object) -> list[Json]:
        asked[address] += 1
        return [{"n": answering[address](asked[address] - 1)}]

    monkeypatch.setattr(hunting, "execute", execute)
    assert answers.compare(PROGRAM).kind == kind


def test_a_shrunk_program_is_not_one_on_which_the_measure_fails(
    answers: Hunt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def execute(program: Program, address: Address, *_: object) -> list[Json]:
        if address == answers._target.address:
            return [{"n": 0}]
        return [{"n": {"reply_code": 541} if len(program.operations) < 3 else 1}]

    monkeypatch.setattr(hunting, "execute", execute)
    outcome = answers.compare(PROGRAM)
    assert (outcome.kind, len(outcome.program.operations)) == (DIFFERENT, 3)


@pytest.mark.parametrize(("apart", "kind"), [(0, UNSTEADY), (1, DIFFERENT)])
def test_a_difference_that_only_the_pace_makes_is_none(
    answers: Hunt, monkeypatch: pytest.MonkeyPatch, apart: int, kind: str
) -> None:
    def execute(program: Program, address: Address, *_: object) -> list[Json]:
        at_once = any(each.times > 1 for each in program.operations)
        return [{"n": (1 if at_once else apart) if address == answers._target.address else 0}]

    monkeypatch.setattr(hunting, "execute", execute)
    twice = Operation(0, 1, "basic.publish", {"routing_key": "~q"}, body="m", times=2)
    assert answers.compare(Program([*PROGRAM.operations, twice])).kind == kind


def test_patience_is_only_for_what_differs(answers: Hunt, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Patience] = []

    def execute(*arguments: object) -> list[Json]:
        assert isinstance(arguments[-1], Patience)
        seen.append(arguments[-1])
        return []

    monkeypatch.setattr(hunting, "execute", execute)
    assert answers.compare(PROGRAM).kind == EQUAL
    assert [each.pause for each in seen] == [0.0, 0.0]
