"""The states of a connection, in order."""

from __future__ import annotations

from enum import Enum

__all__ = ["CLOSED", "CLOSING", "GREETING", "OPEN", "OPENING", "STARTING", "TUNING", "State"]


class State(Enum):
    """Where a connection is; the values are RabbitMQ's words, which its errors use."""

    GREETING = "pre_init"
    """The protocol header has not come."""
    STARTING = "starting"
    TUNING = "tuning"
    OPENING = "opening"
    OPEN = "running"
    CLOSING = "closing"
    """The server sent `connection.close`: only the answer to it counts."""
    CLOSED = "closed"
    """Nothing that comes counts any more; what is to be sent is sent."""


GREETING = State.GREETING
STARTING = State.STARTING
TUNING = State.TUNING
OPENING = State.OPENING
OPEN = State.OPEN
CLOSING = State.CLOSING
CLOSED = State.CLOSED
