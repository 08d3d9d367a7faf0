"""A connection for an event loop: opens what the URL asks for, and makes it again when it is lost.

Knows `sockets`, `local` and `threaded`, and of the protocols only their names.
"""

from __future__ import annotations

import asyncio
import logging
import os
from itertools import count
from typing import TYPE_CHECKING, Any, Self

from ..exceptions import RecoverableConnectionError
from ..parameters import MASK, Parameters
from ..recovery import recovered
from ..retry import intervals
from ..serialization import prepare_accept_content
from ..topology import Topology
from ..transport import get_transport
from .channel import Channel
from .local import LocalShell
from .producer import Producer
from .sockets import SocketShell
from .threaded import ThreadedShell
from .waiting import drive

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from ..transport.base import EmbeddedBroker
    from .queue import QueueIterator

__all__ = ["Connecting", "Connection"]

logger = logging.getLogger(__name__)
RECOVERABLE = (RecoverableConnectionError, OSError)


class Connection:
    """An open connection, of one event loop. Made by `aio.connect`."""

    shell: SocketShell | LocalShell | ThreadedShell

    def __init__(
        self, urls: list[Parameters], options: dict[str, Any], recover: bool, accept: Any
    ) -> None:
        """Use `aio.connect`."""
        self._urls = urls
        self._turn = 0
        self._options = options
        self.recovers = recover
        self.accept: set[str] | None = prepare_accept_content(accept)
        """The content types that messages decode; None for those that are safe."""
        self.topology = Topology()
        self.channels: set[Channel] = set()
        self.iterators: set[QueueIterator] = set()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._open = asyncio.Event()
        self._failure: BaseException | None = None
        self._ids = count(1)
        self._prefix = os.urandom(8).hex()

    # -- opening

    async def open(self) -> None:
        """Connect to the first URL that answers. Raises the last one's error."""
        for attempt in range(len(self._urls)):
            try:
                await self._open_one()
            except RECOVERABLE:
                self._turn += 1
                if attempt == len(self._urls) - 1:
                    raise
            else:
                return

    async def _open_one(self) -> None:
        parameters = self._urls[self._turn % len(self._urls)]
        address = parameters.address(self._options)
        transport: Any = get_transport(parameters.transport)
        if transport.capabilities.asynchronous:
            self.shell = await transport.connect_async(
                address, SocketShell.connect, self._dispatch, self._lost
            )
        elif transport.capabilities.lease:
            self.shell = await ThreadedShell.connect(address, self._dispatch, self._lost)
        else:
            self.shell = LocalShell(address, self._dispatch, self._lost)
        self._open.set()

    def as_uri(self, mask: str = MASK) -> str:
        """The URL in use, its password masked."""
        return self._urls[self._turn % len(self._urls)].as_uri(mask=mask)

    @property
    def connected(self) -> bool:
        """Whether it is open at present."""
        return not self.shell.closed

    async def channel(self, confirm: bool = True) -> Channel:
        """Open a channel; with `confirm`, `publish` returns when the broker has the message."""
        channel = Channel(self, confirm)
        await channel.attach(self.shell)
        if confirm:
            await channel.call("confirm_select")
        self.channels.add(channel)
        return channel

    async def producer(self, *args: Any, **kwargs: Any) -> Producer:
        """A `Producer` on a new channel; arguments as there."""
        return Producer(await self.channel(), *args, **kwargs)

    def hold(self, held: bool) -> None:
        """Read nothing for now, or go on."""
        self.shell.hold(held)

    async def publish(  # noqa: PLR0913 -- as Channel.publish
        self,
        channel: Channel,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: dict[str, Any],
        mandatory: bool,
        timeout: float | None,  # noqa: ASYNC109 -- as Channel.publish
    ) -> None:
        """Publish on a channel; with `recover`, again when the connection was lost meanwhile."""
        if self.recovers and channel.confirming and not properties.get("message_id"):
            properties["message_id"] = f"{self._prefix}-{next(self._ids)}"
        while True:
            try:
                await channel.publish_once(
                    exchange, routing_key, body, properties, mandatory, timeout
                )
            except RECOVERABLE:
                if not self.recovers or self._closing or not channel.raw.lost:
                    raise
                await self.recovered()
            else:
                return

    # -- events

    def _dispatch(self) -> None:
        """Deal with all that came. An error of a callback goes to the loop's exception handler."""
        shell = self.shell
        while True:
            try:
                if not shell.dispatch():
                    return
            except Exception as error:  # noqa: BLE001 -- one callback must not stop the others
                loop = asyncio.get_running_loop()
                loop.call_exception_handler({
                    "message": "an event of the connection", "exception": error,
                })  # fmt: skip

    def _lost(self) -> None:
        """The connection has ended, from either side."""
        self._open.clear()
        final = self._closing or not self.recovers
        for each in list(self.iterators):
            each.lost(final)
        if not final and self._task is None:
            logger.warning("the connection to %s was lost, making it again", self.as_uri())
            self._task = asyncio.get_running_loop().create_task(self._make_again())

    async def _make_again(self) -> None:
        waits = self._waits()
        tries = self._options.get("max_retries")
        for attempt in count(1):
            try:
                await self._open_one()
                lost = [each for each in self.channels if each.raw.lost]
                await drive(recovered(self.topology, self.shell, lost))
            except RECOVERABLE as error:
                self._open.clear()
                self._turn += 1
                if tries is not None and attempt > tries:
                    self._give_up(error)
                    return
                await asyncio.sleep(next(waits))
            else:
                self._task = None
                return

    def _waits(self) -> Any:
        options = self._options
        return intervals(
            options.get("interval_start", 0.1), options.get("interval_step", 0.5),
            options.get("interval_max", 10), options.get("jitter", 0),
        )  # fmt: skip

    def _give_up(self, error: BaseException) -> None:
        self._failure = error
        self._open.set()
        for each in list(self.iterators):
            each.lost(True)

    async def recovered(self) -> None:
        """Wait until a lost connection is open again. Raises what ended the attempts."""
        task = self._task
        if task is not None:
            await asyncio.shield(task)
        await self._open.wait()
        if self._failure is not None:
            raise self._failure

    async def close(self) -> None:
        """Close it and its channels; what was published before is sent. Twice does nothing."""
        self._closing = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self.shell.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<aio.Connection {self.as_uri()}>"


class Connecting:
    """What `aio.connect` returns: await it, or enter it with `async with`."""

    def __init__(
        self,
        urls: Iterable[str] | EmbeddedBroker,
        parameters: Parameters,
        options: dict[str, Any],
        recover: bool,
        accept: Any,
    ) -> None:
        if isinstance(urls, list):
            chosen = [parameters.with_url(url) for url in urls]
        else:
            chosen = [parameters]
        for each in chosen:
            get_transport(each.transport)  # an unknown scheme fails now
        self._make = chosen, options, recover, accept
        self._connection: Connection | None = None

    def __await__(self) -> Generator[Any, None, Connection]:
        return self._connect().__await__()

    async def _connect(self) -> Connection:
        connection = Connection(*self._make)
        await connection.open()
        return connection

    async def __aenter__(self) -> Connection:
        self._connection = await self._connect()
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        if self._connection is not None:
            await self._connection.close()
