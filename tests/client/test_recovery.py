"""The rules of recovery, step by step; with real connections they are in `resilience`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from minibroker_client.exceptions import ConnectionLost, NotFound
from minibroker_client.recovery import recovered, run
from minibroker_client.topology import Binding, Topology


def test_without_channels_or_declarations_there_is_nothing_to_do() -> None:
    run(recovered(Topology(), None, []))


def test_a_driver_hands_results_and_errors_to_the_steps() -> None:
    seen: list[Any] = []

    def steps() -> Any:
        seen.append((yield int, ("5",), {}))
        try:
            yield int, ("x",), {}
        except ValueError as error:
            seen.append(str(error))
        seen.append((yield dict, (), {"a": 1}))

    run(steps())
    assert seen[0] == 5
    assert "invalid literal" in seen[1]
    assert seen[2] == {"a": 1}


def test_an_error_that_the_steps_do_not_expect_ends_it() -> None:
    topology = Topology()
    topology.queues["q"] = {"name": "q"}

    def lost(**_: object) -> None:
        raise ConnectionLost("again")

    raw = SimpleNamespace(declare_queue=lost, close=lambda: None)
    with pytest.raises(ConnectionLost):
        run(recovered(topology, SimpleNamespace(channel=lambda _: raw), []))


def test_a_binding_that_is_refused_does_not_keep_the_next_from_coming() -> None:
    topology = Topology()
    topology.bindings[Binding(True, "q", "gone", "", None)] = None
    topology.bindings[Binding(True, "q", "there", "", None)] = None
    bound: list[str] = []
    opened: list[int] = []

    def bind(*, exchange: str, **_: object) -> None:
        if exchange == "gone":
            raise NotFound("no exchange")
        bound.append(exchange)

    def channel(_: object) -> Any:
        opened.append(1)
        return SimpleNamespace(bind_queue=bind, close=lambda: None)

    run(recovered(topology, SimpleNamespace(channel=channel), []))
    assert bound == ["there"]
    assert len(opened) == 2
