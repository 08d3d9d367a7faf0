"""Several links at work in this process, a thread each. Knows nothing of forwarding itself."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from .forwarding import Forwarder
from .link import BridgeLink, LinkError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from .health import Health

__all__ = ["Bridge", "with_opposites"]


class Bridge:
    """Forwards for its links from `start` until `stop`; `with` does both.

    Links that go the other way between the same two brokers are each other's `opposite`, without
    being told. `LinkError` when two have the same name. Its methods are for any thread.
    """

    def __init__(self, *links: BridgeLink) -> None:
        self._forwarders = [Forwarder(link) for link in with_opposites(links)]
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin. A side that is away is waited for in the background; `RuntimeError` if begun."""
        if self._threads:
            raise RuntimeError("the bridge was started before")
        self._threads = [
            threading.Thread(target=each.run, name=f"bridge {each.link.name}", daemon=True)
            for each in self._forwarders
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float | None = None) -> bool:
        """End: what was published is confirmed and deleted at its source, or stays there.

        Waits at most `timeout` seconds (None: until it is done); whether it has ended.
        """
        for each in self._forwarders:
            each.stop()
        return self.join(timeout)

    def join(self, timeout: float | None = None) -> bool:
        """Wait until it has ended, for at most so many seconds; whether it has."""
        end = None if timeout is None else time.monotonic() + timeout
        for thread in self._threads:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def health(self) -> dict[str, Health]:
        """What each link says of itself, by name: copies."""
        return {each.link.name: each.health() for each in self._forwarders}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.stop()


def with_opposites(links: tuple[BridgeLink, ...]) -> list[BridgeLink]:
    """The links, each with the names of those that go back. `LinkError` for a name twice."""
    if not links:
        raise LinkError("a bridge needs a link")
    names = [link.name for link in links]
    for name in names:
        if names.count(name) > 1:
            raise LinkError(f"two links are called {name!r}: give them different names")
    return [
        replace(link, opposite=[*link.opposite, *(o.name for o in links if link.goes_back(o))])
        for link in links
    ]
