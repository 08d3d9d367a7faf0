"""The heartbeats of one connection. Knows no frame and no socket.

One is due when nothing went out for half an interval; a client that was silent for two intervals is
given up. Any traffic counts (9). Source: RabbitMQ's `rabbit_heartbeat`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...timers import Timers

__all__ = ["Heartbeats"]

SILENT = 2
"""Intervals without a byte after which a client is taken for gone."""


class Heartbeats:
    """Watches both directions. Called under the broker's lock, but for `sent` and `heard`."""

    __slots__ = (
        "_gone",
        "_half",
        "_receiving",
        "_send",
        "_sending",
        "_silence",
        "excused",
        "heard",
        "sent",
    )

    def __init__(self, timers: Timers, send: Callable[[], None], gone: Callable[[], None]) -> None:
        self.heard = False
        """Whether anything came since the last look: whoever reads sets it."""
        self.sent = False
        """Whether anything went out since the last look: whoever writes sets it."""
        self.excused = False
        """Whether the client cannot be heard, because nothing is read from it."""
        self._send = send
        self._gone = gone
        self._sending = timers.new(self._look_at_sent)
        self._receiving = timers.new(self._look_at_heard)
        self._half = 0
        self._silence = 0

    def start(self, now: int, interval: int) -> None:
        """Watch from `now` (milliseconds) on; `interval` is in seconds, 0 for never."""
        if interval:
            self._half = interval * 500
            self._sending.set(now + self._half)
            self._receiving.set(now + 2 * self._half)

    def stop(self) -> None:
        """The connection has ended."""
        self._sending.clear()
        self._receiving.clear()

    def _look_at_sent(self, now: int) -> None:
        if not self.sent:
            self._send()
        self.sent = False
        self._sending.set(now + self._half)

    def _look_at_heard(self, now: int) -> None:
        self._silence = 0 if self.heard or self.excused else self._silence + 1
        self.heard = False
        if self._silence >= SILENT:
            self._gone()
        else:
            self._receiving.set(now + 2 * self._half)
