"""The server's side of AMQP 0-9-1, without sockets: bytes in, bytes out.

`connection` reads frames and sends them where they belong, `handshake` is all before
`connection.open-ok`, `channel` one channel with `handlers` for its methods, `publishing` the way in
of messages and `deliveries` their way out, `confirms` the answers to publishers, `heartbeats` the
clock of a connection.
"""

from __future__ import annotations

from .connection import AMQPConnection, Outlet

__all__ = ["AMQPConnection", "Outlet"]
