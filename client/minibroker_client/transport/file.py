"""`file:///directory`: a broker in this process, on its log in that directory.

Connections of one process to one directory share its broker, which is opened by the first and
closed by the last of them. Another process is refused meanwhile. Knows only the URL: all else is
`memory`.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from minibroker import Broker
from minibroker.errors import LogError

from .. import exceptions
from .memory import MemoryTransport, connect
from .named import NamedBrokers

if TYPE_CHECKING:
    from .base import Address
    from .memory import MemoryConnection

__all__ = ["FileTransport", "transport"]

directories: NamedBrokers[Broker] = NamedBrokers()
"""The brokers that are open, by their directories."""


class FileTransport(MemoryTransport):
    """Connects to the broker of a directory."""

    def connect(self, address: Address) -> MemoryConnection:
        """Connect to the broker of the address' directory, which is made if it is not there.

        The transport options `fsync` ("always", "interval:100ms" or "never") and `compress`
        ("lz4") count for the connection that opens it.

        `OperationalError` when the directory cannot be opened: it is open in another process (which
        is named), damaged, of a newer version, or not to be read or written. `ValueError` for an
        invalid option. Then as for `memory://`.
        """
        if not address.hostname:
            raise ValueError("file:// needs a directory, as in file:///var/lib/app/queue")
        directory = os.path.realpath(address.hostname)
        fsync = address.options.get("fsync", "always")
        compress = address.options.get("compress")

        def opened() -> Broker:
            return Broker(data=directory, fsync=fsync, compress=compress)

        try:
            broker = directories.acquire(directory, opened)
        except (LogError, OSError) as error:
            raise exceptions.OperationalError(str(error)) from error
        return connect(broker, address, partial(directories.release, directory))


transport = FileTransport()
