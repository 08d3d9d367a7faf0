"""AMQP 0-9-1 as a client speaks it: the handshake, methods and heartbeats as frames.

Source: AMQP 0-9-1 section 2.2.4 and section 4.2; RabbitMQ documentation, "Client properties".
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

from minibroker.version import __version__
from minibroker.wire.amqp import encode_table, spec
from minibroker.wire.amqp.constants import FRAME_OVERHEAD, HEARTBEAT_FRAME, PROTOCOL_HEADER
from minibroker.wire.amqp.frames import method_frame

from ... import exceptions
from ..connection import MOST_CHANNELS, ProtocolConnection
from .channel import AMQPChannel
from .reader import Reader

if TYPE_CHECKING:
    from minibroker.wire.amqp.spec import MethodRecord

    from ...transport.base import Address, Listener
    from ..shell import Shell

__all__ = ["AMQPConnection", "client_properties", "sasl_response"]

FRAME_MAX = 131_072
"""Bytes of a frame that are agreed to."""
UNLIMITED = 1 << 31
CAPABILITIES = (
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "authentication_failure_close",
)


def client_properties(address: Address) -> dict[str, Any]:
    """What the client says of itself; `client_properties` of the options are added."""
    name = address.options.get("connection_name")
    return {
        "product": "MiniBroker client",
        "version": __version__,
        "platform": f"Python {platform.python_version()}",
        "capabilities": dict.fromkeys(CAPABILITIES, True),
        **({"connection_name": name} if name else {}),
        **address.options.get("client_properties", {}),
    }


def sasl_response(address: Address) -> tuple[str, bytes]:
    """The mechanism and what it says. `ValueError` for an unknown `login_method`."""
    method = address.options.get("login_method", "PLAIN")
    user = "guest" if address.userid is None else address.userid
    password = "guest" if address.password is None else address.password
    if method == "PLAIN":
        return method, b"\0" + user.encode() + b"\0" + password.encode()
    if method == "AMQPLAIN":
        return method, encode_table({"LOGIN": user, "PASSWORD": password})[4:]
    if method == "EXTERNAL":
        return method, b""
    raise ValueError(f"login_method {method!r}: there is PLAIN, AMQPLAIN and EXTERNAL")


class AMQPConnection(ProtocolConnection):
    """One connection that speaks AMQP."""

    def __init__(self, address: Address, shell: Shell) -> None:
        super().__init__(address, shell)
        self.login = sasl_response(address)
        self.reader = Reader(self)
        self.most = FRAME_MAX - FRAME_OVERHEAD
        """Bytes of a body that fit one frame."""
        self.frame_max = FRAME_MAX
        self.dirty: list[AMQPChannel] = []
        """Channels with acks that were not sent."""
        self.out.append(PROTOCOL_HEADER)
        self.size = len(PROTOCOL_HEADER)

    # -- out

    def encode(self, number: int, method: MethodRecord) -> bytes:
        """The frame of a method."""
        return method_frame(number, method)

    def heartbeat_frame(self) -> bytes:
        """See the base."""
        return HEARTBEAT_FRAME

    def settle(self) -> None:
        """Put the acks that were not sent yet into `out`."""
        for channel in self.dirty:
            channel.put_acks()
        self.dirty.clear()

    def new_channel(self, number: int, listener: Listener) -> AMQPChannel:
        """See the base."""
        return AMQPChannel(self, number, listener)

    # -- in

    def receive(self, data: bytes) -> None:
        """See the base."""
        if self.closed:
            return
        try:
            self.reader.read(data)
        except exceptions.AMQPError as error:
            self.end(error)

    def handshake(self, method: MethodRecord) -> None:
        """A method of the handshake came."""
        if isinstance(method, spec.ConnectionStart):
            self._start(method)
        elif isinstance(method, spec.ConnectionTune):
            self._tune(method)
        elif isinstance(method, spec.ConnectionOpenOk):
            self.opened.succeed(self)
        elif isinstance(method, spec.ConnectionSecure):
            raise exceptions.NotImplementedByBroker(f"login method {self.login[0]} wants more")
        else:
            self.method(0, method)

    def _start(self, method: spec.ConnectionStart) -> None:
        self.server_properties = dict(method.server_properties)
        mechanism, response = self.login
        offered = method.mechanisms.decode(errors="replace").split()
        if mechanism not in offered:
            raise exceptions.AccessRefused(
                f"the broker does not take login method {mechanism}, but {', '.join(offered)}"
            )
        properties = client_properties(self.address)
        self.send(0, spec.ConnectionStartOk(properties, mechanism, response))

    def _tune(self, method: spec.ConnectionTune) -> None:
        self.channel_max = method.channel_max or MOST_CHANNELS
        self.frame_max = min(method.frame_max or FRAME_MAX, FRAME_MAX)
        self.most = self.frame_max - FRAME_OVERHEAD
        self.reader.limit = self.frame_max
        wanted = self.address.heartbeat
        self.heartbeat = method.heartbeat if wanted is None else round(wanted)
        if self.heartbeat and method.heartbeat:
            self.heartbeat = min(self.heartbeat, method.heartbeat)
        self.send(0, spec.ConnectionTuneOk(self.channel_max, self.frame_max, int(self.heartbeat)))
        self.send(0, spec.ConnectionOpen(self.address.virtual_host))
