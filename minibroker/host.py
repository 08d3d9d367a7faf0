"""What the virtual hosts of one broker are given by it. Knows nothing of threads or clocks.

The broker fills a `Host` with its lock, its clock and its source of names; a test fills it with
whatever it likes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

from .gate import Gate
from .limits import Limits
from .profile import get_profile
from .timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from .alarm import Alarm
    from .arguments import QueueDeclaration
    from .channel.state import ChannelState
    from .exchanges import Binding, Exchange
    from .profile import Profile
    from .properties import Properties
    from .queues import BaseQueue, Place
    from .vhost import VHost

__all__ = ["Guard", "Host", "Journal", "NoGuard"]


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


class Journal(Protocol):
    """Where virtual hosts report what must outlive the process. Called under the broker's lock.

    Durable exchanges and queues, bindings between them; messages through the `Place` that each
    such queue gets. Nothing here waits for a disk.
    """

    def append(self, fact: tuple[int, bytes], /) -> None:
        """Anything else that has to outlive it: kind and contents of a record."""

    def exchange_added(self, vhost: str, exchange: Exchange) -> None:
        """There is a new durable exchange; one that holds messages gets its place now."""

    def exchange_removed(self, vhost: str, exchange: Exchange) -> None:
        """It is gone, with all its bindings."""

    def new_place(self, declaration: QueueDeclaration) -> Place:
        """Where a durable queue that is about to be made reports its entries."""
        raise NotImplementedError

    def queue_added(self, queue: BaseQueue) -> None:
        """There is a new durable queue."""

    def queue_removed(self, queue: BaseQueue) -> None:
        """It is gone, with its entries and bindings."""

    def bound(self, vhost: str, binding: Binding) -> None:
        """There is a new binding between durable ends."""

    def unbound(self, vhost: str, binding: Binding) -> None:
        """It is gone."""

    def prepare(self, properties: Properties) -> None:
        """Make sure that a message with these properties can be kept, before it goes anywhere.

        Raises TypeError or ValueError that names what AMQP cannot carry.
        """

    confirms: dict[ChannelState, int]
    """Publishes to be confirmed when they are on the disk: the last one of each channel, and with
    it all before. It is another table after each commit."""

    def awaited(self) -> None:
        """There is the first one in `confirms`."""

    def wait(self) -> None:
        """Return when everything reported so far is on the disk, where it promises that.

        Raises InternalError when it could not be written.
        """


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
    gate: Gate = field(default_factory=Gate)
    """Where publishers wait."""
    journal: Journal | None = None
    """Who keeps what has to outlive the process; None: nobody."""
    assist: Callable[[], None] | None = None
    """Called by a thread that is going to wait for what the journal does; None: it does nothing."""
    hasten: Callable[[], None] | None = None
    """Called by a server at the end of a turn in which something waits for the journal, to have it
    written soon without waiting for that; None: there is nothing to write."""
    limits: Limits = field(default_factory=Limits)
    """How many there may be in all virtual hosts together."""
    vhosts: dict[str, VHost] = field(default_factory=dict)
    """The virtual hosts of the broker."""
