"""Pools of connections and producers that a whole process shares, by where they lead.

`connections[connection]` and `producers[connection]` are pools for connections like that one, with
room for 10 each (`set_limit`). Thread-safe.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .connection_pool import ConnectionPool
from .producer import Producer
from .resource import Resource

if TYPE_CHECKING:
    from .connection import Connection

__all__ = [
    "PoolGroup",
    "ProducerPool",
    "connections",
    "get_limit",
    "producers",
    "register_group",
    "reset",
    "set_limit",
]

PoolT = TypeVar("PoolT", bound=Resource[Any])

USE_GLOBAL_LIMIT = -1
"""The limit of a group that follows `set_limit`."""


class PooledProducer(Producer):
    """A producer that goes back to its pool when it is released."""

    pool: ProducerPool | None = None

    def release(self) -> None:
        """Give it back, and its connection to the pool of connections."""
        if self.pool is not None:
            self.pool.release(self)

    close = release


class ProducerPool(Resource[PooledProducer]):
    """Producers, each with a connection from a pool while it is in use."""

    def __init__(self, connections: ConnectionPool, limit: int | None = None) -> None:
        super().__init__(limit)
        self.connections = connections

    def new(self) -> PooledProducer:
        """A producer without a connection."""
        producer = PooledProducer(None)
        producer.pool = self
        return producer

    def prepare(self, resource: PooledProducer) -> PooledProducer:
        """Give it a connection, waiting for one if need be."""
        connection = self.connections.acquire(block=True)
        try:
            resource.revive(connection)
        except BaseException:
            connection.release()
            raise
        return resource

    def release_resource(self, resource: PooledProducer) -> None:
        """Take its connection away."""
        connection = resource.__connection__
        resource.unbind()
        if connection is not None:
            connection.release()

    def close_resource(self, resource: PooledProducer) -> None:
        """Nothing to close but its connection."""
        self.release_resource(resource)


class PoolGroup(Generic[PoolT]):
    """Pools by what their connections lead to, made when they are first asked for."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self._pools: dict[tuple[object, ...], PoolT] = {}
        self._lock = threading.RLock()

    def create(self, connection: Connection, limit: int | None) -> PoolT:
        """Make a pool: for subclasses."""
        raise NotImplementedError

    def __getitem__(self, connection: Connection) -> PoolT:
        key = connection.identity()
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                limit = get_limit() if self.limit == USE_GLOBAL_LIMIT else self.limit
                pool = self._pools[key] = self.create(connection, limit)
            return pool

    def __contains__(self, connection: Connection) -> bool:
        return connection.identity() in self._pools

    def __len__(self) -> int:
        return len(self._pools)

    def values(self) -> list[PoolT]:
        """The pools made so far."""
        with self._lock:
            return list(self._pools.values())

    def clear(self) -> None:
        """Forget all pools; those who hold one can go on with it."""
        with self._lock:
            self._pools.clear()


_groups: list[PoolGroup[Any]] = []
_limit: int = 10


def register_group(group: PoolGroup[PoolT]) -> PoolGroup[PoolT]:
    """Let `set_limit` and `reset` reach a group. Returns it."""
    _groups.append(group)
    return group


class _Connections(PoolGroup[ConnectionPool]):
    def create(self, connection: Connection, limit: int | None) -> ConnectionPool:
        return connection.Pool(limit=limit)


class _Producers(PoolGroup[ProducerPool]):
    def create(self, connection: Connection, limit: int | None) -> ProducerPool:
        return ProducerPool(connections[connection], limit)


connections = register_group(_Connections(USE_GLOBAL_LIMIT))
producers = register_group(_Producers(USE_GLOBAL_LIMIT))


def get_limit() -> int:
    """How many resources each pool may have: 0 for any number."""
    return _limit


def set_limit(
    limit: int | None, force: bool = False, reset_after: bool = False, ignore_errors: bool = False
) -> int:
    """Change the limit of all pools, also of those there are; see `Resource.resize`.

    None and 0 mean any number. With `reset_after` all resources are closed. Returns the limit.
    """
    global _limit  # noqa: PLW0603 -- the limit of the process, as in Kombu
    limit = limit or 0
    if limit != _limit:
        for group in reversed(_groups):
            for pool in group.values():
                pool.resize(limit, force, ignore_errors, reset_after)
        _limit = limit
    return limit


def reset() -> None:
    """Close all pools with their resources, and forget them."""
    for group in reversed(_groups):  # producers give their connections back first
        for pool in group.values():
            pool.force_close_all()
        group.clear()
