"""A server in a thread of its own, or in the event loop of an application. Knows no protocol."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

from .listener import Server
from .loops import new_event_loop

if TYPE_CHECKING:
    import ssl
    from collections.abc import Generator
    from types import TracebackType

    from ..serving import Serves
    from .settings import ServerSettings

__all__ = ["Address", "HostedServer", "Serving"]

PATIENCE = 5.0
"""Seconds that clients have to answer when a server ends."""


class Address:
    """Where to listen: a host and a port, or the path of a Unix socket; with TLS or without."""

    __slots__ = ("host", "port", "tls", "unix")

    def __init__(self, host: str, port: int, unix: str | None, tls: ssl.SSLContext | None) -> None:
        self.host = host
        self.port = port
        self.unix = unix
        self.tls = tls

    async def listen(self, server: Server) -> None:
        """Let a server listen here. Raises OSError."""
        if self.unix is not None:
            await server.listen_unix(self.unix)
        else:
            await server.listen(self.host, self.port, tls=self.tls)


class HostedServer:
    """A server with a thread and an event loop of its own. Thread-safe; `with` closes it."""

    def __init__(
        self,
        broker: Serves,
        address: Address,
        settings: ServerSettings | None = None,
        uvloop: bool | None = None,
    ) -> None:
        """Returns when it listens. Raises OSError, and ImportError for a loop that is not there."""
        self._loop = new_event_loop(uvloop)
        self._server: Server | None = None
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._patience = PATIENCE
        self._thread = threading.Thread(
            target=self._run,
            args=(broker, address, settings),
            name="minibroker-server",
            daemon=True,
        )
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error

    @property
    def urls(self) -> list[str]:
        """All addresses that it listens on."""
        assert self._server is not None
        return list(self._server.urls)

    @property
    def url(self) -> str:
        """Where clients reach it, such as `amqp://127.0.0.1:5672/`."""
        return self.urls[0]

    @property
    def native_urls(self) -> list[str]:
        """All addresses, for clients of the native protocol."""
        assert self._server is not None
        return list(self._server.native_urls)

    @property
    def native_url(self) -> str:
        """Where they reach it, such as `minibroker://127.0.0.1:5672/`."""
        return self.native_urls[0]

    def close(self, timeout: float = PATIENCE) -> None:
        """Stop listening, tell every client, and return when all are gone. Twice does nothing.

        `timeout` is how many seconds they have to answer.
        """
        if self._thread.is_alive():
            self._patience = timeout
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def _run(self, broker: Serves, address: Address, settings: ServerSettings | None) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._main(broker, address, settings))
        finally:
            self._loop.close()
            self._ready.set()

    async def _main(
        self, broker: Serves, address: Address, settings: ServerSettings | None
    ) -> None:
        try:
            server = Server(broker, settings)
            await address.listen(server)
        except BaseException as error:  # noqa: BLE001 -- it is raised in the thread that waits
            self._error = error
            return
        self._server = server
        self._ready.set()
        await self._stop.wait()
        await server.close(self._patience)

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
        return f"<HostedServer {' '.join(self.urls)}>"


class Serving:
    """What `Broker.serve` returns: `await` it, or `async with` it for a server that ends."""

    def __init__(
        self, broker: Serves, address: Address, settings: ServerSettings | None = None
    ) -> None:
        self._broker = broker
        self._address = address
        self._settings = settings
        self._server: Server | None = None

    def __await__(self) -> Generator[None, None, Server]:
        return self._start().__await__()

    async def _start(self) -> Server:
        server = self._server = Server(self._broker, self._settings)
        await self._address.listen(server)
        self._broker.on_close(server.close_soon)
        return server

    async def __aenter__(self) -> Server:
        return await self._start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        await self._server.close()
