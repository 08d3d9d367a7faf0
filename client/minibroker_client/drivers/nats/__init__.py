"""`nats://`: NATS with JetStream. Tested with version 2.15.

A queue is a stream with one consumer, which all clients pull from (`places`); what is declared lies
in a bucket of keys and values (`facts`). `looping` runs asyncio in a thread, `wire` asks
much at once, `pulling` takes messages, `messages` and `names` say what they look like.
"""

from __future__ import annotations

from .driver import FEATURES, NatsDriver, transport

__all__ = ["FEATURES", "NatsDriver", "transport"]
