"""What exchanges and queues share: they can be bound to a channel. Knows no AMQP method."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar

from .channel import Channel, maybe_channel
from .exceptions import NotBoundError

if TYPE_CHECKING:
    from typing import Self

    from .connection import Connection

__all__ = ["Entity"]


class Entity:
    """A declaration. Unbound it is a plain value; a bound copy of it can be declared and used.

    `attrs` names what makes it up, in the order of `as_dict`. Equality is by value, the hash by
    name only, because the rest may change. Pickling keeps all but the channel.
    """

    attrs: ClassVar[tuple[str, ...]] = ()
    can_cache_declaration: bool = False
    """Whether declaring it once per connection is enough."""

    name: str = ""
    _channel: Channel | Connection | None = None

    def __call__(self, channel: Channel | Connection) -> Self:
        """The same as `bind`."""
        return self.bind(channel)

    def bind(self, channel: Channel | Connection) -> Self:
        """A copy bound to a channel (of a connection: its default channel, when it is needed)."""
        bound = copy(self)
        bound._channel = None
        return bound.maybe_bind(channel)

    def maybe_bind(self, channel: Channel | Connection | None) -> Self:
        """Bind this one itself, unless it is bound or there is no channel. Returns itself."""
        if self._channel is None and channel is not None:
            self._channel = channel
            self.when_bound()
        return self

    def revive(self, channel: Channel | Connection) -> None:
        """Move to a new channel if it is bound: the connection was re-established."""
        if self._channel is not None:
            self._channel = channel
            self.when_bound()

    def when_bound(self) -> None:
        """Called when it has got a channel: for subclasses."""

    @property
    def is_bound(self) -> bool:
        """Whether it has a channel."""
        return self._channel is not None

    @property
    def channel(self) -> Channel:
        """Its channel; `NotBoundError` without one."""
        channel = self._channel
        if channel is None:
            raise NotBoundError(f"{self!r} is not bound to a channel")
        return maybe_channel(channel)

    def as_dict(self, recurse: bool = False) -> dict[str, Any]:
        """Its attributes by name; with `recurse` those of exchanges and bindings inside, too."""
        return {name: _plain(getattr(self, name), recurse) for name in self.attrs}

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state.pop("_channel", None)
        return state

    def __copy__(self) -> Self:
        twin = self.__class__.__new__(self.__class__)
        twin.__dict__.update(self.__dict__)
        return twin

    def _same(self, other: Entity, names: tuple[str, ...]) -> bool:
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def __repr__(self) -> str:
        if self._channel is None:
            return f"<unbound {self}>"
        if isinstance(self._channel, Channel):
            return f"<{self} bound to chan:{self._channel.channel_id}>"
        return f"<{self} bound to {self._channel!r}>"


def _plain(value: Any, recurse: bool) -> Any:
    if not recurse:
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item, recurse) for item in value]
    inner = getattr(value, "as_dict", None)
    return value if inner is None else inner(recurse=True)
