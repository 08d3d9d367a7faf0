"""A protocol of `minibroker_client.protocol` on an asyncio transport: the shell that is awaited.

What is written in one turn of the loop goes out together at its end.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from .. import exceptions
from ..transport.dialling import explained, server_name, shown, tls_context
from .waiting import Answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ..protocol.connection import ProtocolConnection
    from ..protocol.pending import Pending
    from ..transport.base import Address, Listener

__all__ = ["SocketShell"]

SILENT = 2
"""Intervals of heartbeats without a byte after which the broker is taken for gone."""
PATIENCE = 5.0
"""Seconds that the broker has to answer `connection.close`."""


class SocketShell(asyncio.Protocol):
    """One connection over a socket, in one event loop."""

    transport: asyncio.Transport

    def __init__(
        self,
        address: Address,
        make: Callable[[Address, Any], ProtocolConnection],
        on_event: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        """`on_event` is called when something lies in the inbox, `on_lost` once at the end."""
        self.guard: AbstractContextManager[Any] = nullcontext()
        self._loop = asyncio.get_running_loop()
        self._where = shown(address)
        self._on_event = on_event
        self._on_lost = on_lost
        self._flushing = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._heard = self._sent = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._held = False
        self._gone = self._loop.create_future()
        self.protocol = make(address, self)

    @classmethod
    async def connect(
        cls,
        address: Address,
        default_port: int,
        tls: bool,
        make: Callable[[Address, Any], ProtocolConnection],
        on_event: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> SocketShell:
        """Connect, log in, and open the virtual host. Raises as `transport.socketed.connect`."""
        shell = cls(address, make, on_event, on_lost)
        where = shown(address)
        try:
            async with asyncio.timeout(address.connect_timeout):
                await shell._dial(address, default_port, tls)
                await shell.perform(shell.protocol.opened)
        except TimeoutError:
            shell._end(None)
            raise TimeoutError(
                f"{where} did not answer within {address.connect_timeout:g} seconds"
            ) from None
        except OSError as error:
            shell._end(None)
            raise explained(error, f"cannot connect to {where}") from error
        except exceptions.AMQPError as error:
            shell._end(None)
            error.reply_text = f"{error.reply_text} ({where})"
            raise
        except BaseException:
            shell._end(None)
            raise
        shell._watch()
        return shell

    async def _dial(self, address: Address, default_port: int, tls: bool) -> None:
        context = tls_context(address.ssl) if tls or address.ssl else None
        name = server_name(address) if context is not None else None
        host = address.hostname or "localhost"
        if host.startswith("/"):
            await self._loop.create_unix_connection(
                lambda: self, host, ssl=context, server_hostname=name
            )
        else:
            await self._loop.create_connection(
                lambda: self, host, address.port or default_port, ssl=context, server_hostname=name
            )

    # -- what the connection calls

    @property
    def closed(self) -> bool:
        """Whether it was closed, from either side."""
        return self.protocol.closed

    def channel(self, listener: Listener) -> Any:
        """channel.open, to be awaited."""
        return self.protocol.channel(listener)

    def dispatch(self) -> bool:
        """Deal with one event that came; False when there is none."""
        protocol = self.protocol
        if protocol.urgent:
            protocol.urgent.popleft()()
        elif protocol.inbox:
            item: Any = protocol.inbox.popleft()
            if hasattr(item, "consumer"):
                protocol.handed_out(len(item.body))
                item.consumer.callback(item)
            else:
                item()
        else:
            return False
        return True

    async def ready(self, timeout: float | None) -> None:  # noqa: ASYNC109 -- see Channel
        """Wait until the broker takes messages, and the socket bytes.

        `PublisherBlocked` when it does not within `timeout` seconds.
        """
        if self.protocol.blocked is not None:
            try:
                async with asyncio.timeout(timeout):
                    await self.perform(self.protocol.unblocking())
            except TimeoutError:
                text = f"the broker takes no messages: {self.protocol.blocked}"
                raise exceptions.PublisherBlocked(text) from None
        if not self._writable.is_set():
            await self._writable.wait()

    async def confirmed(self, raw: Any, number: int) -> bool:
        """Whether a publish was acked, once that is known. Raises what ended the channel."""
        ok: bool = await raw.confirmed(number)
        return ok

    def hold(self, held: bool) -> None:
        """Read nothing for now, or go on: the application has enough to do."""
        if held != self._held and not self.protocol.closed:
            self._held = held
            if held:
                self.transport.pause_reading()
            else:
                self._heard = self._loop.time()
                self.transport.resume_reading()

    async def close(self) -> None:
        """connection.close; what was published before is sent first."""
        if not self.protocol.closed:
            self.hold(False)
            try:
                async with asyncio.timeout(PATIENCE):
                    await self.perform(self.protocol.close())
            except (OSError, exceptions.AMQPError):
                pass  # it is gone, which is what was wanted
        self._end(None)
        await self._gone

    # -- what the protocol calls

    def perform(self, pending: Pending, timeout: float | None = None) -> Any:
        """An answer, to be awaited."""
        self.written()
        return Answer(pending, timeout)

    def written(self) -> None:
        """There is something to send."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self.protocol.size and hasattr(self, "transport") and not self.transport.is_closing():
            for piece in self.protocol.take_pieces():
                self.transport.write(piece)
            self._sent = self._loop.time()

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is connected."""
        self.transport = transport  # type: ignore[assignment]  # uvloop has its own
        self.written()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._heard = self._loop.time()
        self.protocol.receive(data)
        if self.protocol.size:
            self.written()
        if self.protocol.closed:
            self._flush()
            self._end(None)
        elif self.protocol.inbox or self.protocol.urgent:
            self._on_event()

    def pause_writing(self) -> None:
        """The broker does not take more at present."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The broker takes more."""
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        reason = str(exc) if exc is not None else "the broker closed it"
        self._end(exceptions.ConnectionLost(f"the connection to {self._where} was lost: {reason}"))
        if not self._gone.done():
            self._gone.set_result(None)

    # -- heartbeats

    def _watch(self) -> None:
        beat = self.protocol.heartbeat
        if not beat or self.protocol.closed:
            return
        now = self._loop.time()
        if now - self._heard >= beat * SILENT and not self._held:
            self.transport.abort()
            self._end(
                exceptions.ConnectionLost(
                    f"the connection to {self._where} was lost: nothing came for "
                    f"{beat * SILENT:g} seconds, heartbeats were missed"
                )
            )
            return
        if now - self._sent >= beat / 2:
            self.protocol.beat()
            self._flush()
        self._timer = self._loop.call_later(beat / 4, self._watch)

    def _end(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._writable.set()
        if hasattr(self, "transport"):
            self.transport.close()
        elif not self._gone.done():
            self._gone.set_result(None)
        already = self.protocol.closed and self._on_lost is _told
        self.protocol.end(error)
        if not already:
            on_lost, self._on_lost = self._on_lost, _told
            on_lost()


def _told() -> None:
    pass
