"""The gate: who is told what, and when it opens."""

from __future__ import annotations

import pytest

from minibroker.gate import BEHIND, DISK, MEMORY, Gate


class Watched:
    """A gate, and what was said of it."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.told: list[str | None] = []
        self.interrupts = 0
        self.gate.changed = self.told.append
        self.gate.interrupt = self._interrupt

    def _interrupt(self) -> None:
        self.interrupts += 1


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_it_is_on_while_there_is_a_reason(watched: Watched) -> None:
    gate = watched.gate
    assert not gate.on
    gate.shut(MEMORY, lambda: "much")
    gate.shut(DISK, lambda: "little")
    gate.open(MEMORY)
    assert gate.on
    gate._check()
    gate.open(DISK)
    assert not gate.on
    gate._check()
    assert watched.interrupts == 1


def test_connections_hear_of_each_change_of_the_words_once(watched: Watched) -> None:
    gate = watched.gate
    gate.shut(MEMORY, lambda: "a")
    gate.shut(MEMORY, lambda: "b")
    gate.shut(DISK, lambda: "c")
    gate.open(MEMORY)
    gate.open(DISK)
    assert watched.told == ["low on memory", "low on memory & disk", "low on disk", None]


def test_that_the_log_is_behind_makes_publishers_wait_and_nobody_hears_of_it(
    watched: Watched,
) -> None:
    gate = watched.gate
    gate.shut(BEHIND, lambda: "4 bytes wait")
    assert (gate.on, gate.words, gate.detail) == (True, None, "4 bytes wait")
    gate.open(BEHIND)
    assert (watched.told, watched.interrupts) == ([], 1)


def test_opening_for_a_reason_that_there_is_not_changes_nothing(watched: Watched) -> None:
    watched.gate.shut(DISK, lambda: "full")
    watched.gate.open(MEMORY)
    assert watched.gate.on
    assert (watched.told, watched.interrupts) == (["low on disk"], 0)


def test_the_detail_says_everything_as_it_is_when_somebody_asks(watched: Watched) -> None:
    gate = watched.gate
    used = [1]
    gate.shut(MEMORY, lambda: f"{used[0]} bytes")
    gate.shut(BEHIND, lambda: "behind")
    used[0] = 2
    assert gate.detail == "low on memory: 2 bytes; behind"


def test_by_itself_a_gate_tells_and_stops_nobody() -> None:
    gate = Gate()
    gate.shut(DISK, lambda: "full")
    gate.wait(None, lambda: False)
    gate.open(DISK)
    assert not gate.on


# -- who cannot wait in a thread


def test_who_asked_is_called_once_when_publishing_may_go_on(watched: Watched) -> None:
    gate = watched.gate
    called: list[str] = []
    gate.shut(MEMORY, lambda: "")
    gate.shut(BEHIND, lambda: "")
    gate.when_open(lambda: called.append("one"))
    gate.when_open(lambda: called.append("other"))
    gate.open(MEMORY)
    assert called == []
    gate.open(BEHIND)
    assert called == ["one", "other"]
    gate.shut(MEMORY, lambda: "")
    gate.open(MEMORY)
    assert called == ["one", "other"]


def test_who_asks_twice_is_called_once_and_who_is_gone_not_at_all(watched: Watched) -> None:
    gate = watched.gate
    called: list[str] = []

    def twice() -> None:
        called.append("twice")

    def gone() -> None:
        called.append("gone")

    gate.shut(DISK, lambda: "")
    gate.when_open(twice)
    gate.when_open(gone)
    gate.when_open(twice)
    gate.forget(gone)
    gate.forget(gone)
    gate.open(DISK)
    assert called == ["twice"]


def test_who_is_called_may_shut_the_gate_and_ask_again(watched: Watched) -> None:
    gate = watched.gate
    called: list[bool] = []

    def publishes() -> None:
        called.append(gate.on)
        if len(called) < 3:
            gate.shut(MEMORY, lambda: "")
            gate.when_open(publishes)

    gate.shut(MEMORY, lambda: "")
    gate.when_open(publishes)
    for _ in range(5):
        gate.open(MEMORY)
    assert called == [False] * 3
    gate._check()
