"""A channel of either protocol: the methods of AMQP as calls. Knows no bytes.

The names and arguments are those of `transport.base.TransportChannel`; what is returned is what
the shell makes of an answer.
"""

from __future__ import annotations

from .consuming import Consuming
from .declaring import Declaring
from .publishing import Publishing

__all__ = ["ProtocolChannel"]


class ProtocolChannel(Publishing, Consuming, Declaring):
    """What both protocols share of a channel: publishing and acks are for the subclasses."""
