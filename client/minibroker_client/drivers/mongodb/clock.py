"""The server's clock, told from this machine's: all who lease must mean the same time."""

from __future__ import annotations

import time
from typing import Any

__all__ = ["ServerClock"]


class ServerClock:
    """Milliseconds since the epoch on the server, as it said when it was asked last."""

    def __init__(self) -> None:
        self.ahead = 0
        """Milliseconds that it is before this machine's."""

    def ask(self, client: Any) -> None:
        """Ask the server of a client; one that does not tell counts as equal."""
        begun = time.time_ns()
        told = client.admin.command("hello").get("localTime")
        middle = (begun + time.time_ns()) // 2_000_000
        if told is not None:
            self.ahead = int(told.timestamp() * 1000) - middle

    def now(self) -> int:
        """The time there."""
        return time.time_ns() // 1_000_000 + self.ahead
