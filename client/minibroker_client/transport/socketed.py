"""A connection of a protocol on a socket, for threads: the shell that blocks.

What is to be sent goes at once when the socket was quiet, and together with what follows when it
was not: at the next wait, with the next 64 KiB, or by the keeper within milliseconds.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .. import exceptions
from ..protocol.deliveries import Delivered
from .dialling import dial, shown
from .keeper import keeper
from .tending import TendedConnection
from .wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..protocol.connection import ProtocolConnection
    from ..protocol.pending import Pending
    from .base import Address, Listener
    from .keeper import Tended

__all__ = ["SocketConnection", "connect"]

BATCH = 64 << 10
"""Bytes that are sent without waiting for more."""
QUIET = 0.001
"""Seconds without sending after which something is sent at once."""
PATIENCE = 5.0
"""Seconds that the broker has to answer `connection.close`."""


class SocketConnection(TendedConnection):
    """See `transport.base.Connection`. One thread at a time."""

    def __init__(
        self,
        address: Address,
        protocol: Callable[[Address, SocketConnection], ProtocolConnection],
        wire: Wire,
    ) -> None:
        self.guard = threading.Lock()
        self._where = shown(address)
        self._wire = wire
        self._rest: deque[memoryview] = deque()
        """What was taken to be sent and is not."""
        self._sent = self._heard = time.monotonic()
        self._failure: Exception | None = None
        """Why the keeper gave it up."""
        self.protocol = protocol(address, self)
        self._inbox = self.protocol.inbox
        self._urgent = self.protocol.urgent
        self._popleft = self.protocol.inbox.popleft
        self._handed_out = self.protocol.handed_out

    # -- what the client calls

    @property
    def closed(self) -> bool:
        """Whether it was closed, from either side."""
        return self.protocol.closed or self._failure is not None

    def channel(self, listener: Listener) -> Any:
        """channel.open."""
        return self.protocol.channel(listener)

    def drain(self, timeout: float | None = None) -> None:
        """Deal with the next delivery or event; see `Connection`."""
        if self._urgent:
            self._urgent.popleft()()
            return
        try:
            item = self._popleft()
        except IndexError:
            item = self._next(timeout)
        if isinstance(item, Delivered):
            self._handed_out(len(item.body))
            item.consumer.callback(item)  # type: ignore[union-attr]  # consume() gave it one
        else:
            item()

    def _next(self, timeout: float | None) -> Delivered | Callable[[], None]:
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            self.protocol.ensure_open()
            self._read(None if end is None else end - time.monotonic())
            if self._urgent:
                return self._urgent.popleft()
            if self._inbox:
                return self._popleft()
            if end is not None and time.monotonic() >= end and not self.protocol.closed:
                raise TimeoutError(f"nothing arrived within {timeout} seconds")

    def heartbeat_check(self) -> None:
        """Nothing to do: heartbeats need no help. Raises what ended the connection."""
        if self.closed:
            self._lost(None)
            self.protocol.ensure_open()

    def close(self) -> None:
        """connection.close; what was published before is sent first."""
        if not self.closed:
            with suppress(OSError, exceptions.AMQPError):  # it is gone, which is what was wanted
                self.perform(self.protocol.close(), PATIENCE)
        self._end(None)

    # -- what the protocol calls

    def perform(self, pending: Pending, timeout: float | None = None) -> Any:
        """Wait for an answer."""
        if not pending.done:
            end = None if timeout is None else time.monotonic() + timeout
            while not pending.done:
                left = None if end is None else max(0.0, end - time.monotonic())
                if self.protocol.closed:  # nothing comes any more
                    self.protocol.ensure_open()
                self._read(left)
                if left == 0 and not pending.done:
                    raise TimeoutError(f"{pending.method}: no answer within {timeout} seconds")
        while self._urgent:
            self._urgent.popleft()()
        return pending.result()

    def written(self) -> None:
        """There is something to send."""
        if time.monotonic() - self._sent > QUIET or self.protocol.size >= BATCH:
            self.flush()
        elif not keeper.awake:
            keeper.wake()

    # -- reading

    def _read(self, seconds: float | None) -> None:
        """Read what is there, or wait for it so long (None: for ever)."""
        if self._take_what_is_there():
            return
        self.flush()
        if self._wire.wait(seconds):
            self._take_what_is_there()

    def _take_what_is_there(self) -> bool:
        """Read without waiting; False when nothing is there."""
        try:
            data = self._wire.read()
        except OSError as error:
            self._lost(error)
            return True
        if data is None:
            return False
        self._came(data)
        return True

    def _came(self, data: bytes) -> None:
        if not data:
            self._lost(None)
            return
        self._heard = time.monotonic()
        self.protocol.receive(data)
        if self.protocol.closed:
            self._end(None)

    # -- writing

    def flush(self) -> None:
        """Send everything. Raises ConnectionLost, or what else ended the connection."""
        while True:
            try:
                with self.guard:
                    if self._send():
                        return
                self._wire.wait(None, writing=True)
                self._take_what_is_there()  # a broker that does not read may want to be read
            except OSError as error:
                self._lost(error)
            except KeyboardInterrupt:
                self._failure = exceptions.ConnectionLost("interrupted while sending")
                self._wire.interrupt()
                raise
            if self.protocol.closed:
                self.protocol.ensure_open()

    def _send(self) -> bool:
        """Send what goes without waiting; whether that is all. Under the guard. Raises OSError."""
        rest = self._rest
        if not rest:
            if not self.protocol.size:
                return True
            rest.extend(map(memoryview, self.protocol.take_pieces()))
        while rest:
            piece = rest[0]
            sent = self._wire.write(piece)
            if sent == len(piece):
                rest.popleft()
            elif sent:
                rest[0] = piece[sent:]
            else:
                return False
        self._sent = time.monotonic()
        return True

    # -- the end

    def _lost(self, error: OSError | None) -> None:
        reason = self._failure or exceptions.ConnectionLost(
            f"the connection to {self._where} was lost: "
            + (str(error) if error is not None else "the broker closed it")
        )
        if error is not None:
            reason.__cause__ = error
        self._end(reason)

    def _end(self, error: Exception | None) -> None:
        keeper.remove(self)
        if self.protocol.size and error is None:
            with suppress(OSError), self.guard:
                self._send()  # such as connection.close-ok
        self._wire.close()
        self.protocol.end(error)


def connect(
    address: Address,
    protocol: Callable[[Address, SocketConnection], ProtocolConnection],
    default_port: int,
    tls: bool,
) -> SocketConnection:
    """Connect, log in, and open the virtual host.

    `OSError` when that is not possible, `TimeoutError` among them; the broker's refusals by reply
    code: `AccessRefused` for a login, `NotAllowed` for a virtual host. All of them name the URL.
    """
    connection = SocketConnection(address, protocol, Wire(dial(address, default_port, tls)))
    where = shown(address)
    try:
        connection.perform(connection.protocol.opened, address.connect_timeout)
    except TimeoutError:
        connection._end(None)
        raise TimeoutError(
            f"{where} did not answer within {address.connect_timeout:g} seconds"
        ) from None
    except exceptions.AMQPError as error:
        connection._end(None)
        error.reply_text = f"{error.reply_text} ({where})"
        raise
    except BaseException:
        connection._end(None)
        raise
    tended: Tended = connection
    keeper.add(tended)
    return connection
