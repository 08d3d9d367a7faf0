"""Producer and Consumer, where Kombu has them. Knows nothing itself."""

from __future__ import annotations

from .consumer import Consumer
from .entity import Exchange, Queue
from .producer import Producer

__all__ = ["Consumer", "Exchange", "Producer", "Queue"]
