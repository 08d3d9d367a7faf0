"""What the virtual hosts of one broker are given by it. Knows nothing of threads or clocks.

The broker fills a `Host` with its lock, its clock and its source of names; a test fills it with
whatever it likes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

from .limits import Limits
from .profile import get_profile
from .timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from .alarm import Alarm
    from .profile import Profile
    from .vhost import VHost

__all__ = ["Guard", "Host", "NoGuard"]


class Guard(Protocol):
    """The broker's lock: reentrant, and taken by every call that a client can make."""

    def acquire(self) -> bool:
        """Wait for the lock and take it."""
        raise NotImplementedError

    def release(self) -> None:
        """Give it back."""

    def __enter__(self) -> object: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> object: ...


class NoGuard:
    """No lock, for a model that one thread alone uses."""

    def acquire(self) -> bool:
        """Nothing to wait for."""
        return True

    def release(self) -> None:
        """Nothing to give back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        pass


@dataclass(slots=True, eq=False)
class Host:
    """Time, lock and names for virtual hosts.

    `now` gives milliseconds since the epoch, `unique` a name that nobody can guess.
    """

    now: Callable[[], int]
    unique: Callable[[], str]
    guard: Guard = field(default_factory=NoGuard)
    profile: Profile = field(default_factory=get_profile)
    timers: Timers = field(default_factory=Timers)
    alarm: Alarm | None = None
    """The memory alarm, where there is a limit."""
    limits: Limits = field(default_factory=Limits)
    """How many there may be in all virtual hosts together."""
    vhosts: dict[str, VHost] = field(default_factory=dict)
    """The virtual hosts of the broker."""
