"""The native protocol as a client speaks it: frames, batches, credit.

What is published or acked on one channel in a row becomes one frame. Source:
docs/native-protocol.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minibroker.errors import AMQPError as WireError
from minibroker.wire.native import (
    CREDIT,
    FRAME_MAX,
    HEARTBEAT_FRAME,
    LOGIN,
    MAGIC,
    PUBLISH,
    Reader,
    frame,
    method_frame,
)

from ... import exceptions
from ..amqp.connection import client_properties, sasl_response
from ..connection import ProtocolConnection
from .channel import NativeChannel
from .incoming import HANDLERS
from .routes import Routes

if TYPE_CHECKING:
    from minibroker.wire.amqp.spec import MethodRecord

    from ...transport.base import Address, Listener
    from ..shell import Shell

__all__ = ["NativeConnection"]

CREDIT_SIZE = 16 << 20
"""Bytes of deliveries that the broker sends before more are granted: what lies in the inbox."""
SLACK = 1024
"""Bytes of a frame for what is neither body nor properties."""


class NativeConnection(ProtocolConnection):
    """One connection that speaks the native protocol."""

    def __init__(self, address: Address, shell: Shell) -> None:
        super().__init__(address, shell)
        self._login = sasl_response(address)
        self._reader = Reader(2 * FRAME_MAX)
        self._greeting = b""
        self.frame_max = FRAME_MAX
        self.routes = Routes()
        self.batch: list[Any] = []
        """Items of publishes that were not framed yet."""
        self.batch_channel = 0
        self.batch_size = 0
        self.dirty: list[NativeChannel] = []
        """Channels with acks that were not framed yet."""
        self._credit: int = address.options.get("credit", CREDIT_SIZE)
        self._taken = 0
        """Bytes of deliveries that were handed to the application since the last grant."""
        self.out.append(MAGIC)
        self.size = len(MAGIC)

    # -- out

    def encode(self, number: int, method: MethodRecord) -> bytes:
        """The frame of a method."""
        return method_frame(number, method)

    def heartbeat_frame(self) -> bytes:
        """See the base."""
        return HEARTBEAT_FRAME

    def settle(self) -> None:
        """Frame the publishes and acks that were held back."""
        if self.batch:
            self.end_batch()
        for channel in self.dirty:
            channel.put_acks()
        self.dirty.clear()

    def end_batch(self) -> None:
        """Frame the publishes. Under the guard."""
        self.out.append(frame([PUBLISH, self.batch_channel, self.batch]))
        self.batch = []
        self.batch_size = 0

    def put(self, payload: list[Any]) -> None:
        """Frame something else. Under the guard."""
        data = frame(payload)
        self.out.append(data)
        self.size += len(data)

    def handed_out(self, size: int) -> None:
        """The application has taken so many bytes of deliveries: grant as many in time."""
        self._taken += size
        if self._taken * 2 >= self._credit:
            taken, self._taken = self._taken, 0
            with self.guard:
                self.put([CREDIT, 0, taken])
            self.shell.written()

    def new_channel(self, number: int, listener: Listener) -> NativeChannel:
        """See the base."""
        return NativeChannel(self, number, listener)

    # -- in

    def receive(self, data: bytes) -> None:
        """See the base."""
        if self.closed:
            return
        try:
            if self._greeting != MAGIC:
                data = self._greet(data)
            for payload in self._reader.feed(data):
                handle = HANDLERS.get(payload[0])
                if handle is None:
                    raise exceptions.FrameInvalid(f"frame of unknown kind {payload[0]!r}")
                handle(self, payload)
                if self.closed:
                    return
            if self._reader.failure is not None:
                raise self._reader.failure
        except WireError as error:
            self.end(exceptions.error_for_code(error.reply_code, error.reply_text))
        except exceptions.AMQPError as error:
            self.end(error)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            self.end(exceptions.SyntaxInvalid(f"a frame of another shape: {error}"))

    def _greet(self, data: bytes) -> bytes:
        """The first eight bytes of the broker; what comes behind them."""
        whole = self._greeting + data
        self._greeting, rest = whole[: len(MAGIC)], whole[len(MAGIC) :]
        if not MAGIC.startswith(self._greeting):
            if self._greeting[:7] == MAGIC[:7]:
                text = f"the broker speaks version {self._greeting[7]} of the native protocol"
            else:
                text = f"this is not the native protocol: it begins with {whole[:8]!r}"
            raise exceptions.FrameInvalid(f"{text}, not version {MAGIC[7]}")
        return rest

    def hello(self, said: dict[str, Any]) -> None:
        """The broker has said what it is: log in."""
        self.server_properties = said
        mechanism, response = self._login
        if mechanism not in said["mechanisms"]:
            raise exceptions.AccessRefused(
                f"the broker does not take login method {mechanism}, but "
                f"{', '.join(said['mechanisms'])}"
            )
        self.channel_max = said["channel_max"]
        wanted = self.address.heartbeat
        beat = said["heartbeat"] if wanted is None else wanted
        fields = {
            "mechanism": mechanism,
            "response": response,
            "vhost": self.address.virtual_host,
            "frame_max": FRAME_MAX,
            "heartbeat": -int(-beat // 1),
            "credit": self._credit,
            "properties": client_properties(self.address),
        }
        with self.guard:
            self.put([LOGIN, 0, fields])

    def open(self, said: dict[str, Any]) -> None:
        """The virtual host is open."""
        self.frame_max = said["frame_max"]
        self.heartbeat = said["heartbeat"]
        self._reader.limit = max(2 * self.frame_max, self.frame_max + SLACK)
        self.opened.succeed(self)
