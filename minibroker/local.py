"""A connection within the process: the outbox of the model, and waiting for it to fill.

Knows nothing of serializers or URLs: that is the client.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from .access import UNRESTRICTED
from .connection import Connection
from .errors import ConnectionForced

if TYPE_CHECKING:
    from types import TracebackType

    from .access import Access
    from .connection import Event
    from .errors import AMQPError
    from .queues import Entry
    from .vhost import VHost

__all__ = ["LocalConnection"]


class LocalConnection(Connection):
    """A connection to a broker in this process. Thread-safe; `with` closes it."""

    def __init__(
        self,
        vhost: VHost,
        lock: threading.RLock,
        user: str = "guest",
        access: Access = UNRESTRICTED,
    ) -> None:
        super().__init__(vhost, user, access)
        self._arrived = threading.Condition(lock)
        self._waiting = 0
        self.keeper: object = None
        """Whoever keeps time for the connection, and has to live as long as it does."""

    def drain(self, timeout: float | None = None) -> Entry | Event:
        """The next delivery or event, waiting for it up to `timeout` seconds (None: for ever).

        Seconds are real ones whatever the broker's clock; 0 does not wait. What arrives is handed
        to one caller only.

        Raises TimeoutError when nothing came, ConnectionForced when the connection is closed.
        """
        try:
            return self.outbox.popleft()
        except IndexError:
            return self._wait(timeout)

    def _wait(self, timeout: float | None) -> Entry | Event:
        assist = self.vhost.host.assist
        if assist is not None:
            assist()
            if self.outbox:
                return self.outbox.popleft()
        with self._arrived:
            self._waiting += 1
            self.wake = self._arrived.notify
            try:
                self._arrived.wait_for(lambda: self.outbox or self.closed, timeout)
            finally:
                self._waiting -= 1
                if not self._waiting:
                    self.wake = None
            if self.outbox:
                return self.outbox.popleft()
            if self.closed:
                raise ConnectionForced("the connection is closed")
            raise TimeoutError(f"nothing arrived within {timeout} seconds")

    def close(self, error: AMQPError | None = None) -> None:
        """Close the connection: channels end, exclusive queues go, whoever waits is woken."""
        super().close(error)
        with self._arrived:
            self._arrived.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
