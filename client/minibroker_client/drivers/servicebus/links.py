"""Connections to queues of Service Bus by azure-servicebus, and sending. Knows no facts, no names.

The library is kept from waiting for ever and from sleeping; this needs parts of azure-servicebus
7.15 that are not public. They are used here and in `receiving` only.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...remote.driver import DriverError
from ...remote.transport import needed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Azure", "Link", "QueueGone", "Sender"]

PATIENCE = 10.0
"""Seconds for an answer."""
IDLE = 60.0
"""Seconds after which a link is made anew: the service drops it after some minutes, silently."""
OLDEST = (7, 15)
"""The version of the library that awaits what became of settling."""
NOT_FOUND = 404


class QueueGone(Exception):
    """There is no such queue."""


class Azure:
    """The library, imported when it is first needed."""

    def __init__(self) -> None:
        self.bus = needed("azure.servicebus", "azure")
        version = self.bus.__version__
        if tuple(map(int, version.split(".")[:2])) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise ImportError(f"azureservicebus:// needs azure-servicebus {oldest}, not {version}")
        self.errors = needed("azure.servicebus.exceptions", "azure")
        self.core = needed("azure.core.exceptions", "azure")
        self.amqp = needed("azure.servicebus._pyamqp.error", "azure")
        self.outcomes = needed("azure.servicebus._pyamqp.outcomes", "azure")
        self.failures = (self.core.AzureError, self.amqp.AMQPException, OSError)

    def ask(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call the library. `QueueGone`, or `DriverError`."""
        try:
            return function(*arguments, **named)
        except self.errors.MessagingEntityNotFoundError as error:
            raise QueueGone(str(error)) from error
        except self.failures as error:
            cause = getattr(error, "inner_exception", None) or error
            condition, status = (
                getattr(cause, name, None) for name in ("condition", "status_code")
            )
            if condition == b"amqp:not-found" or status == NOT_FOUND:
                raise QueueGone(str(cause)) from error
            raise DriverError(f"Service Bus: {error}") from error


class Link:
    """A sender or receiver of the library, and a connection of its own. Thread-safe."""

    def __init__(self, azure: Azure, make: Callable[[], Any]) -> None:
        self.azure = azure
        self._make = make
        self._lock = threading.Lock()
        self._end: Any = None
        self._opening: Any = None
        self._transport: Any = None
        """Its sockets have to be closed here when a connection breaks."""
        self._deadline = float("inf")
        """By when the library must have its answer: there are some that it does not understand."""
        self.used = time.monotonic()

    def _opened(self) -> Any:
        """The library's object, made anew when it was idle or is broken."""
        now = time.monotonic()
        if self._end is not None and (now - self.used > IDLE or not self._is_well()):
            self._drop()
        self.used = now
        if self._end is None:
            self._end = self._begun()
        return self._end

    def _begun(self) -> Any:
        end = self._make()
        self._open_at_once(end)
        # The library waits for ever for a server that accepts a connection and says nothing.
        timer = threading.Timer(PATIENCE, _cut, [end])
        timer.daemon = True
        timer.start()
        try:
            self.azure.ask(end.__enter__)
        except BaseException:
            connection = self._opening and self._opening._connection
            if connection is not None:
                _close_socket(connection._transport)
            raise
        finally:
            timer.cancel()
        self._transport = end._handler._connection._transport
        return end

    def _open_at_once(self, end: Any) -> None:
        """Let it open without a sleep after each of ten frames, which is 0.5 s."""
        create = end._create_handler

        def create_handler(auth: Any) -> None:
            create(auth)
            handler = self._opening = end._handler
            # No thread that reads frames beside us, which puts them out of order.
            handler._keep_alive_interval = 0
            is_ready = handler.client_ready  # which reads a frame

            def client_ready() -> bool:
                deadline = min(time.monotonic() + PATIENCE, self._deadline)
                while time.monotonic() < deadline:
                    if is_ready():
                        return True
                raise TimeoutError("no answer")

            handler.client_ready = client_ready

        end._create_handler = create_handler

    def _is_well(self) -> bool:
        try:
            return bool(self._end._handler.client_ready())
        except (*self.azure.failures, AttributeError, ValueError):
            return False

    def _drop(self) -> None:
        end, self._end = self._end, None
        if end is None:
            return
        try:
            end.close()
        except (*self.azure.failures, AttributeError, ValueError):
            pass  # it was broken
        finally:
            _close_socket(self._transport)

    def close(self) -> None:
        """End it. What was received and not settled stays locked. Raises nothing."""
        with self._lock:
            self._drop()


class Sender(Link):
    """Sends to one queue."""

    def send(self, messages: Sequence[Any]) -> dict[int, str]:
        """Send messages in order; why those were refused that were, by their place."""
        refused: dict[int, str] = {}
        with self._lock:
            end = self._opened()
            if len(messages) == 1:  # a batch costs as much again, here and there
                self._send(end, messages[0], range(1), refused)
                return refused
            batch, first = None, 0
            for place, message in enumerate(messages):
                if batch is not None and not self._added(batch, message):
                    self._send(end, batch, range(first, place), refused)
                    batch = None
                if batch is None:
                    batch, first = self.azure.ask(end.create_message_batch), place
                    if not self._added(batch, message):  # larger than a batch may be
                        self._send(end, message, range(place, place + 1), refused)
                        batch = None
            if batch is not None:
                self._send(end, batch, range(first, len(messages)), refused)
        return refused

    def _added(self, batch: Any, message: Any) -> bool:
        try:
            batch.add_message(message)
        except self.azure.errors.MessageSizeExceededError:
            return False
        return True

    def _send(self, end: Any, what: Any, places: range, refused: dict[int, str]) -> None:
        errors = self.azure.errors
        try:
            self._deadline = time.monotonic() + PATIENCE
            self.azure.ask(end.send_messages, what, timeout=PATIENCE)
        except DriverError as error:
            kinds = (errors.MessageSizeExceededError, errors.ServiceBusQuotaExceededError)
            if not isinstance(error.__cause__, kinds):
                self._drop()
                raise
            refused |= dict.fromkeys(places, str(error))


def _close_socket(transport: Any) -> None:
    if transport.sock is not None:
        with suppress(OSError):
            transport.sock.close()


def _cut(end: Any) -> None:
    """Cut the connection of a sender or receiver, so that whoever waits for it wakes up."""
    connection = end._handler and end._handler._connection
    sock = connection and connection._transport.sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
