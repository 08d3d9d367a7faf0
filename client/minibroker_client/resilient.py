"""A connection that survives the loss of its socket: what comes back, what waits, what is tried.

Knows no transport. `recovery` says in which order things come back, `buffering` what becomes of
publishes meanwhile.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from .buffering import AbsentConnection, Buffer
from .channel import Channel
from .exceptions import MiniBrokerClientError, OperationalError
from .link import Link
from .recovery import recovered, run
from .topology import Topology

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["ResilientLink"]

logger = logging.getLogger(__name__)
RECOVERABLE = Link.recoverable_connection_errors


class ResilientLink(Link):
    """A `Link` with channels. One thread at a time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As `Link`."""
        super().__init__(*args, **kwargs)
        options = self.transport_options
        self.topology = Topology()
        """What comes back after a reconnect, besides the channels."""
        self.channels: WeakSet[Channel] = WeakSet()
        """Those that were opened and not closed from here."""
        self.confirm_window = int(options.get("confirm_window") or 0)
        """How many publishes of a channel may be unconfirmed; 0: each is waited for."""
        self.recovers = bool(options.get("recover"))
        """Whether `drain_events` makes a lost connection again by itself."""
        self.buffer = Buffer(self, options["buffer"]) if options.get("buffer") else None
        """The publishes that were not confirmed, if they are kept."""
        self._default_channel: Channel | None = None

    def _as_connection(self) -> Connection:
        """What channels call their connection: the subclass."""
        raise NotImplementedError

    # -- channels

    def channel(self) -> Channel:
        """Open a new channel, connecting if need be."""
        self.connect()
        return self._new_channel()

    def _new_channel(self) -> Channel:
        confirm = bool(self.transport_options.get("confirm_publish"))
        return Channel(self._as_connection(), self.link, confirm)

    @property
    def default_channel(self) -> Channel:
        """The channel that stands for the connection where one is needed.

        Opened on first use, and anew when it or the connection was closed. Connecting is retried as
        `transport_options` say (Kombu's names: `max_retries`, `interval_start` …) for at most
        `connect_timeout` seconds, or `connect_retries_timeout` of the options.
        """
        if not self.connected:
            if self.buffer is not None and not self.buffer.try_to_send():
                return self._absent_channel()
            self.ensure_connection(**self._failover_options())
        if self._default_channel is None or self._default_channel.closed:
            self._default_channel = self._new_channel()
        return self._default_channel

    def _absent_channel(self) -> Channel:
        """The default channel while the broker is away and publishes are kept."""
        away: Any = AbsentConnection()
        for channel in self._lost_channels():
            channel.attach(away)
        if self._default_channel is None or self._default_channel.closed:
            self._default_channel = Channel(self._as_connection(), away)
        return self._default_channel

    # -- a new connection

    def _open(self) -> None:
        lost = self._lost_channels()
        super()._open()
        try:
            if lost:
                run(recovered(self.topology, self.link, lost))
            if self.buffer is not None:
                self.buffer.connected()
        except BaseException:
            self._drop()
            raise
        if self._default_channel not in lost:
            self._default_channel = None

    def _lost_channels(self) -> list[Channel]:
        """The channels that ended with their connection, in the order of their numbers."""
        lost = [each for each in self.channels if each.raw.lost]
        return sorted(lost, key=lambda channel: channel.channel_id)

    def consumes_from(self, queue: str) -> bool:
        """Whether a consumer of one of its channels is there for the queue."""
        return any(
            started.queue == queue
            for channel in self.channels
            for started in channel.consumers.values()
        )

    def wait_for_confirms(self, timeout: float | None = None) -> None:
        """Wait until all that was published is confirmed: see `confirm_window` and `buffer`.

        With a buffer it connects anew as often as it takes. `TimeoutError` after `timeout` seconds,
        `MessageNacked` when the broker refused a message.
        """
        if self.buffer is not None:
            self.buffer.flush(timeout)
            return
        for channel in list(self.channels):
            if channel.confirming and not channel.closed:
                channel.wait_for_confirms(0, timeout)

    def drain_events(self, timeout: float | None = None) -> None:
        """Wait for one event, up to `timeout` seconds (None: for ever), and deal with it.

        A delivery goes to its consumer's callbacks. `TimeoutError` (Python's `socket.timeout` is
        the same) when nothing came. A lost connection is raised, or with the transport option
        `recover` made again, within the timeout, as the options for connecting say.
        """
        if not self.recovers:
            self._drain(timeout)
            return
        try:
            self._drain(timeout)
        except TimeoutError:
            raise
        except self.recoverable_connection_errors as error:
            self._recover_and_drain(error, timeout)

    def _recover_and_drain(self, error: BaseException, timeout: float | None) -> None:
        end = None if timeout is None else time.monotonic() + timeout
        lost: BaseException | None = error
        while lost is not None:
            logger.warning("the connection was lost, making it again: %s", lost)
            self.collect()
            left = None if end is None else max(0.001, end - time.monotonic())
            lost = self._drain_anew(left)
            if lost is not None and end is not None and time.monotonic() >= end:
                raise TimeoutError(f"the broker was away for {timeout} seconds") from lost

    def _drain_anew(self, left: float | None) -> BaseException | None:
        """Connect and drain; the error when the connection was lost again."""
        options = {**self._retry_options(), "timeout": left}
        try:
            self.ensure_connection(**options)
            self._drain(left)
        except TimeoutError:
            raise
        except OperationalError as error:
            if left is None:  # as often as was asked for
                raise
            return error
        except RECOVERABLE as error:
            return error
        return None

    def _close(self) -> None:
        """Close the connection if it is open, also that of a pool. Nothing of it comes back."""
        if self.buffer is not None:
            self._finish_buffer(self.buffer)
        self._drop()
        self._default_channel = None
        self.channels.clear()
        self.topology = Topology()

    def _finish_buffer(self, buffer: Buffer) -> None:
        if self.connected:
            try:
                buffer.flush(self.parameters.connect_timeout)
            except (MiniBrokerClientError, OSError) as error:
                logger.warning("not everything that was published is confirmed: %s", error)
        buffer.close()
