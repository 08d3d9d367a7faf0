"""Exchange, Queue and binding, where Kombu has them. Knows nothing itself."""

from __future__ import annotations

from .exchange import (
    DELIVERY_MODES,
    PERSISTENT_DELIVERY_MODE,
    TRANSIENT_DELIVERY_MODE,
    Exchange,
    binding,
    maybe_delivery_mode,
)
from .queue import Queue

__all__ = [
    "DELIVERY_MODES",
    "PERSISTENT_DELIVERY_MODE",
    "TRANSIENT_DELIVERY_MODE",
    "Exchange",
    "Queue",
    "binding",
    "maybe_delivery_mode",
]
