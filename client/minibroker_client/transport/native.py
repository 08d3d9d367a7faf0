"""`minibroker://` and `minibrokers://`: a MiniBroker server, in its own protocol."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from ..protocol.native import NativeConnection
from .amqp import PORT, TLS_PORT
from .amqp import transport as amqp
from .socketed import connect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .base import Address
    from .socketed import SocketConnection

__all__ = ["NativeTransport", "transport"]

T = TypeVar("T")


class NativeTransport:
    """Connects over a socket, to the port that also speaks AMQP."""

    default_port: int | None = PORT
    capabilities = replace(
        amqp.capabilities,
        exchange_types=amqp.capabilities.exchange_types
        | {"x-consistent-hash", "x-delayed-message"},
        delay=True,
    )

    def connect(self, address: Address) -> SocketConnection:
        """Connect, see `socketed.connect`. Transport options as for `amqp://`, and `credit`: bytes
        of deliveries that the broker sends ahead of the application.
        """
        return connect(address, NativeConnection, *_port_and_tls(address))

    async def connect_async(
        self, address: Address, connect_shell: Callable[..., Awaitable[T]], *told: Any
    ) -> T:
        """The same for an event loop: `connect_shell` and `told` are those of `aio`."""
        return await connect_shell(address, *_port_and_tls(address), NativeConnection, *told)


def _port_and_tls(address: Address) -> tuple[int, bool]:
    tls = address.transport == "minibrokers"
    return (TLS_PORT if tls or address.ssl else PORT), tls


transport = NativeTransport()
