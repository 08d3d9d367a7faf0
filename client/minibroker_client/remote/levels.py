"""Priorities on a system that has none: a queue for each level, leased from the highest down.

A queue `jobs` with `x-max-priority` 2 is three queues of the system: `jobs` has the lowest level,
and what other programs put there, and then there are `jobs.p1` and `jobs.p2`. Knows no system.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .driver import Leased, Outgoing, Put, QueueInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .driver import Driver, Facts, Features

__all__ = ["HIGHEST", "Levels", "with_levels"]

HIGHEST = 9
"""The highest `x-max-priority`: each level is asked for by itself."""


def with_levels(driver: Driver) -> Driver:
    """A driver that has priorities."""
    return driver if driver.features.priority else Levels(driver)


class Levels:
    """A driver on one without priorities. As thread-safe as that is."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.features: Features = replace(driver.features, priority=True, highest_priority=HIGHEST)
        self.levels: dict[str, list[str]] = {}
        """The queues of the system that a queue with priorities is, lowest first."""

    @property
    def lease_seconds(self) -> float:
        """That of the driver."""
        return self.driver.lease_seconds

    @property
    def facts(self) -> Facts:
        """Those of the driver."""
        return self.driver.facts

    def know(self, queue: QueueInfo) -> None:
        """A queue is there, or comes."""
        highest = queue.arguments.get("x-max-priority")
        if highest is None:
            self.levels.pop(queue.name, None)
            self.driver.know(queue)
            return
        names = [queue.name, *(f"{queue.name}.p{level}" for level in range(1, highest + 1))]
        self.levels[queue.name] = names
        for name in names:
            self.driver.know(QueueInfo(name, queue.arguments))

    def declare(self, queue: QueueInfo) -> None:
        """Make a queue for each level."""
        for name in self._names(queue.name):
            self.driver.declare(QueueInfo(name, queue.arguments))

    def _names(self, queue: str) -> list[str]:
        return self.levels.get(queue, [queue])

    def delete(self, queue: str) -> None:
        """Delete all levels."""
        for name in self._names(queue):
            self.driver.delete(name)
        self.levels.pop(queue, None)

    def size(self, queue: str) -> int:
        """What is ready in all levels."""
        return sum(self.driver.size(name) for name in self._names(queue))

    def purge(self, queue: str) -> int:
        """Delete what is ready in all levels."""
        return sum(self.driver.purge(name) for name in self._names(queue))

    def put(self, batch: Sequence[Outgoing]) -> Put:
        """Put each message into the queue of its level."""
        return self.driver.put([self._placed(each) for each in batch])

    def _placed(self, outgoing: Outgoing) -> Outgoing:
        names = self.levels.get(outgoing.queue)
        if names is None:
            return outgoing
        priority = min(outgoing.message.properties.priority or 0, len(names) - 1)
        return outgoing._replace(queue=names[priority])

    def lease(self, wanted: Sequence[tuple[str, int]], wait: float) -> list[Leased]:
        """Lease from the highest level down; then wait for any."""
        if not any(queue in self.levels for queue, _ in wanted):
            return self.driver.lease(wanted, wait)
        leased: list[Leased] = []
        belongs: dict[str, str] = {}
        rest: list[tuple[str, int]] = []
        for queue, most in wanted:
            names = self._names(queue)
            rest += [(name, most if name == queue else 1) for name in names]
            belongs |= dict.fromkeys(names, queue)
            left = most
            for name in reversed(names):
                found = self.driver.lease([(name, left)], 0.0) if left else []
                leased += found
                left -= len(found)
        if not leased and wait > 0:
            leased = self.driver.lease(rest, wait)
        return [each._replace(queue=belongs[each.queue], token=each) for each in leased]

    # -- settling: the token of a lease is the one of its level

    def ack(self, leases: Sequence[Leased]) -> list[Leased]:
        """Delete messages for good; returns those whose lease was lost."""
        return _ours(leases, self.driver.ack(_levels(leases)))

    def nack(self, leases: Sequence[Leased], delay: int = 0) -> None:
        """Give messages back."""
        self.driver.nack(_levels(leases), delay)

    def renew(self, leases: Sequence[Leased]) -> list[Leased]:
        """Begin the leases anew; returns those that were lost."""
        return _ours(leases, self.driver.renew(_levels(leases)))

    def close(self) -> None:
        """End the driver."""
        self.driver.close()


def _levels(leases: Sequence[Leased]) -> list[Leased]:
    return [each.token if isinstance(each.token, Leased) else each for each in leases]


def _ours(leases: Sequence[Leased], lost: list[Leased]) -> list[Leased]:
    if not lost:
        return []
    gone = {id(each) for each in lost}
    return [each for each in leases if id(each) in gone or id(each.token) in gone]
