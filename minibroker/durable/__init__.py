"""A broker's log in use: when and by whom it is written, and kept small.

`committer` writes batches, `worker` is the thread that does it in time, `upkeep` makes checkpoints
and gives space back, `snapshot` copies, `policy` says what `fsync` means, and `durability` puts
them together for a broker.
"""

from __future__ import annotations

from .durability import Durability, DurabilityOptions

__all__ = ["Durability", "DurabilityOptions"]
