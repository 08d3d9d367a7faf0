"""Connections to a system in memory, and a clock that the test moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker_client.remote import channel, connection, declared, transport

from .fake import Clock, FakeSide, FakeSystem, connected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of the connections that are made after it."""
    clock = Clock()
    for module in (channel, connection, declared, transport):
        monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def opened(clock: Clock) -> Iterator[Callable[..., FakeSide]]:
    """Makes connections to one system."""
    with connected() as opened:
        yield opened


@pytest.fixture
def side(opened: Callable[..., FakeSide]) -> FakeSide:
    """A connection with a queue `q`; its calls so far are forgotten."""
    side = opened()
    side.channel.declare_queue("q")
    side.driver.calls.clear()
    return side


@pytest.fixture
def system(side: FakeSide) -> FakeSystem:
    """What lies in the system of `side`."""
    return side.driver.system
