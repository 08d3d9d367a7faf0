"""When a log is synced: what `fsync` of a broker means. Knows no log.

`always`: before anything is confirmed. `interval:100ms`: that often, and confirms do not wait.
`never`: when the log has to for itself, and confirms do not wait.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..clock import parse_duration

__all__ = ["SyncPolicy"]


@dataclass(frozen=True, slots=True)
class SyncPolicy:
    """When to sync. Unchanging."""

    always: bool = True
    interval: float | None = None
    """Seconds between two syncs, None where time does not decide."""

    @classmethod
    def parse(cls, text: str) -> SyncPolicy:
        """From "always", "interval:100ms" or "never". Raises ValueError that names the value."""
        if text == "always":
            return cls()
        if text == "never":
            return cls(always=False)
        name, _, duration = str(text).partition(":")
        if name == "interval":
            try:
                seconds = parse_duration(duration) / 1000
            except ValueError:
                seconds = 0
            if seconds > 0:
                return cls(always=False, interval=seconds)
        raise ValueError(f"fsync must be 'always', 'interval:100ms' or 'never', not {text!r}")
