"""A broker on sockets: what listens for it, and what a server asks of it.

Knows no protocol and no socket: `server` does, and is imported when it is wanted (decision 16).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .connection import Connection

if TYPE_CHECKING:
    import ssl
    import threading
    from collections.abc import Callable

    from .access import Access
    from .host import Host
    from .profile import Profile
    from .server import HostedServer, ServerSettings, Serving
    from .users import Users
    from .vhost import VHost

__all__ = ["Serves"]


class Serves:
    """The part of a broker that is served. Thread-safe."""

    users: Users
    profile: Profile
    _host: Host
    _lock: threading.RLock
    _on_close: list[Callable[[], None]]

    def _ensure_open(self) -> None:
        raise NotImplementedError

    def _admit(self, vhost: str, user: str) -> tuple[VHost, Access]:
        """Where a user may connect, and what it may do there. Raises NotAllowed."""
        raise NotImplementedError

    def _enter(self, connection: Connection) -> None:
        connection.impersonates = self.users.impersonates(connection.user)
        connection.vhost.connections.add(connection)

    def listen(
        self,
        host: str = "localhost",
        port: int = 0,
        *,
        unix: str | None = None,
        tls: ssl.SSLContext | None = None,
        settings: ServerSettings | None = None,
    ) -> HostedServer:
        """Serve AMQP 0-9-1 on a socket, in a thread with an event loop of its own.

        Any number of times. The server ends with `close`, as a context manager, or with the broker.

        Args:
            host: "localhost" is 127.0.0.1 and ::1, "*" every address.
            port: 0 takes a free one: see `url` of what is returned.
            unix: the path of a Unix socket instead of host and port.
            tls: a context for the server's side, see `minibroker.server.tls`.
            settings: limits, heartbeats and timeouts.

        Raises OSError when it cannot listen there.
        """
        from .server.hosting import Address, HostedServer  # noqa: PLC0415 -- asyncio, if wanted

        self._ensure_open()
        server = HostedServer(self, Address(host, port, unix, tls), settings)
        self.on_close(server.close)
        return server

    def serve(
        self,
        host: str = "localhost",
        port: int = 0,
        *,
        unix: str | None = None,
        tls: ssl.SSLContext | None = None,
        settings: ServerSettings | None = None,
    ) -> Serving:
        """As `listen`, inside the running event loop of the application.

        `server = await broker.serve(port=0)` gives a server with `url` and `await server.close()`;
        `async with broker.serve(port=0) as server` closes it at the end.
        """
        from .server.hosting import Address, Serving  # noqa: PLC0415 -- asyncio, if wanted

        self._ensure_open()
        return Serving(self, Address(host, port, unix, tls), settings)

    def on_close(self, callback: Callable[[], None]) -> None:
        """Call back once when the broker closes, before its connections end."""
        self._on_close.append(callback)

    # -- what a server asks

    def attach(self, vhost: str, user: str) -> Connection:
        """A connection whose outbox a server empties. Raises as `connect` does."""
        with self._lock:
            host, access = self._admit(vhost, user)
            connection = Connection(host, user, access)
            self._enter(connection)
            return connection

    def refresh(self, connection: Connection) -> None:
        """Look again what a connection may do; consumers that may not read any more are cancelled.

        Source: RabbitMQ's `rabbit_channel`, for `connection.update-secret` (14).
        """
        with self._lock:
            connection.access = self.users.access(
                connection.user, connection.vhost.name, self.profile
            )
            for channel in connection.channels:
                channel.access_changed()

    @property
    def host(self) -> Host:
        """Lock, clock, timers and gate, for a server."""
        return self._host
