"""Sockets and the event loop: the one place with asyncio. Knows no method of AMQP.

Everything is done once per turn of the loop: what came in the turn is handled, then what has to be
confirmed is committed, then each connection writes once.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..errors import ConnectionForced, InternalError
from ..wire.native import MAGIC
from .amqp import AMQPConnection
from .native import NativeConnection
from .sasl import Peer
from .settings import ServerSettings
from .sockets import is_loopback, listening, listening_unix, url_of

if TYPE_CHECKING:
    import socket
    import ssl

    from ..serving import Serves
    from ..wire.amqp.frames import Piece
    from .amqp.shared import SharedConnection

__all__ = ["Server"]

READ_SIZE = 128 << 10
"""Bytes that are read at one time: it takes some milliseconds to publish so many."""
BULK_SIZE = 512 << 10
"""The same in the middle of a large body, where there is nothing to do but to keep them."""
READS = 4
"""How often one connection is read in one turn, at the most: the others wait that long."""
NATIVE = MAGIC[:-1]
"""What a client of the native protocol sends first, in any version."""
WRITE_BUFFER = 256 << 10
"""Bytes that wait in a socket's buffer before its client is taken for slow."""
logger = logging.getLogger("minibroker.server")


class Server:
    """A broker's listeners and their connections, in one event loop. Not thread-safe.

    Made in a coroutine or a callback of the loop.
    """

    def __init__(self, broker: Serves, settings: ServerSettings | None = None) -> None:
        self.broker = broker
        self.settings = settings or ServerSettings()
        self.urls: list[str] = []
        """Where clients reach it, the addresses that were asked for first come first."""
        self.native_urls: list[str] = []
        """The same for the native protocol."""
        self.loop = asyncio.get_running_loop()
        self.connections: set[_Socket] = set()
        self.bulk = memoryview(bytearray(BULK_SIZE))
        """Into which everything is read: each read is handled before the next one."""
        self.buffer = self.bulk[:READ_SIZE]
        self._thread = threading.get_ident()
        self._servers: list[asyncio.Server] = []
        self._paths: list[str] = []
        self._dirty: list[_Socket] = []
        self._turning = False
        self._closing = False
        self.empty = asyncio.Event()
        self._closer: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where clients reach it. Raises IndexError before `listen`."""
        return self.urls[0]

    @property
    def native_url(self) -> str:
        """Where clients of the native protocol reach it. Raises IndexError before `listen`."""
        return self.native_urls[0]

    # -- listening

    async def listen(
        self, host: str = "localhost", port: int = 5672, *, tls: ssl.SSLContext | None = None
    ) -> None:
        """Listen on all addresses of a host, with TLS if there is a context for it.

        Port 0 takes a free one, "localhost" is 127.0.0.1 and ::1, "*" is every address. May be
        called several times. Raises OSError, and then listens on none of them.
        """
        for made in listening(host, port):
            await self._serve(made, tls)

    async def listen_unix(self, path: str) -> None:
        """Listen on a Unix socket. Raises OSError."""
        await self._serve(listening_unix(path), None)
        self._paths.append(path)

    async def _serve(self, made: socket.socket, tls: ssl.SSLContext | None) -> None:
        timeout = self.settings.handshake_timeout if tls is not None else None
        server = await self.loop.create_server(
            lambda: _Socket(self),
            sock=made,
            ssl=tls,
            ssl_handshake_timeout=timeout,
        )
        self._servers.append(server)
        self.urls.append(url_of(made, tls is not None))
        self.native_urls.append(url_of(made, tls is not None, "minibroker"))

    # -- turns

    def woken(self, connection: _Socket) -> None:
        """A connection has something to write. Called by any thread."""
        if threading.get_ident() == self._thread:
            self.mark(connection)
        else:
            with suppress(RuntimeError):  # the loop is closed, and with it the connection
                self.loop.call_soon_threadsafe(self.mark, connection)

    def mark(self, connection: _Socket) -> None:
        """A connection has to be looked at when this turn ends."""
        if not connection.marked:
            connection.marked = True
            self._dirty.append(connection)
            if not self._turning:
                self._turning = True
                self.loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._turning = False
        dirty, self._dirty = self._dirty, []
        host = self.broker.host
        if host.hasten is not None and host.journal is not None and host.journal.confirms:
            host.hasten()
        for connection in dirty:
            connection.marked = False
        for connection in dirty:
            try:
                connection.flush()
            except Exception:
                logger.exception("connection %s: an error of the broker", connection.name)
                connection.transport.abort()

    # -- the end

    async def close(
        self,
        timeout: float = 5.0,  # noqa: ASYNC109 -- the name is that of `HostedServer.close`
        reason: str = "shutdown",
    ) -> None:
        """Stop listening, tell every client, wait for their answers, and drop who has none.

        `timeout` is in seconds. Closing twice does nothing.
        """
        if self._closing:
            return
        self._closing = True
        for server in self._servers:
            server.close()
        self._remove_paths()
        error = ConnectionForced(f"broker forced connection closure with reason '{reason}'")
        for each in list(self.connections):
            each.protocol.fail(error)
            self.mark(each)
        if self.connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.empty.wait(), timeout)
        for each in list(self.connections):
            each.transport.abort()
        while self.connections:  # noqa: ASYNC110 -- a turn or two
            await asyncio.sleep(0)  # a transport says one turn later that it is gone

    def _remove_paths(self) -> None:
        for path in self._paths:
            with suppress(FileNotFoundError):
                Path(path).unlink()

    def close_soon(self) -> None:
        """Close, from any thread, without waiting for it."""
        with suppress(RuntimeError):  # the loop is closed, and with it everything else
            self.loop.call_soon_threadsafe(self._start_closing)

    def _start_closing(self) -> None:
        self._closer = self.loop.create_task(self.close())

    def gone(self, connection: _Socket) -> None:
        """A socket is closed."""
        self.connections.discard(connection)
        if not self.connections:
            self.empty.set()


class _Socket(asyncio.BufferedProtocol):
    """One socket: what came goes to the protocol, what it has is written."""

    __slots__ = (
        "_first",
        "_held",
        "_known",
        "_lost",
        "_reads",
        "_slow",
        "marked",
        "name",
        "protocol",
        "server",
        "transport",
    )

    transport: asyncio.Transport
    protocol: SharedConnection

    def __init__(self, server: Server) -> None:
        self.server = server
        self.marked = False
        self.name = ""
        self._slow = False
        """Whether the client does not take what is written."""
        self._held = False
        """Whether nothing is read for now."""
        self._reads = 0
        """How often something was read in this turn: uvloop reads until nothing is left."""
        self._lost = False
        self._known = False
        """Whether it is clear which protocol the client speaks."""
        self._first = b""

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """There is a client."""
        server = self.server
        self.transport = transport = cast("asyncio.Transport", transport)  # uvloop has its own
        transport.set_write_buffer_limits(high=WRITE_BUFFER)
        peer = transport.get_extra_info("peername")
        self.name = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else "unix"
        certificate = transport.get_extra_info("peercert")
        self.protocol = AMQPConnection(
            server.broker, server.settings, Peer(is_loopback(peer), certificate or None), self
        )
        server.connections.add(self)
        server.empty.clear()
        if server._closing:
            transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self.server.bulk if self.protocol.coming >= READ_SIZE else self.server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes came."""
        data = bytes(self.server.bulk[:nbytes])
        if not self._known:
            data = self._begin(data)
        protocol = self.protocol
        try:
            protocol.receive(data)
        except Exception:
            logger.exception("connection %s: an error of the broker", self.name)
            protocol.fail(InternalError("an error of the broker, see its log"))
        self._reads += 1
        if self._reads >= READS or (self._slow and not protocol.reading):
            self._hold_reading()
        self.server.mark(self)

    def _begin(self, data: bytes) -> bytes:
        """The first bytes say which protocol it is: AMQP, unless they are those of the other one.

        Nothing as long as that is not clear.
        """
        self._first += data
        if len(self._first) < len(NATIVE) and NATIVE.startswith(self._first):
            return b""
        data, self._first, self._known = self._first, b"", True
        if data.startswith(NATIVE):
            self.protocol.end("")  # it has not begun
            self.protocol = NativeConnection(
                self.server.broker, self.server.settings, self.protocol.peer, self
            )
        return data

    def eof_received(self) -> bool:
        """The client sends nothing more: the transport closes."""
        return False

    def pause_writing(self) -> None:
        """The client is slow: it gets nothing more before it has taken what there is."""
        self._slow = True

    def resume_writing(self) -> None:
        """The client goes on."""
        self._slow = False
        self.server.mark(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self._lost = True
        self.protocol.lost()
        self.server.gone(self)

    # -- what the protocol calls

    def woken(self) -> None:
        """See `Outlet`."""
        self.server.woken(self)

    def told(self, event: str, **fields: object) -> None:
        """See `Outlet`."""
        level = logging.WARNING if event in _WARNINGS else logging.INFO
        if logger.isEnabledFor(level):
            known = {name: value for name, value in fields.items() if value != ""}
            said = " ".join(f"{name}={value!r}" for name, value in known.items())
            extra = {"fields": {"event": event, "peer": self.name, **known}}
            logger.log(level, "%s %s %s", self.name, event, said, extra=extra)

    # -- writing

    def flush(self) -> None:
        """The end of a turn: write, and close or go on reading."""
        protocol = self.protocol
        transport = self.transport
        self._reads = 0
        if self._lost:
            return
        if protocol.aborted:
            transport.abort()
            return
        if self._slow and not protocol.ending:  # nothing more until it has taken what there is
            protocol.notice()
            return
        self._write(protocol.take())
        if protocol.ending:
            transport.close()
            if transport.get_write_buffer_size():
                self.server.loop.call_later(self.server.settings.close_timeout, transport.abort)
        elif not protocol.reading:
            self._hold_reading()
        elif self._held:
            self._held = False
            transport.resume_reading()

    def _write(self, pieces: list[Piece]) -> None:
        if self.protocol.bulky:
            self.protocol.bulky = False
            for piece in pieces:
                self.transport.write(piece)
        elif pieces:
            self.transport.write(b"".join(pieces))

    def _hold_reading(self) -> None:
        if not self._held:
            self._held = True
            self.transport.pause_reading()


_WARNINGS = {"login refused", "closing", "channel closed", "blocked", "dropped"}
