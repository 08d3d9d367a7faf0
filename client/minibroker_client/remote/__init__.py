"""Queues that lie in another system, behind the broker's own channels, exchanges and bindings.

A `Driver` moves bytes to and from the system under leases; everything that AMQP means (routing,
prefetch, dead-lettering, confirms, errors) is done here once, by the broker's model with remote
queues in it. `docs/howto-transport.md` makes a driver.
"""

from __future__ import annotations

from .driver import (
    Driver,
    DriverError,
    Facts,
    Features,
    Leased,
    Outgoing,
    Put,
    QueueInfo,
    Refused,
)
from .transport import RemoteTransport

__all__ = [
    "Driver",
    "DriverError",
    "Facts",
    "Features",
    "Leased",
    "Outgoing",
    "Put",
    "QueueInfo",
    "Refused",
    "RemoteTransport",
]
