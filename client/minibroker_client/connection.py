"""A connection to a broker as an application holds it, with Kombu's names; and pools of them.

Knows no transport: `link` opens what the URL asks for.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, cast

from .connection_pool import ChannelPool, ConnectionPool
from .consumer import Consumer
from .exceptions import OperationalError
from .parameters import MASK, Parameters
from .producer import Producer
from .resilient import ResilientLink
from .retry import RetryPolicy
from .simple import SimpleBuffer, SimpleQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from .channel import Channel
    from .parameters import Password
    from .queue import Queue
    from .transport.base import EmbeddedBroker

__all__ = ["BrokerConnection", "ChannelPool", "Connection", "ConnectionPool", "is_connection"]


class Factories(ResilientLink):
    """What a connection makes."""

    def Producer(self, channel: Channel | None = None, *args: Any, **kwargs: Any) -> Producer:  # noqa: N802 -- Kombu's name
        """A `Producer` on a channel, or else on this connection; arguments as there."""
        return Producer(channel or self._as_connection(), *args, **kwargs)

    def Consumer(  # noqa: N802 -- Kombu's name
        self,
        queues: Queue | Iterable[Queue] | None = None,
        channel: Channel | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Consumer:
        """A `Consumer` on a channel, or else on this connection; arguments as there."""
        return Consumer(channel or self._as_connection(), queues, *args, **kwargs)

    def SimpleQueue(  # noqa: N802 -- Kombu's name and signature
        self,
        name: str | Queue,
        no_ack: bool | None = None,
        queue_opts: Mapping[str, Any] | None = None,
        queue_args: Mapping[str, Any] | None = None,
        exchange_opts: Mapping[str, Any] | None = None,
        channel: Channel | None = None,
        **kwargs: Any,
    ) -> SimpleQueue:
        """A `SimpleQueue` on a channel, or else on this connection; arguments as there."""
        return SimpleQueue(
            channel or self._as_connection(), name, no_ack, queue_opts, queue_args, exchange_opts,
            **kwargs,
        )  # fmt: skip

    def SimpleBuffer(  # noqa: N802 -- Kombu's name and signature
        self,
        name: str | Queue,
        no_ack: bool | None = None,
        queue_opts: Mapping[str, Any] | None = None,
        queue_args: Mapping[str, Any] | None = None,
        exchange_opts: Mapping[str, Any] | None = None,
        channel: Channel | None = None,
        **kwargs: Any,
    ) -> SimpleBuffer:
        """A `SimpleBuffer` on a channel, or else on this connection; arguments as there."""
        return SimpleBuffer(
            channel or self._as_connection(), name, no_ack, queue_opts, queue_args, exchange_opts,
            **kwargs,
        )  # fmt: skip

    def Pool(self, limit: int | None = None) -> ConnectionPool:  # noqa: N802 -- Kombu's name
        """A pool of connections like this one. None: any number."""
        return ConnectionPool(self._as_connection(), limit)

    def ChannelPool(self, limit: int | None = None) -> ChannelPool:  # noqa: N802 -- Kombu's name
        """A pool of channels of this connection. None: any number."""
        return ChannelPool(self._as_connection(), limit)


class Connection(Factories):
    """A connection to a broker, opened when it is first needed; `with` closes it.

    `hostname` is a URL such as `memory://name`, or several of them (a list, or separated by `;`)
    to fail over between, or a broker object of this process, which is used and left open. What a
    URL says wins over the other arguments. `failover_strategy` is "round-robin", "shuffle" or a
    function that makes an endless iterator of the URLs. `password` may be a function.
    `connect_timeout` and `heartbeat` are seconds. All transports know these options:
    `confirm_publish` puts the channels in confirm mode; `max_retries`, `interval_start`,
    `interval_step`, `interval_max`, `connect_retries_timeout`, `errback` and `callback` are for
    connecting.

    `ValueError` for a URL scheme that there is no transport for. One thread at a time.
    """

    pool: ConnectionPool | None = None
    """The pool that it goes back to."""

    def __init__(  # noqa: PLR0913 -- Kombu's signature
        self,
        hostname: str | Sequence[str] | EmbeddedBroker | None = "localhost",
        userid: str | None = None,
        password: Password = None,
        virtual_host: str | None = None,
        port: int | None = None,
        ssl: bool | Mapping[str, Any] = False,
        transport: str | None = None,
        connect_timeout: float | None = 5,
        transport_options: Mapping[str, Any] | None = None,
        heartbeat: float | None = None,
        failover_strategy: str | Callable[[list[str]], Iterator[str]] = "round-robin",
        alternates: Iterable[str] | None = None,
    ) -> None:
        """See the class."""
        urls, broker = _destinations(hostname)
        parameters = Parameters(
            None, userid, password, virtual_host or "/", port, ssl, transport or "amqp",
            connect_timeout, heartbeat, broker,
        )  # fmt: skip
        if broker is not None:
            parameters.transport = "memory"
        alternates = [*(urls if len(urls) > 1 else ()), *(alternates or ())]
        url = urls[0] if urls else None
        super().__init__(parameters, url, alternates, failover_strategy, transport_options)

    def _as_connection(self) -> Connection:
        return self

    @property
    def client(self) -> Self:
        """Itself: Kombu's `channel.connection.client`."""
        return self

    # -- calls that are tried again

    def ensure(  # noqa: PLR0913 -- Kombu's signature
        self,
        obj: Any,
        fun: Callable[..., Any],
        errback: Callable[[BaseException, float], object] | None = None,
        max_retries: int | None = None,
        interval_start: float = 1,
        interval_step: float = 1,
        interval_max: float = 1,
        on_revive: Callable[[Channel], object] | None = None,
        retry_errors: tuple[type[BaseException], ...] | None = None,
        jitter: float = 0,
    ) -> Callable[..., Any]:
        """A function that calls `fun` and tries again when the connection or channel fails.

        After a lost connection or closed channel `obj.revive(channel)` and `on_revive(channel)` get
        the new one. Errors in `retry_errors` are retried, too. `errback(error, seconds)` is told
        of each. `max_retries` is how often it tries again (None: for ever), the intervals are
        seconds as for `ensure_connection`, `jitter` is the random part of each wait, 0 to 1. What
        remains is raised as `OperationalError` if it was a recoverable error, or else as it is.
        """
        policy = RetryPolicy(
            max_retries, interval_start, interval_step, interval_max, None, errback, on_revive,
            retry_errors or (), jitter,
        )  # fmt: skip
        lost = self.recoverable_connection_errors
        again = (*policy.retry_errors, *lost, *self.recoverable_channel_errors)

        def ensured(*args: Any, **kwargs: Any) -> Any:
            intervals = policy.intervals()
            for retries in count():
                try:
                    return fun(*args, **kwargs)
                except again as error:
                    if max_retries is not None and retries >= max_retries:
                        if isinstance(error, policy.retry_errors):
                            raise
                        raise OperationalError(str(error)) from error
                    self._recover(obj, error, policy, next(intervals))
            return None  # pragma: no cover -- count() does not end

        ensured.__name__ = f"{getattr(fun, '__name__', 'call')}(ensured)"
        ensured.__doc__ = fun.__doc__
        return ensured

    def _recover(self, obj: Any, error: BaseException, policy: RetryPolicy, wait: float) -> None:
        """Do what it takes before a call can be tried again."""
        if isinstance(error, self.recoverable_connection_errors):
            if not self.connected:
                self.maybe_switch_next()
                self.collect()
            if policy.errback is not None:
                policy.errback(error, 0)
            self.ensure_connection(
                policy.errback, policy.max_retries, policy.interval_start, policy.interval_step,
                policy.interval_max,
            )  # fmt: skip
        else:
            if policy.errback is not None:
                policy.errback(error, wait)
            self.sleep(wait)
        channel = self.default_channel
        obj.revive(channel)
        if policy.on_revive is not None:
            policy.on_revive(channel)

    def autoretry(
        self, fun: Callable[..., Any], channel: Channel | None = None, **ensure_options: Any
    ) -> Callable[..., tuple[Any, Channel]]:
        """A function that calls `fun(*args, channel=…)` with the retries of `ensure`.

        It returns the result and the channel in use at the end.
        """
        revival = _Revival(self, fun, channel)
        return self.ensure(revival, revival, **ensure_options)

    def revive(self, new_channel: Channel) -> None:
        """Take a channel for the default one; the old one is closed."""
        old, self._default_channel = self._default_channel, new_channel
        if old is not None and old is not new_channel:
            self.maybe_close_channel(old)

    def maybe_close_channel(self, channel: Channel) -> None:
        """Close a channel, ignoring connection and channel errors."""
        try:
            channel.close()
        except self.connection_errors + self.channel_errors:
            pass

    # -- what it is

    def info(self) -> dict[str, Any]:
        """The arguments that make a connection like this one."""
        parameters = self.parameters
        return {
            "hostname": parameters.broker or parameters.hostname,
            "userid": parameters.userid,
            "password": parameters.password,
            "virtual_host": parameters.virtual_host,
            "port": parameters.port,
            "ssl": parameters.ssl,
            "transport": parameters.transport,
            "connect_timeout": parameters.connect_timeout,
            "transport_options": self.transport_options,
            "heartbeat": parameters.heartbeat,
            "failover_strategy": self.failover_strategy,
            "alternates": self.alt,
        }

    def clone(self, **kwargs: Any) -> Connection:
        """Another connection with the same settings, not connected; `kwargs` change some."""
        return Connection(**{**self.info(), **kwargs})

    def as_uri(self, include_password: bool = False, mask: str = MASK) -> str:
        """The URL; the password is masked unless asked for."""
        return self.parameters.as_uri(include_password, mask)

    def identity(self) -> tuple[object, ...]:
        """Equal for connections to the same place, as the same user, with the same options."""
        return (*self.parameters.identity(), repr(self.transport_options))

    def supports_exchange_type(self, exchange_type: str) -> bool:
        """Whether the transport has this type of exchange."""
        return exchange_type in self.capabilities.exchange_types

    def release(self) -> None:
        """Close it, or give it back to its pool."""
        if self.pool is None:
            self._close()
        else:
            self.pool.release(self)

    def close(self) -> None:
        """The same as `release`."""
        self.release()

    def discard(self) -> None:
        """Take it out of its pool, if it is from one, and close it: it may be defective."""
        if self.pool is not None:
            self.pool.replace(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        """Release it; after an error one from a pool is not used again."""
        if exc_type is not None:
            self.discard()
        self.release()

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self.info(),)

    def __repr__(self) -> str:
        return f"<Connection: {self.as_uri()} at {id(self):#x}>"


BrokerConnection = Connection


class _Revival:
    """A call with a channel that can be exchanged between attempts."""

    def __init__(
        self, connection: Connection, fun: Callable[..., Any], channel: Channel | None
    ) -> None:
        self.connection = connection
        self.fun = fun
        self.channel = channel
        self.__name__ = getattr(fun, "__name__", "call")
        self.__doc__ = fun.__doc__

    def revive(self, channel: Channel) -> None:
        self.channel = channel

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[Any, Channel]:
        if self.channel is None:
            self.channel = self.connection.default_channel
        return self.fun(*args, channel=self.channel, **kwargs), self.channel


def _destinations(
    hostname: str | Sequence[str] | EmbeddedBroker | None,
) -> tuple[list[str], EmbeddedBroker | None]:
    """The URLs in `Connection`'s first argument, or the broker that it is."""
    if hostname is None:
        return [], None
    if isinstance(hostname, str):
        return hostname.split(";"), None
    if hasattr(hostname, "connect"):
        return [], cast("EmbeddedBroker", hostname)
    return list(cast("Sequence[str]", hostname)), None  # type: ignore[redundant-cast]  # not to pyright


def _unpickled(info: dict[str, Any]) -> Connection:
    return Connection(**info)


def is_connection(obj: object) -> bool:
    """Whether it is a connection (and not a channel)."""
    return isinstance(obj, Connection)
