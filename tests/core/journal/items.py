"""Entries as the journal gets them, without a queue: of that it wants a place with a number."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from minibroker.message import Message
from minibroker.queues.entry import KeptEntry

from ..restarts import persistent

__all__ = ["item"]


def item(
    place: int,
    seq: int,
    body: bytes = b"",
    *,
    expires: int | None = None,
    message: Message | None = None,
    **properties: Any,
) -> KeptEntry:
    """An entry of a place; of `message`, or of one with this body and these properties."""
    if message is None:
        message = Message("exchange", "key", persistent(**properties), body)
    queue: Any = SimpleNamespace(place=SimpleNamespace(number=place))
    return KeptEntry(queue, message, seq, expires)
