"""`file:///directory`: a broker in this process, on its log in that directory.

Connections of one process to one directory share its broker, which is opened by the first and
closed by the last of them. Another process is refused meanwhile. Knows only the URL: all else is
`memory`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .memory import MemoryTransport, connect_directory

if TYPE_CHECKING:
    from .base import Address
    from .memory import MemoryConnection

__all__ = ["FileTransport", "transport"]


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
        options = address.options
        fsync = options.get("fsync", "always")
        return connect_directory(directory, fsync, options.get("compress"), address)


transport = FileTransport()
