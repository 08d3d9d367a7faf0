"""Pools of connections, and of channels of one. Knows how to make them, not how to use them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from .channel import Channel
from .exceptions import ChannelLimitExceeded, ConnectionLimitExceeded
from .resource import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .connection import Connection

__all__ = ["ChannelPool", "ConnectionPool"]


class ConnectionPool(Resource["Connection"]):
    """Connections like one that is given. What is acquired goes back with `release()` or `with`.

    One that an exception went through in a `with` block is closed instead, as it may be defective.
    """

    LimitExceeded = ConnectionLimitExceeded

    def __init__(self, connection: Connection, limit: int | None = None) -> None:
        super().__init__(limit)
        self.connection = connection

    def new(self) -> Connection:
        """Another connection; it connects when it is first needed."""
        connection = self.connection.clone()
        connection.pool = self
        return connection

    def close_resource(self, resource: Connection) -> None:
        """Close it."""
        resource.collect()

    @contextmanager
    def acquire_channel(self, block: bool = False) -> Iterator[tuple[Connection, Channel]]:
        """A connection from the pool and its default channel, for a `with` block."""
        with self.acquire(block=block) as connection:
            yield connection, connection.default_channel


class ChannelPool(Resource[Channel]):
    """Channels of one connection. What is acquired goes back with `release()`.

    One that was closed in the meantime is replaced when it would be handed out.
    """

    LimitExceeded = ChannelLimitExceeded

    def __init__(self, connection: Connection, limit: int | None = None) -> None:
        super().__init__(limit)
        self.connection = connection

    def new(self) -> Channel:
        """A new channel."""
        channel = self.connection.channel()
        channel.pool = self
        return channel

    def prepare(self, resource: Channel) -> Channel:
        """The channel, or a new one if it is closed."""
        return self.new() if resource.closed else resource

    def close_resource(self, resource: Channel) -> None:
        """Close it."""
        resource.close()
