"""`redis://`, `rediss://`: Redis, Valkey and what speaks like them.

`layouts` says how queues lie in there: in streams, or in sorted sets where priorities or strict
order are asked for. `scripts` are the steps that the server takes as one.
"""

from __future__ import annotations

from .driver import FEATURES, RedisDriver, transport

__all__ = ["FEATURES", "RedisDriver", "transport"]
