"""The broker: virtual hosts, users, the lock and the clock. What an application embeds.

Knows no rule of AMQP: it puts the model together and keeps time for it.
"""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, Self

from .administration import Administration
from .alarm import Alarm
from .blocking import Blocking
from .clock import Clock, ManualClock, SystemClock
from .connection import Connection
from .durable import Durability, DurabilityOptions
from .errors import NotAllowed
from .gate import MEMORY
from .host import Host
from .limits import check_connection_limits
from .local import LocalConnection
from .passwords import SALT_SIZE
from .profile import DEFAULT, Profile, get_profile
from .serving import Serves
from .store import SEGMENT_SIZE
from .ticker import Ticker
from .users import Users
from .vhost import VHost

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from .access import Access
    from .store import FileSystem

__all__ = ["Broker"]

BLOCKED_TIMEOUT = 60.0
"""Seconds that a publisher waits by default while the broker is over its memory limit."""


class Broker(Administration, Serves):
    """A message broker in this process. Thread-safe; any number per process; `with` closes it.

    Args:
        clock: a `ManualClock` to let a test decide what time it is; otherwise the system's.
            With the system's clock what falls due happens on time in a daemon thread, which
            starts with the first deadline.
        profile: which RabbitMQ version clients see: a name in `PROFILES`, or a `Profile`.
        memory_limit: bytes that the queues may hold in memory; above it publishers wait. None:
            no limit.
        blocked_timeout: seconds that they wait before `publish` raises PublisherBlocked; None:
            for ever. They wait also while a log cannot be written.
        data: the directory of a log, made if it is not there: what is durable outlives the
            process. None: everything is in memory.
        fsync: what a confirm promises of a broker with a log. "always": the message is on the
            disk. "interval:100ms": it is with the operating system, and on the disk that much
            later. "never": it is with the operating system. See docs/durability.md.
        compress: "lz4" to compress bodies from 1 KiB on in the log.
        segment_size: bytes of one file of the log.

    Raises ValueError for an unknown profile, a limit below 0 or an invalid setting of the log;
    LogLocked when the log is open already, LogDamaged and LogVersionUnknown when it cannot be
    read, OSError.
    """

    def __init__(  # noqa: PLR0913 -- the settings of a broker
        self,
        *,
        clock: Clock | None = None,
        profile: str | Profile = DEFAULT,
        memory_limit: int | None = None,
        blocked_timeout: float | None = BLOCKED_TIMEOUT,
        data: str | os.PathLike[str] | FileSystem | None = None,
        fsync: str = "always",
        compress: str | None = None,
        segment_size: int = SEGMENT_SIZE,
    ) -> None:
        self.clock: Clock = SystemClock() if clock is None else clock
        self.profile = get_profile(profile)
        self.users = Users()
        self.closed = False
        self._on_close: list[Callable[[], None]] = []
        self._lock = threading.RLock()
        self._host = Host(self.clock.now, _unique, self._lock, self.profile)
        gate = self._host.gate
        self._blocking = Blocking(gate, blocked_timeout, self._lock, self._connections)
        if memory_limit is not None:
            self._host.alarm = Alarm(memory_limit, self._memory_changed)
        options = DurabilityOptions(fsync, compress, segment_size)
        self.timers = self._host.timers
        self._ticker: Ticker | None = None
        if isinstance(self.clock, ManualClock):
            self.clock.attach(self)
        else:
            self._ticker = Ticker(self, self.clock)
            self.timers.on_earlier = self._ticker.earlier
        self.vhosts = self._host.vhosts
        self.vhosts["/"] = VHost("/", self._host)
        self._durability: Durability | None = None
        if data is not None:
            self._open(data, options)

    def _open(self, data: str | os.PathLike[str] | FileSystem, options: DurabilityOptions) -> None:
        try:
            with self._lock:
                durability = Durability(data, options, self._host, self.users, self._lock)
        except BaseException:
            self._stop_clock()
            self.closed = True
            raise
        self._durability = durability
        self._blocking.assist = durability.committer.relieve
        if not isinstance(self.clock, ManualClock):
            durability.start()  # with a clock that stands still there is no thread

    # -- connections

    def connect(self, vhost: str = "/", user: str = "guest") -> LocalConnection:
        """Open a connection within this process.

        Raises NotAllowed for an unknown virtual host, for a user without permissions there, and
        when the limit of connections of broker, virtual host or user is reached.
        """
        with self._lock:
            host, access = self._admit(vhost, user)
            connection = LocalConnection(host, self._lock, user, access)
            connection.keeper = self
            self._enter(connection)
            return connection

    def _admit(self, vhost: str, user: str) -> tuple[VHost, Access]:
        self._ensure_open()
        host = self.vhosts.get(vhost)
        if host is None:
            raise NotAllowed(f"vhost {vhost} not found")
        access = self.users.access(user, vhost, self.profile)
        check_connection_limits(host, user, self.users.connections(user))
        return host, access

    def _salt(self) -> bytes:
        return secrets.token_bytes(SALT_SIZE)

    # -- memory

    @property
    def memory_used(self) -> int | None:
        """Bytes that the queues hold, counted where there is a limit; None without one."""
        return None if self._host.alarm is None else self._host.alarm.used

    def _memory_changed(self, on: bool) -> None:
        alarm = self._host.alarm
        assert alarm is not None
        if on:
            self._host.gate.shut(
                MEMORY,
                lambda: f"the queues hold {alarm.used} bytes, the limit is {alarm.limit}",
            )
        else:
            self._host.gate.open(MEMORY)

    def _connections(self) -> Iterator[Connection]:
        for host in self.vhosts.values():
            yield from host.connections

    # -- time

    def next_deadline(self) -> int | None:
        """When something falls due next, in milliseconds since the epoch."""
        with self._lock:
            return self.timers.next

    def run_due(self, now: int) -> None:
        """Run what is due at `now`; clocks call it."""
        with self._lock:
            if not self.closed:
                self.timers.run_due(now)

    # -- the log

    def sync(self) -> None:
        """Return when everything so far that is durable is on the disk, whatever `fsync` is.

        Without a log it returns at once. Raises InternalError when it cannot be written.
        """
        if self._durability is not None:
            self._durability.committer.wait(sync=True)

    def snapshot(self, path: str | os.PathLike[str]) -> None:
        """Copy the log as it is now into a directory, from which a broker can be opened.

        The directory has to be empty, or is made. Publishing goes on meanwhile. Raises
        FileExistsError when something is there, ValueError for a broker without a log, LogError
        while the log cannot be written, and OSError.
        """
        if self._durability is None:
            raise ValueError("a broker without a log has nothing to copy: give it data=...")
        self._durability.snapshot(path)

    # -- the end

    def close(self) -> None:
        """Close all connections and stop keeping time. Closing twice does nothing.

        With a log, everything that is durable is on the disk when this returns, whatever `fsync`
        is; LogError says that it is not, and the broker is closed all the same.
        """
        while self._on_close:
            self._on_close.pop()()
        with self._lock:
            if self.closed:
                return
            for connection in list(self._connections()):
                connection.close()
            self.closed = True
        self._stop_clock()
        if self._durability is not None:
            self._durability.close()

    def _stop_clock(self) -> None:
        if self._ticker is not None:
            self._ticker.stop()
        if isinstance(self.clock, ManualClock):
            self.clock.detach(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Broker {self.profile.name} {len(self.vhosts)} virtual hosts>"

    def _check(self) -> None:
        """Assert the invariants of everything in it; for tests."""
        with self._lock:
            for host in self.vhosts.values():
                host._check()
            self.timers._check()


def _unique() -> str:
    return secrets.token_urlsafe(16)
