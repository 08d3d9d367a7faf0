"""The kinds of queues, by the value of `x-queue-type`. Knows nothing of exchanges."""

from __future__ import annotations

from .base import BaseQueue, Ledger, Place, Surroundings
from .consumers import Consumer
from .entry import Entry
from .queue import Queue
from .quorum import QuorumQueue
from .stream import Stream

__all__ = [
    "KINDS",
    "BaseQueue",
    "Consumer",
    "Entry",
    "Ledger",
    "Place",
    "Queue",
    "QuorumQueue",
    "Stream",
    "Surroundings",
]

KINDS: dict[str, type[Queue | QuorumQueue | Stream]] = {
    kind.kind: kind for kind in (Queue, QuorumQueue, Stream)
}
