"""A broker on a socket. `amqp` is the protocol without I/O, `listener` the one place with asyncio.

`hosting` runs it in a thread of its own, or in the loop of an application; `sasl` says who logs in,
`tls` makes contexts, `settings` is what clients are offered.
"""

from __future__ import annotations

from .hosting import HostedServer, Serving
from .listener import Server
from .settings import ServerSettings

__all__ = ["HostedServer", "Server", "ServerSettings", "Serving"]
