from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from minibroker_client.drivers.mongodb import clock as module
from minibroker_client.drivers.mongodb.clock import ServerClock

HERE = 1_700_000_000_000
"""Milliseconds on this machine, at which its clock stands still."""


class Time:
    """The clock of this machine: a question takes 200 ms."""

    def __init__(self) -> None:
        self.asked = [HERE, HERE + 200]

    def time_ns(self) -> int:
        return (self.asked.pop(0) if self.asked else HERE) * 1_000_000


def client_saying(answer: dict[str, Any]) -> Any:
    return SimpleNamespace(admin=SimpleNamespace(command=lambda _: answer))


@pytest.fixture(autouse=True)
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(module, "time", time)
    return time


@pytest.mark.parametrize("ahead", [5000, 0, -86_400_000])
def test_the_server_said_its_time_halfway_through_the_question(ahead: int) -> None:
    there = datetime.fromtimestamp((HERE + 100 + ahead) / 1000, UTC)
    clock = ServerClock()
    clock.ask(client_saying({"localTime": there}))
    assert clock.ahead == ahead
    assert clock.now() == HERE + ahead


def test_a_server_that_does_not_tell_counts_as_equal() -> None:
    clock = ServerClock()
    clock.ask(client_saying({}))
    assert clock.now() == HERE


def test_before_it_was_asked_it_counts_as_equal() -> None:
    assert ServerClock().now() == HERE
