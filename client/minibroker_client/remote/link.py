"""A `Connection` of the client to a system: `MemoryConnection` on a model with remote queues."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from minibroker.errors import MiniBrokerError
from minibroker.queues import Entry

from ..transport.local_channel import translated
from ..transport.memory import MemoryConnection
from .channel import RemoteChannel

if TYPE_CHECKING:
    from minibroker.channel import Channel
    from minibroker.connection import Event

    from ..transport.base import Address, Listener
    from .connection import RemoteConnection

__all__ = ["RemoteLink"]


class RemoteLink(MemoryConnection):
    """A `Connection`. One thread at a time drains it; publishing is thread-safe."""

    def __init__(self, remote: RemoteConnection, address: Address) -> None:
        inner: Any = remote  # not a LocalConnection, but what is used of one
        super().__init__(inner, address, None)
        self.remote = remote

    def channel(self, listener: Listener) -> RemoteChannel:
        """channel.open."""
        try:
            inner = self.inner.channel()
        except MiniBrokerError as error:
            raise self.failed(error, "channel.open") from error
        channel = self._channels[inner] = RemoteChannel(self, inner, listener)
        return channel

    @property
    def consumes(self) -> bool:
        """Whether there is any consumer."""
        return self.remote.consumes

    def fetch(self, wait: float) -> None:
        """Lease what consumers have credit for; it lies in the outbox then, for `dispatch_one`."""
        try:
            self.remote.flush()
            self.remote.fetch(wait)
        except MiniBrokerError as error:
            raise self.failed(error, "") from error

    def take_events(self) -> None:
        """Deal with confirms and returns that have come; deliveries stay."""
        outbox = self.inner.outbox
        kept: deque[Entry | Event] = deque()
        try:
            while outbox:
                item = outbox.popleft()
                if isinstance(item, Entry):
                    kept.append(item)
                else:
                    self._dispatch(item)
        finally:
            outbox.extendleft(reversed(kept))

    def failed(
        self, error: MiniBrokerError, method: str, channel: Channel | None = None
    ) -> Exception:
        """The client's exception; it says why the system was lost."""
        if self.remote.error is not None and error is self.remote.error:
            return translated(error, method)
        return super().failed(error, method, channel)

    def heartbeat_check(self) -> None:
        """Nothing to check: leases are renewed by themselves."""
