"""`mongodb://`, `mongodb+srv://`: MongoDB, and what speaks its protocol.

`documents` is how a message looks there.
"""

from __future__ import annotations

from .driver import FEATURES, MongoDriver, transport

__all__ = ["FEATURES", "MongoDriver", "transport"]
