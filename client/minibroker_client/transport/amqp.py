"""`amqp://` and `amqps://`: RabbitMQ, MiniBroker, or whoever else speaks AMQP 0-9-1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..protocol.amqp import AMQPConnection
from .base import Capabilities
from .socketed import connect

if TYPE_CHECKING:
    from .base import Address
    from .socketed import SocketConnection

__all__ = ["AMQPTransport", "transport"]

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
    )

    def connect(self, address: Address) -> SocketConnection:
        """Connect, see `socketed.connect`.

        The transport options `login_method` (PLAIN, AMQPLAIN, EXTERNAL), `connection_name` and
        `client_properties` are what the broker is told.
        """
        tls = address.transport == "amqps"
        port = TLS_PORT if tls or address.ssl else PORT
        return connect(address, AMQPConnection, port, tls)


transport = AMQPTransport()
