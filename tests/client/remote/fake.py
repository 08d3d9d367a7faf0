"""A system in memory, and a driver for it that records its calls and fails when it is told to."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from minibroker_client.remote import (
    DriverError,
    Features,
    Leased,
    Outgoing,
    QueueInfo,
    RemoteTransport,
)
from minibroker_client.remote.driver import Put, Refused
from minibroker_client.transport.base import Address, Listener

from ..transport.side import Side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from minibroker_client.remote.connection import RemoteConnection

__all__ = [
    "FEATURES",
    "Clock",
    "FakeDriver",
    "FakeSide",
    "FakeSystem",
    "Kept",
    "StillKeeper",
    "connected",
]

FEATURES = Features(priority=True, strict_order=True, wake_up=True)


@dataclass(slots=True, eq=False)
class Kept:
    """A message in the system; `token` is that of its lease, None while it is ready."""

    outgoing: Outgoing
    count: int = 0
    token: object = None
    due: int | None = None


@dataclass(slots=True, eq=False)
class FakeSystem:
    """What all drivers of a test see."""

    facts: dict[str, str] = field(default_factory=dict)
    changes: int = 0
    queues: defaultdict[str, list[Kept]] = field(default_factory=lambda: defaultdict(list))

    def bodies(self, queue: str) -> list[bytes]:
        """What is ready."""
        return [each.outgoing.message.body for each in self.queues[queue] if each.token is None]

    def lose_leases(self) -> None:
        """All leases end."""
        for kept in self.queues.values():
            for each in kept:
                each.token = None


class FakeDriver:
    """One connection to the system. `calls` are names, with the bodies that they were about."""

    lease_seconds = 30.0

    def __init__(self, system: FakeSystem, features: Features = FEATURES) -> None:
        self.system = system
        self.features = features
        self.facts = self
        self.calls: list[tuple[Any, ...]] = []
        self.fails: set[str] = set()
        """Methods that find the system lost."""
        self.refuses: set[bytes] = set()
        """Bodies that the system does not take."""
        self.before: dict[str, Callable[[], object]] = {}
        """What happens once, just before a method."""
        self.tells = True
        """Whether `put` returns the version."""

    def _called(self, name: str, *about: Any) -> None:
        self.calls.append((name, *about))
        self.before.pop(name, lambda: None)()
        if name in self.fails:
            raise DriverError(f"{name} failed")

    def taken(self, *names: str) -> list[tuple[Any, ...]]:
        """The calls of these names so far, which are forgotten with all others."""
        found = [call for call in self.calls if call[0] in names]
        self.calls.clear()
        return found

    # -- facts

    def version(self) -> object:
        self._called("version")
        return self.system.changes

    def load(self) -> dict[str, str]:
        self._called("load")
        return dict(self.system.facts)

    def add(self, key: str, value: str) -> str:
        self._called("add", key)
        if key not in self.system.facts:
            self.system.changes += 1
        return self.system.facts.setdefault(key, value)

    def remove(self, keys: Sequence[str]) -> None:
        self._called("remove", *sorted(keys))
        self.system.changes += 1
        for key in keys:
            self.system.facts.pop(key, None)

    # -- queues

    def know(self, queue: QueueInfo) -> None:
        self._called("know", queue.name)

    def declare(self, queue: QueueInfo) -> None:
        self._called("declare", queue.name)

    def delete(self, queue: str) -> None:
        self._called("delete", queue)
        self.system.queues.pop(queue, None)

    def size(self, queue: str) -> int:
        self._called("size", queue)
        return len(self.system.bodies(queue))

    def purge(self, queue: str) -> int:
        self._called("purge", queue)
        kept = self.system.queues[queue]
        self.system.queues[queue] = [each for each in kept if each.token is not None]
        return len(kept) - len(self.system.queues[queue])

    # -- messages

    def put(self, batch: Sequence[Outgoing]) -> Put:
        self._called("put", *((each.queue, each.message.body) for each in batch))
        answer = Put(self.system.changes if self.tells else None)
        for place, each in enumerate(batch):
            if each.message.body in self.refuses:
                answer.refused.append(Refused(place, f"{each.message.body!r} is refused"))
            else:
                self.system.queues[each.queue].append(Kept(each))
        return answer

    def lease(self, wanted: Sequence[tuple[str, int]], wait: float) -> list[Leased]:
        self._called("lease", *wanted)
        leased = []
        for queue, most in wanted:
            ready = [each for each in self.system.queues[queue] if each.token is None]
            for each in ready[:most]:
                each.token = object()
                message, expires = each.outgoing.message, each.outgoing.expires
                leased.append(Leased(queue, each.token, message, each.count, expires, each.due))
                each.count += 1
        return leased

    def ack(self, leases: Sequence[Leased]) -> list[Leased]:
        self._called("ack", *(each.message.body for each in leases))
        lost = []
        for lease in leases:
            kept = self._kept(lease)
            if kept is None:
                lost.append(lease)
            else:
                self.system.queues[lease.queue].remove(kept)
        return lost

    def nack(self, leases: Sequence[Leased], delay: int = 0) -> None:
        about = [*(each.message.body for each in leases), *([delay] if delay else [])]
        self._called("nack", *about)
        for lease in leases:
            kept = self._kept(lease)
            if kept is not None:
                kept.token = None

    def renew(self, leases: Sequence[Leased]) -> list[Leased]:
        self._called("renew", *(each.message.body for each in leases))
        return [lease for lease in leases if self._kept(lease) is None]

    def _kept(self, lease: Leased) -> Kept | None:
        kept = self.system.queues[lease.queue]
        return next((each for each in kept if each.token is lease.token), None)

    def close(self) -> None:
        self.calls.append(("close",))


class StillKeeper:
    """Stands for the keeper of a connection, and does nothing in the background."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def hold(self) -> None:
        self.told.append("hold")

    def settled(self) -> None:
        self.told.append("settled")

    def stop(self) -> None:
        self.told.append("stop")


class Clock:
    """Stands for the module `time`: sleeping moves it on, and is written down."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.seconds

    def time_ns(self) -> int:
        return int(self.seconds * 1e9)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


class FakeSide(Side):
    """A side on the system."""

    def __init__(self, driver: FakeDriver) -> None:
        self.driver = driver
        super().__init__(RemoteTransport(lambda _: driver, driver.features), Address("fake"))
        self.remote: RemoteConnection = self.connection.remote  # type: ignore[attr-defined]  # ours
        self.keeper = StillKeeper()
        keeper: Any = self.keeper
        self.remote.keeper = keeper

    def consume(self, queue: str = "q", **options: Any) -> str:
        tag: str = self.channel.consume(queue, self.deliveries.append, **options)
        return tag

    def another(self) -> Any:
        """Another channel of the connection."""
        return self.connection.channel(Listener(self.returned.append, self.cancelled.append))

    def drain_all(self) -> list[bytes]:
        """Deal with all that comes now; the bodies of the new deliveries."""
        count = len(self.deliveries)
        try:
            while True:
                self.connection.drain(0)
        except TimeoutError:
            return [each.message.body for each in self.deliveries[count:]]


@contextmanager
def connected() -> Iterator[Callable[..., FakeSide]]:
    """Makes sides of one system, and closes them."""
    system = FakeSystem()
    sides: list[FakeSide] = []

    def opened(features: Features = FEATURES) -> FakeSide:
        sides.append(FakeSide(FakeDriver(system, features)))
        return sides[-1]

    yield opened
    for side in sides:
        side.driver.fails.clear()
        side.connection.close()
