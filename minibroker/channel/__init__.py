"""One channel of a connection: what an AMQP client can ask for, without the wire.

`state` is what a channel remembers, `publishing`, `consuming` and `declaring` are its three sides,
`timeouts` watches for acks that do not come.
"""

from __future__ import annotations

from .channel import Channel
from .consuming import GetOk
from .declaring import DeclareOk

__all__ = ["Channel", "DeclareOk", "GetOk"]
