"""What a link says of itself: what it has done, what waits, what went wrong, since when.

One thread writes it; whoever reads takes a copy. Knows no connection.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

__all__ = ["Health", "State"]

State = Literal["starting", "running", "retrying", "stopped", "failed"]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Health:
    """The state of one link, and its numbers since it was started."""

    name: str
    """The link's."""
    state: State = "starting"
    """`retrying`: one side is away or refuses, and it is tried again. `failed`: ended by a bug."""
    since: datetime = field(default_factory=_now)
    """When it came into this state."""
    forwarded: int = 0
    """Messages that the target has confirmed and that are deleted at the source."""
    lag: int | None = None
    """Messages at the source that are not forwarded yet, as of the last look; None: never seen."""
    last_error: str | None = None
    """What went wrong last; it stays when all is well again: see `state`."""
    last_error_at: datetime | None = None
    """When that was."""
    errors: int = 0
    """How often something went wrong."""
    repeated: int = 0
    """Publishes of what had been published before, without a confirm: the target may have it twice,
    with the same `message_id`."""
    filtered: int = 0
    """Messages that the header filter held back; they are deleted at the source."""
    looped: int = 0
    """Messages that had passed this link or its opposite before; they are deleted at the source."""
    dropped: int = 0
    """Messages given up as `unroutable` or `unfit` say "drop"."""
    dead_lettered: int = 0
    """The same for "dead-letter"."""

    def now_in(self, state: State, when: datetime | None = None) -> bool:
        """Come into a state; False when it was in it."""
        if state == self.state:
            return False
        self.state = state
        self.since = when or _now()
        return True

    def went_wrong(self, error: str, when: datetime | None = None) -> None:
        """Note what went wrong."""
        self.errors += 1
        self.last_error = error
        self.last_error_at = when or _now()

    def copy(self) -> Health:
        """As it is now."""
        return replace(self)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: times are ISO 8601."""
        values = asdict(self)
        for name in ("since", "last_error_at"):
            when: datetime | None = values[name]
            values[name] = when.isoformat(timespec="seconds") if when is not None else None
        return values

    def __str__(self) -> str:
        lag = "?" if self.lag is None else self.lag
        text = f"{self.name}: {self.state} since {self.since.astimezone():%H:%M:%S}, "
        text += f"{self.forwarded} forwarded, lag {lag}"
        if self.state in {"retrying", "failed"} and self.last_error is not None:
            text += f", last error: {self.last_error}"
        return text
