"""One client's connection: frames in, frames out, and when it ends. No socket, no clock, no thread.

Whoever owns the socket calls `receive` with what came, `take` at the end of its turn for what is to
be written, and `lost` when the socket is gone. Every call takes the broker's lock.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Protocol

from ...errors import (
    AMQPError,
    ChannelException,
    ChannelInvalid,
    FrameInvalid,
    NotAllowed,
    UnexpectedFrame,
)
from ...wire.amqp import decode_method, spec
from ...wire.amqp.constants import BODY, FRAME_END, HEADER, HEARTBEAT, HEARTBEAT_FRAME, METHOD
from ...wire.amqp.frames import method_frame
from .buffer import Buffer
from .channel import ServerChannel, decoded
from .deliveries import Deliveries
from .handshake import STEPS, greet
from .heartbeats import Heartbeats
from .outgoing import drain
from .publishing import PUBLISH, Publisher
from .states import CLOSED, CLOSING, GREETING, OPEN

if TYPE_CHECKING:
    from ...broker import Broker
    from ...connection import Connection
    from ...fields import Table
    from ...message import Message
    from ...wire.amqp.frames import Piece
    from ...wire.amqp.spec import MethodRecord
    from ..sasl import LoginRefused, Peer
    from ..settings import ServerSettings

__all__ = ["AMQPConnection", "Outlet"]

GREETING_SIZE = 8
WINDOW = 1 << 20
"""Bytes of deliveries that are taken out of the queues before they are written."""
BACKLOG = 1 << 20
"""Bytes of answers that wait to be written before nothing more is read."""
SHOWN = 16
"""Octets of a frame that an error shows."""
_read_frame = struct.Struct(">BHI").unpack_from
_read_ids = struct.Struct(">HH").unpack_from
_read_ack = struct.Struct(">QB").unpack_from
_read_code = struct.Struct(">I").unpack_from
CONTENT = (HEADER, BODY)
ACK = 60 << 16 | 80
ACK_SIZE = 13


class Outlet(Protocol):
    """Who owns the socket."""

    def woken(self) -> None:
        """There is something to take, or to look at. Called under the broker's lock, by any thread,
        and once until `take` is called.
        """

    def told(self, event: str, **fields: object) -> None:
        """Something that belongs into the log of the server."""


class AMQPConnection:
    """See the module. Thread-safe as far as the broker's lock goes."""

    def __init__(
        self, broker: Broker, settings: ServerSettings, peer: Peer, outlet: Outlet
    ) -> None:
        self.broker = broker
        self.settings = settings
        self.peer = peer
        self.outlet = outlet
        host = broker.host
        self.guard = host.guard
        self.gate = host.gate
        self.now = host.now
        self.state = GREETING
        self.user = ""
        self.client_properties: Table = {}
        self.capabilities: frozenset[str] = frozenset()
        """What the client says that it understands."""
        self.model: Connection | None = None
        """The connection to the virtual host, once there is one."""
        self.channels: dict[int, ServerChannel] = {}
        self.channel_max = 0
        self.limit = broker.profile.frame_min
        """Bytes of a frame's payload that are taken."""
        self.deliveries = Deliveries(broker.profile.frame_min)
        self.publisher = Publisher(decoded)
        self.properties = self.publisher.properties
        self.at = 0
        """Where the message ends that is published just now; see `Publisher.run`."""
        self.out: list[Piece] = []
        """What is to be written."""
        self.weight = 0
        """Bytes of answers in it."""
        self.ending = False
        """Whether the socket is to be closed once everything is written."""
        self.aborted = False
        """Whether the socket is to be closed at once."""
        self.told_blocked = False
        self.held: bytes | None = None
        """What came from a publish on that has to wait at the gate."""
        self._failing = (0, 0)
        self._buffer = Buffer()
        self._greeting = b""
        self._deadline = host.timers.new(self._overdue)
        self._late = ""
        self.heartbeats = Heartbeats(host.timers, self._beat, self._silent)
        self._await(settings.handshake_timeout, "the handshake took too long")

    # -- in

    @property
    def reading(self) -> bool:
        """Whether more bytes are wanted now."""
        return self.held is None and self.weight < BACKLOG

    def receive(self, data: bytes) -> None:
        """Bytes came from the client."""
        self.heartbeats.heard = True
        with self.guard:
            if self.held is not None:
                self.held += data
                return
            whole = self._buffer.put(data)
            if whole is not None:
                self._consume(whole)

    def _consume(self, data: bytes) -> None:
        if self.state is GREETING:
            self._greeting += data
            if len(self._greeting) < GREETING_SIZE:
                return
            data = self._greeting[GREETING_SIZE:]
            greet(self, self._greeting[:GREETING_SIZE])
        try:
            at = self._frames(data)
        except AMQPError as error:
            self.fail(error)
            return
        if self.state is not CLOSED:
            self._buffer.keep(data[at:])

    def _frames(self, data: bytes) -> int:
        """Handle all whole frames; the offset of what is left."""
        at, end = 0, len(data)
        while end - at >= 8 and self.state is not CLOSED:
            kind, number, size = _read_frame(data, at)
            if kind == METHOD and end - at > 20:  # no message and no ack is shorter
                channel = self.channels.get(number)
                if channel is not None and channel.content is None and not channel.closing:
                    code = _read_code(data, at + 7)[0]
                    if code == PUBLISH:
                        after = self._publish(channel, data, at)
                        if after > at:
                            at = after
                            continue
                    elif code == ACK and size == ACK_SIZE and data[at + 20] == FRAME_END:
                        self._ack(channel, *_read_ack(data, at + 11))
                        at += 21
                        continue
            if size > self.limit:
                raise FrameInvalid(
                    _shown(kind, b"", f"{{frame_too_large,{size},{self.limit - 8}}}")
                )
            stop = at + 7 + size
            if stop >= end:
                break
            if data[stop] != FRAME_END:
                raise FrameInvalid(
                    _shown(kind, data[at + 7 : stop], f"{{invalid_frame_end_marker,{data[stop]}}}")
                )
            if self.gate.on and self._has_to_wait(kind, number, data, at):
                self._hold(data[at:])
                return end
            self._frame(kind, number, data[at + 7 : stop])
            at = stop + 1
        return at

    def _publish(self, channel: ServerChannel, data: bytes, at: int) -> int:
        try:
            return self.publisher.run(channel, data, at, self.deliveries.most)
        except AMQPError as error:
            self._refused(channel, error, 60, 40)
            return self.at

    def _ack(self, channel: ServerChannel, tag: int, bits: int) -> None:
        try:
            channel.model.ack(tag, bool(bits & 1))
        except AMQPError as error:
            self._refused(channel, error, 60, 80)

    def _has_to_wait(self, kind: int, number: int, data: bytes, at: int) -> bool:
        channel = self.channels.get(number)
        if channel is None or channel.closing:
            return False
        return kind in CONTENT or (kind == METHOD and data[at + 7 : at + 11] == b"\x00\x3c\x00\x28")

    def _frame(self, kind: int, number: int, payload: bytes) -> None:
        if kind == METHOD:
            if len(payload) < 4:
                raise FrameInvalid(_shown(kind, payload, "no method"))
            self._method(number, payload)
        elif kind in CONTENT:
            self._content(kind, number, payload)
        elif kind != HEARTBEAT:
            raise FrameInvalid(_shown(kind, payload, "unknown_frame"))
        elif number or payload:
            raise UnexpectedFrame(_shown(kind, payload))

    def _method(self, number: int, payload: bytes) -> None:
        ids = _read_ids(payload)
        if self.state is CLOSING and ids not in {(10, 50), (10, 51)}:
            return
        channel = self.channels.get(number)
        if channel is not None and channel.closing:
            self._close_method(channel, ids)
            return
        try:
            if channel is not None and channel.content is not None:
                raise UnexpectedFrame(
                    "expected content header for class 60, got non content header frame instead"
                    if channel.content.properties is None
                    else "expected content body, got non content body frame instead"
                )
            method = decode_method(payload)
            if channel is not None:
                channel.method(method, *ids)
            elif number == 0:
                self._connection_method(method)
            else:
                self._open_channel(number, method)
        except AMQPError as error:
            self._refused(channel, error, *ids)

    def _content(self, kind: int, number: int, payload: bytes) -> None:
        channel = self.channels.get(number)
        if self.state is CLOSING or (channel is not None and channel.closing):
            return
        if channel is None:
            raise UnexpectedFrame(
                _shown(kind, payload)
                if number == 0
                else "expected method frame, got non method frame instead"
            )
        ids = (60, 40) if channel.content is not None else (0, 0)
        try:
            (channel.header if kind == HEADER else channel.body)(payload)
        except AMQPError as error:
            self._refused(channel, error, *ids)

    def _refused(
        self, channel: ServerChannel | None, error: AMQPError, class_id: int, method_id: int
    ) -> None:
        """A method was refused: its channel ends, or the connection."""
        if channel is not None and isinstance(error, ChannelException):
            self.outlet.told(
                "channel closed", channel=channel.number, reason=error.reply_text, user=self.user
            )
            channel.close(error, class_id, method_id)
        else:
            self.fail(error, class_id, method_id)

    # -- methods of the connection and of channels that are not open

    def _connection_method(self, method: MethodRecord) -> None:
        if isinstance(method, spec.ConnectionClose):
            self._close_model()
            self.send(0, spec.ConnectionCloseOk())
            self.hang_up("closed by the client")
        elif self.state is CLOSING:
            self.hang_up("")  # connection.close-ok
        elif self.state is OPEN and isinstance(method, spec.ConnectionUpdateSecret):
            self._update_secret()
        elif (step := STEPS.get((self.state, type(method)))) is not None:
            step(self, method)
        else:
            raise ChannelInvalid(f"unexpected method in connection state {self.state.value}")

    def _open_channel(self, number: int, method: MethodRecord) -> None:
        if self.model is None or self.state is not OPEN:
            raise ChannelInvalid(f"unexpected method in connection state {self.state.value}")
        if not isinstance(method, spec.ChannelOpen):
            raise ChannelInvalid("expected 'channel.open'")
        if len(self.channels) >= self.channel_max:
            self._failing = (0, 0)
            raise NotAllowed(
                f"number of channels opened ({len(self.channels)}) has reached the negotiated "
                f"channel_max ({self.channel_max})"
            )
        self.channels[number] = ServerChannel(self, number, self.model.channel(number))
        self.send(number, spec.ChannelOpenOk())

    def _close_method(self, channel: ServerChannel, ids: tuple[int, int]) -> None:
        if ids == (20, 41):
            del self.channels[channel.number]
        elif ids == (20, 40):
            del self.channels[channel.number]
            self.send(channel.number, spec.ChannelCloseOk())

    def drop_channel(self, channel: ServerChannel) -> None:
        """The client closes a channel."""
        del self.channels[channel.number]
        channel.model.close()
        self.deliveries.forget()

    def _update_secret(self) -> None:
        assert self.model is not None
        self.broker.refresh(self.model)
        self.send(0, spec.ConnectionUpdateSecretOk())

    # -- the handshake; see `handshake`

    def tuned(self, channel_max: int, frame_max: int, heartbeat: int) -> None:
        """The client has chosen."""
        self.channel_max = channel_max
        self.limit = frame_max or 1 << 31
        self.deliveries = Deliveries(frame_max)
        self.heartbeats.start(self.now(), heartbeat)

    def attach(self, vhost: str) -> None:
        """Connect to a virtual host. Raises NotAllowed."""
        self.model = model = self.broker.attach(vhost, self.user)
        model.room = WINDOW
        model.wake = self._wake
        self._deadline.clear()
        self.outlet.told("connected", user=self.user, vhost=vhost)

    def refuse_login(self, error: LoginRefused) -> None:
        """The login is refused: said to those who understand it, silence for the others (10)."""
        self.outlet.told("login refused", user=error.user, reason=error.reason)
        if "authentication_failure_close" in self.capabilities:
            self.fail(error)
        else:
            self.state = CLOSING
            self._await(self.settings.refusal_delay, "")

    # -- out

    def write(self, data: Piece) -> None:
        """Bytes for the client."""
        self.out.append(data)

    def send(self, number: int, method: MethodRecord) -> None:
        """A method for the client."""
        frame = method_frame(number, method)
        self.weight += len(frame)
        self.out.append(frame)

    def send_content(self, number: int, method: MethodRecord, message: Message) -> None:
        """A method with a message for the client."""
        self.weight += len(message.body)
        self.deliveries.content(number, method, message, self.out)

    def drain(self) -> None:
        """Turn what lies in the outbox into frames."""
        if self.model is not None and self.model.outbox:
            drain(self, self.model)

    def take(self) -> list[Piece]:
        """What is to be written now. A client that had to wait is served again if it can be."""
        with self.guard:
            self.notice()
            model = self.model
            if self.held is not None and not self.gate.on:
                self._resume()
            if model is not None and self.state is OPEN:
                drain(self, model)
                model.wake = self._wake
                model.relieve(WINDOW)
            out, self.out = self.out, []
            self.weight = 0
            if out:
                self.heartbeats.sent = True
            return out

    def notice(self) -> None:
        """See whether the broker closed the connection by itself."""
        with self.guard:
            if self.state is OPEN and self.model is not None and self.model.closed:
                self.fail(self.model.ended_by())

    def _wake(self) -> None:
        if self.model is not None:
            self.model.wake = None  # once until it is taken
        self.outlet.woken()

    # -- the gate

    def _hold(self, data: bytes) -> None:
        self.held = data
        self.heartbeats.excused = True
        self.gate.when_open(self.outlet.woken)
        self.tell_blocked()

    def tell_blocked(self) -> None:
        """Tell a client that wants to publish why it has to wait (16)."""
        words = self.gate.words
        if self.held is None or words is None or self.told_blocked:
            return
        self.outlet.told("blocked", reason=words, user=self.user)
        if "connection.blocked" in self.capabilities:
            self.told_blocked = True
            self.send(0, spec.ConnectionBlocked(words))

    def _resume(self) -> None:
        data, self.held = self.held, None
        assert data is not None
        self.heartbeats.excused = False
        if self.told_blocked:
            self.told_blocked = False
            self.send(0, spec.ConnectionUnblocked())
        self._consume(data)

    # -- time

    def _await(self, seconds: float, late: str) -> None:
        self._late = late
        self._deadline.set(self.now() + round(seconds * 1000))

    def _overdue(self, now: int) -> None:
        self.abort(self._late)

    def _beat(self) -> None:
        self.out.append(HEARTBEAT_FRAME)
        self.outlet.woken()

    def _silent(self) -> None:
        self.abort("missed heartbeats")

    # -- the end

    def fail(self, error: AMQPError, class_id: int = 0, method_id: int = 0) -> None:
        """Close the connection because of an error, and tell the client."""
        with self.guard:
            if self.state in {CLOSING, CLOSED}:
                return
            before = self.state
            self._close_model()
            if before is GREETING:
                self.hang_up(error.reply_text)
                return
            self.outlet.told("closing", reason=error.reply_text, user=self.user)
            self.state = CLOSING
            self.held = None
            self._await(self.settings.close_timeout, "no answer to connection.close")
            self.send(
                0, spec.ConnectionClose(error.reply_code, error.reply_text, class_id, method_id)
            )
            self.outlet.woken()

    def _close_model(self) -> None:
        if self.model is not None:
            self.drain()
            self.model.wake = None
            self.model.close()
        self.channels.clear()

    def hang_up(self, reason: str) -> None:
        """Nothing more is read, and the socket closed when everything is written."""
        self._end(reason)
        self.ending = True
        self.outlet.woken()

    def abort(self, reason: str) -> None:
        """Close the socket at once."""
        with self.guard:
            self._close_model()
            self._end(reason)
            self.ending = self.aborted = True
            self.outlet.woken()

    def lost(self) -> None:
        """The socket is gone."""
        with self.guard:
            self._close_model()
            self._end("the client is gone" if self.state is not CLOSED else "")

    def _end(self, reason: str) -> None:
        if reason and self.state is not CLOSED:
            self.outlet.told("closed", reason=reason, user=self.user)
        self.state = CLOSED
        self.held = None
        self.gate.forget(self.outlet.woken)
        self._buffer.clear()
        self._deadline.clear()
        self.heartbeats.stop()


def _shown(kind: int, payload: bytes, what: str = "") -> str:
    """A frame as RabbitMQ shows it in an error."""
    begin = "all octets" if len(payload) <= SHOWN else f"first {SHOWN} octets"
    octets = ",".join(str(octet) for octet in payload[:SHOWN])
    return f"type {kind}, {begin} = <<{octets}>>" + (f": {what}" if what else "")
