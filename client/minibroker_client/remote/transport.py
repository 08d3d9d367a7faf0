"""What a module of a system offers as `transport`: makes its driver, and a connection on it."""

from __future__ import annotations

import atexit
import secrets
import threading
import time
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakSet

from minibroker.errors import AMQPError
from minibroker.exchanges import TYPES
from minibroker.host import Host

from .. import exceptions
from ..transport.base import Capabilities
from ..transport.local_channel import translated
from .connection import RemoteConnection
from .driver import DriverError
from .keeping import Keeper
from .levels import with_levels
from .link import RemoteLink
from .vhost import PROFILE, RemoteVHost

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..transport.base import Address
    from .driver import Driver, Features

__all__ = ["RemoteTransport", "needed"]


class RemoteTransport:
    """Connects to a system by a driver. Thread-safe."""

    def __init__(
        self,
        make: Callable[[Address], Driver],
        features: Features,
        default_port: int | None = None,
    ) -> None:
        """`make` connects, raising `DriverError`, or `ValueError` for an invalid option.

        `features` are those that the driver has at best, for whoever asks before connecting.
        """
        self._make = make
        self.default_port = default_port
        self.capabilities = Capabilities(
            exchange_types=frozenset(TYPES),
            confirms=True,
            returns=True,
            exchange_bindings=True,
            prefetch=True,
            priority=True,
            message_ttl=True,
            delay=True,
            dead_letter=True,
            delivery_count=features.delivery_count,
            fan_out=True,
            fenced_ack=features.fenced,
            lease=True,
            wake_up=features.wake_up,
        )

    def connect(self, address: Address) -> RemoteLink:
        """Connect, and read what is declared there.

        `ConnectionForced` when the system cannot be reached.
        """
        try:
            driver = self._make(address)
        except DriverError as error:
            raise exceptions.ConnectionForced(str(error)) from error
        try:
            return RemoteLink(_connected(with_levels(driver), address.virtual_host), address)
        except BaseException:
            driver.close()
            raise


def _connected(driver: Driver, vhost: str) -> RemoteConnection:
    lock = threading.RLock()
    host = Host(_milliseconds, _unique, lock, PROFILE)
    # The queues speak to the connection, which needs them: it is put in their place afterwards.
    place: Any = _Place()
    entities = RemoteVHost(vhost, host, driver, place, secrets.token_hex(8))
    connection = RemoteConnection(entities, driver, lock)
    entities.exchanger = connection
    connection.keeper = Keeper(connection, driver.lease_seconds)
    entities.connections.add(connection)
    try:
        connection.read(connection.ask(driver.facts.version))
    except AMQPError as error:
        raise translated(error, "connection.open") from error
    _open.add(connection)
    return connection


_open: WeakSet[RemoteConnection] = WeakSet()


@atexit.register
def _close_all() -> None:
    """A program that ends without closing gives back what it has, as the end of a socket would."""
    for connection in list(_open):
        with suppress(Exception):
            connection.close()


class _Place:
    """Nobody speaks to it: there are no queues before the connection is there."""


def _milliseconds() -> int:
    # Not the broker's `SystemClock`, which passes a suspended machine over: others mean this time.
    return time.time_ns() // 1_000_000


def _unique() -> str:
    return secrets.token_urlsafe(16)


def needed(module: str, extra: str) -> Any:
    """A driver's library, or `ImportError` that says how to get it."""
    try:
        return cast("Any", import_module(module))
    except ImportError as error:
        raise ImportError(
            f"this URL needs the package {module.partition('.')[0]}: "
            f"pip install 'minibroker[{extra}]'"
        ) from error
