"""The connection's side that asks the system, and reads what others declared there."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from minibroker.connection import Connection
from minibroker.errors import AMQPError, ConnectionForced

from .driver import DriverError, Leased, Outgoing
from .queue import RemoteEntry
from .vhost import RemoteVHost

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.message import Message

    from .driver import Driver

__all__ = ["Declared"]

T = TypeVar("T")
READ_AGAIN = 1.0
"""Seconds after which a consumer looks for what others declared, where that tells itself."""


class Declared(Connection):
    """A connection of the broker's model whose entities lie in a system. Thread-safe."""

    vhost: RemoteVHost

    def __init__(self, vhost: RemoteVHost, driver: Driver, lock: threading.RLock) -> None:
        super().__init__(vhost)
        self.driver = driver
        self.lock = lock
        self.held: dict[int, RemoteEntry] = {}
        """What is leased and not settled, by identity of the entry."""
        self.going: list[Outgoing] = []
        """What goes out with the next `flush`."""
        self.settled: list[Leased] = []
        """What is acked with the next `flush`."""
        self.returned: list[Leased] = []
        """What is given back with the next `flush`."""
        self.abandoned: list[Leased] = []
        """What was leased when the system was lost."""
        self.version: object = None
        """That of the facts that were read."""
        self._read_at = 0.0

    def ask(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call the driver; when it has lost the system the connection ends with that."""
        try:
            return function(*arguments)
        except DriverError as error:
            raise self.lost(error) from error
        except Exception as error:
            if not self.closed:
                raise
            # Another thread closed it meanwhile: whatever a library says to that.
            raise self.error or ConnectionForced("the connection is closed") from error

    def lost(self, error: Exception) -> AMQPError:
        """The system is gone: nothing more is asked of it. The error to raise."""
        failure = ConnectionForced(str(error))
        with self.lock:
            self.vhost.reading = True  # what ends with the connection ends here only
            if not self.closed:
                self.abandoned = [entry.lease for entry in self.held.values() if not entry.lost]
            self.going, self.settled, self.returned = [], [], []
            self.close(failure)
        return self.error or failure

    def refresh(self, at_once: bool = False) -> None:
        """Read what others have declared, if that was long ago; with `at_once` in any case."""
        driver = self.driver
        if not at_once:
            age = time.monotonic() - self._read_at
            if age < (driver.features.refresh or READ_AGAIN):
                return
        with self.lock:
            version = self.ask(driver.facts.version)
            if version is None or version != self.version:
                self.read(version)
            self._read_at = time.monotonic()

    def read(self, version: object) -> None:
        """Read what is declared; `version` was asked for before."""
        self.vhost.read(self.ask(self.driver.facts.load))
        self.version = version

    def routes(self, message: Message) -> tuple[Any, ...]:
        """The queues that a message goes to, as far as is known here; nothing happens by asking.

        An exchange that delays it counts as one.
        """
        vhost = self.vhost
        exchange = vhost.exchanges.get(message.exchange)
        if exchange is None:
            return ()
        route = vhost.router.plan(exchange, message)
        return route.queues or route.holders
