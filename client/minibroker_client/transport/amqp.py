"""`amqp://` and `amqps://`: RabbitMQ, MiniBroker, or whoever else speaks AMQP 0-9-1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ..protocol.amqp import AMQPConnection
from .base import Capabilities
from .socketed import connect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .base import Address
    from .socketed import SocketConnection

__all__ = ["AMQPTransport", "transport"]

T = TypeVar("T")
PORT = 5672
TLS_PORT = 5671


class AMQPTransport:
    """Connects over a socket. Source of the ports: AMQP 0-9-1 section 4.2.1, RabbitMQ's for TLS."""

    default_port: int | None = PORT
    capabilities = Capabilities(
        exchange_types=frozenset({"direct", "fanout", "topic", "headers"}),
        confirms=True,
        transactions=True,
        returns=True,
        exchange_bindings=True,
        heartbeats=True,
        asynchronous=True,
        prefetch=True,
        priority=True,
        message_ttl=True,
        dead_letter=True,
        delivery_count=True,
        fan_out=True,
        fenced_ack=True,
        wake_up=True,
        length_limit=True,
        virtual_hosts=True,
    )

    def connect(self, address: Address) -> SocketConnection:
        """Connect, see `socketed.connect`.

        The transport options `login_method` (PLAIN, AMQPLAIN, EXTERNAL), `connection_name` and
        `client_properties` are what the broker is told.
        """
        return connect(address, AMQPConnection, *_port_and_tls(address))

    async def connect_async(
        self, address: Address, connect_shell: Callable[..., Awaitable[T]], *told: Any
    ) -> T:
        """The same for an event loop: `connect_shell` and `told` are those of `aio`."""
        return await connect_shell(address, *_port_and_tls(address), AMQPConnection, *told)


def _port_and_tls(address: Address) -> tuple[int, bool]:
    tls = address.transport == "amqps"
    return (TLS_PORT if tls or address.ssl else PORT), tls


transport = AMQPTransport()
