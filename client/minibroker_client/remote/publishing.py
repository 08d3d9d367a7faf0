"""The side of a channel that publishes to a system, and sends when it has to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minibroker.message import Message

from ..transport.local_channel import MemoryChannel

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.channel import Channel
    from minibroker.properties import Properties

    from ..transport.base import Listener
    from .connection import RemoteConnection
    from .link import RemoteLink

__all__ = ["Publishing"]


_DECLARING = frozenset({
    "exchange.declare", "exchange.delete", "exchange.bind", "exchange.unbind",
    "queue.declare", "queue.bind", "queue.unbind", "queue.delete", "queue.purge",
})  # fmt: skip


class Unwritten:
    """Stands where a channel has its journal, so that its confirms wait for the system."""

    def __init__(self) -> None:
        self.confirms: dict[Any, int] = {}

    def prepare(self, properties: Properties) -> None:
        """Nothing to encode."""

    def awaited(self) -> None:
        """A confirm waits."""

    def wait(self) -> None:
        """There are no transactions."""


class Publishing(MemoryChannel):
    """Publishing and its confirms. Thread-safe as the connection is."""

    connection: RemoteLink

    def __init__(self, connection: RemoteLink, inner: Channel, listener: Listener) -> None:
        super().__init__(connection, inner, listener)
        self.remote: RemoteConnection = connection.remote
        features = self.remote.driver.features
        inner.max_message_size = min(inner.max_message_size, features.max_message_size)
        self._batch = features.batch
        self._ages = features.refresh > 0
        self._waiting = Unwritten()
        journal: Any = self._waiting
        inner.journal = journal

    def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Properties,
        mandatory: bool = False,
        timeout: float | None = None,
    ) -> int:
        """basic.publish: with confirms it is sent with others, else at once."""
        remote = self.remote
        with remote.vhost.guard:
            first = len(remote.going)
            try:
                number = self._route(exchange, routing_key, body, properties, mandatory, timeout)
            except BaseException:
                del remote.going[first:]
                raise
            if len(remote.going) > first:
                self._waiting.confirms.clear()
                remote.await_confirm(self.inner, number, first)
                if number and len(remote.going) < self._batch:
                    return number
            # Under the lock, so that nobody else is told what was refused.
            self.flush("basic.publish")
        return number

    def _route(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Properties,
        mandatory: bool,
        timeout: float | None,
    ) -> int:
        if self._ages:
            self.call("basic.publish", self.remote.refresh)
        found = self.inner.exchanges.get(exchange)
        if found is None or not found.memo.get(routing_key):
            message = Message(exchange, routing_key, properties, body)
            if found is None or not self.remote.routes(message):
                self.look_again("basic.publish")
        return super().publish(exchange, routing_key, body, properties, mandatory, timeout)

    def confirmed(self, number: int, timeout: float | None = None) -> bool:
        """Wait for the confirm of a publish; see `TransportChannel`."""
        if self.confirms.waits(number):
            self.flush("basic.publish")
        return super().confirmed(number, timeout)

    def answer(self, number: int) -> bool | None:
        """Whether a publish was acked; what was not sent yet is sent first."""
        if self.confirms.waits(number):
            self.flush("basic.publish")
            self.connection.take_events()
        return super().answer(number)

    def wait_for_answers(self, outstanding: int, timeout: float | None = None) -> None:
        """Wait until no more publishes than that are unconfirmed; see `TransportChannel`."""
        if len(self.confirms) > outstanding:
            self.flush("basic.publish")
        super().wait_for_answers(outstanding, timeout)

    def flush(self, method: str) -> None:
        """Send what lies here."""
        self.call(method, self.remote.flush)

    # -- calling

    def call(self, method: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Do what is not done per message, with what others declared known."""
        if method in _DECLARING:
            self.look_again(method)
        return super().call(method, function, *args, **kwargs)

    def look_again(self, method: str) -> None:
        """Read what others declared."""
        if not self.inner.closed:
            super().call(method, self.remote.refresh, True)
