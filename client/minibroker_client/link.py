"""One connection of a transport, opened when it is needed and again when it was lost.

Knows where to connect and where else (failover); knows nothing of messages, pools or retried calls.
"""

from __future__ import annotations

import random
import time
from contextlib import suppress
from itertools import chain, cycle
from typing import TYPE_CHECKING, Any, ClassVar

from .exceptions import (
    ChannelException,
    ConnectionException,
    MessageNacked,
    OperationalError,
    RecoverableChannelError,
    RecoverableConnectionError,
)
from .retry import retry_over_time
from .transport import get_transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Self

    from .parameters import Parameters
    from .transport.base import Capabilities, Transport
    from .transport.base import Connection as TransportConnection

__all__ = ["FAILOVER_OPTIONS", "FAILOVER_STRATEGIES", "Link", "register_failover_strategy"]


def shuffled(urls: list[str]) -> Iterator[str]:
    """The URLs in a new random order on each round, for ever."""
    urls = list(urls)
    while True:
        random.shuffle(urls)
        yield from urls


FAILOVER_STRATEGIES: dict[str, Callable[[list[str]], Iterator[str]]] = {
    "round-robin": cycle,
    "shuffle": shuffled,
}


def register_failover_strategy(name: str, strategy: Callable[[list[str]], Iterator[str]]) -> None:
    """Let connections use a strategy by its name: a function that makes of the URLs an endless
    iterator of those to be tried, in turn. One of that name is replaced.
    """
    FAILOVER_STRATEGIES[name] = strategy


FAILOVER_OPTIONS = (
    "max_retries", "interval_start", "interval_step", "interval_max", "errback", "callback",
)  # fmt: skip


class Link:
    """The lazy connection below a `Connection`. One thread at a time."""

    connection_errors: ClassVar[tuple[type[Exception], ...]] = (ConnectionException, OSError)
    """What means that the connection is closed or lost."""
    channel_errors: ClassVar[tuple[type[Exception], ...]] = (ChannelException,)
    """What means that the channel is closed."""
    recoverable_connection_errors: ClassVar[tuple[type[Exception], ...]] = (
        RecoverableConnectionError,
        OSError,
    )
    """Those after which a new connection may do better."""
    recoverable_channel_errors: ClassVar[tuple[type[Exception], ...]] = (
        RecoverableChannelError,
        MessageNacked,
    )
    """Those after which trying again may do better."""

    sleep: Callable[[float], object] = staticmethod(time.sleep)
    """How to wait between attempts, in seconds: for tests."""

    transport_of: Callable[[str], Transport] = staticmethod(get_transport)
    """Which transport speaks a URL scheme."""

    def __init__(
        self,
        base: Parameters,
        url: str | None,
        alternates: Iterable[str],
        failover_strategy: str | Callable[[list[str]], Iterator[str]] | None,
        transport_options: Mapping[str, Any] | None,
    ) -> None:
        self.base = base
        """What a URL is completed with."""
        self.parameters = parameters = base if url is None else base.with_url(url)
        self.transport_options: dict[str, Any] = dict(transport_options or {})
        self.alt = list(alternates)
        self.failover_strategy = failover_strategy or "round-robin"
        self.declared_entities: set[int] = set()
        """What `maybe_declare` has declared since the connection was made."""
        self._transport: Transport = self.transport_of(parameters.transport)
        self._link: TransportConnection | None = None
        self._drain: Callable[[float | None], None] = self._connect_and_drain
        self.cycle: Iterator[str] | None = None
        if self.alt:
            strategy = self.failover_strategy
            if isinstance(strategy, str):
                if strategy not in FAILOVER_STRATEGIES:
                    known = ", ".join(sorted(FAILOVER_STRATEGIES))
                    raise ValueError(f"no failover strategy {strategy!r} (there is: {known})")
                strategy = FAILOVER_STRATEGIES[strategy]
            for other in self.alt:
                self.transport_of(base.with_url(other).transport)  # fails now, not at the failover
            self.cycle = strategy(self.alt)
            first = next(self.cycle)
            if base.with_url(first).identity() != parameters.identity():
                self.cycle = chain((first,), self.cycle)

    @property
    def link(self) -> TransportConnection:
        """The transport's connection. `RecoverableConnectionError` without an open one."""
        if self._link is None or self._link.closed:
            raise RecoverableConnectionError("the connection is closed")
        return self._link

    @property
    def connected(self) -> bool:
        """Whether there is an open connection."""
        return self._link is not None and not self._link.closed

    @property
    def capabilities(self) -> Capabilities:
        """What the transport can do."""
        return self._transport.capabilities

    def connect(self) -> Self:
        """Connect now, unless it is connected. Raises the transport's own error."""
        return self.ensure_connection(max_retries=0, reraise_as_library_errors=False)

    def ensure_connection(  # noqa: PLR0913 -- Kombu's signature
        self,
        errback: Callable[[BaseException, float], object] | None = None,
        max_retries: int | None = None,
        interval_start: float = 2,
        interval_step: float = 2,
        interval_max: float = 30,
        callback: Callable[[], object] | None = None,
        reraise_as_library_errors: bool = True,
        timeout: float | None = None,
    ) -> Self:
        """Connect unless connected, trying again and the alternates in turn.

        After each failure `errback(error, seconds)` is called, and after each round of all
        alternates it waits: `interval_start` seconds, then `interval_step` more each time up to
        `interval_max`; `callback` is called every second. `max_retries` (None: no limit) and
        `timeout` seconds in all end it with `OperationalError`, or the transport's own error.
        """
        if self.connected:
            return self

        def failed(error: BaseException, intervals: Iterator[float], retries: int) -> float:
            whole_round = not self.alt or not (retries + 1) % len(self.alt)
            interval = next(intervals) if whole_round else 0.0
            try:
                if errback is not None:
                    errback(error, interval)
            finally:
                self.maybe_switch_next()
            return interval

        errors = self.recoverable_connection_errors
        times = (interval_start, interval_step, interval_max)
        try:
            retry_over_time(
                self._open, errors, (), {}, failed, max_retries, *times, callback, timeout,
                jitter=self.transport_options.get("jitter", 0), sleep=self.sleep,
            )  # fmt: skip
        except errors as error:
            if reraise_as_library_errors:
                raise OperationalError(str(error)) from error
            raise
        return self

    def reconnect_once(self) -> None:
        """Try to connect, once; after a failure it is the next alternate's turn."""
        self._drop()
        try:
            self._open()
        except self.recoverable_connection_errors:
            self.maybe_switch_next()
            raise

    def _open(self) -> None:
        self.declared_entities.clear()
        address = self.parameters.address(self.transport_options)
        self._link = link = self._transport.connect(address)
        self._drain = link.drain

    def _retry_options(self) -> dict[str, Any]:
        """What the transport options say of how often to try to connect."""
        given = self.transport_options
        return {name: given[name] for name in FAILOVER_OPTIONS if name in given}

    def _failover_options(self) -> dict[str, Any]:
        options = self._retry_options()
        timeout = self.transport_options.get("connect_retries_timeout")
        options["timeout"] = self.parameters.connect_timeout if timeout is None else timeout
        return options

    def drain_events(self, timeout: float | None = None) -> None:
        """Wait for one event, up to `timeout` seconds (None: for ever), and deal with it.

        A delivery goes to its consumer's callbacks. `TimeoutError` (Python's `socket.timeout` is
        the same) when nothing came.
        """
        self._drain(timeout)

    def _connect_and_drain(self, timeout: float | None) -> None:
        self.connect()
        self._drain(timeout)

    def heartbeat_check(self, rate: int = 2) -> None:
        """Send and check heartbeats; call it about every second if `heartbeat` is set."""
        if self._link is not None:
            self._link.heartbeat_check()

    def maybe_switch_next(self) -> None:
        """Turn to the next alternate, if there are any. Does not connect."""
        if self.cycle is not None:
            self.switch(next(self.cycle))

    def switch(self, conn_str: str) -> None:
        """Turn to another URL or host name. Does not connect; the channels go on there."""
        self._drop()
        known = self.base if "://" in conn_str else self.parameters
        self.parameters = known.with_url(conn_str)
        self._transport = self.transport_of(self.parameters.transport)

    def _drop(self) -> None:
        """Close the connection; it is made again with its channels."""
        self.declared_entities.clear()
        self._drain = self._connect_and_drain
        if self._link is not None:
            link, self._link = self._link, None
            with suppress(*self.connection_errors):  # it was lost before
                link.close()

    def collect(self, socket_timeout: float | None = None) -> None:
        """Drop the connection without asking the other side: it is lost, or that of a parent.

        When it is made again, its channels come back.
        """
        self._drop()
