"""The server's side of AMQP 0-9-1, without sockets: bytes in, bytes out.

`reader` makes frames of bytes (`buffer` keeps half ones), `connection` sends them where they
belong, on top of `base`, its output and its end; `handshake` is all before `connection.open-ok`,
`channel` one channel with `handlers` for its methods. `publishing` is the way in of messages,
`outgoing` the way out, with `deliveries` as frames and `confirms` as answers to publishers;
`heartbeats` is the clock of a connection, `states` where it is.
"""

from __future__ import annotations

from .connection import AMQPConnection, Outlet

__all__ = ["AMQPConnection", "Outlet"]
