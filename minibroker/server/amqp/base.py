"""What every part of a connection works on: its fields, what it has to write, its end.

Knows no frame that comes in. Source for the end: RabbitMQ's `rabbit_reader`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ...wire.amqp import spec
from ...wire.amqp.constants import HEARTBEAT_FRAME
from ...wire.amqp.frames import method_frame
from .deliveries import Deliveries
from .heartbeats import Heartbeats
from .outgoing import drain
from .states import CLOSED, CLOSING, GREETING, OPEN, State

if TYPE_CHECKING:
    from ...connection import Connection
    from ...errors import AMQPError
    from ...fields import Table
    from ...message import Message
    from ...queues import Entry
    from ...serving import Serves
    from ...wire.amqp.frames import Piece
    from ...wire.amqp.spec import MethodRecord
    from ..sasl import Peer
    from ..settings import ServerSettings

__all__ = ["ConnectionBase", "Outlet"]


BACKLOG = 1 << 20
"""Bytes of answers that wait to be written before nothing more is read."""


class Outlet(Protocol):
    """Who owns the socket."""

    def woken(self) -> None:
        """There is something to take, or to look at. Called under the broker's lock, by any thread,
        and once until `take` is called.
        """

    def told(self, event: str, **fields: object) -> None:
        """Something that belongs into the log of the server."""


class Encodes(Protocol):
    """What turns messages into frames."""

    def deliver(self, entry: Entry, out: list[Piece]) -> None:
        """Append a delivery. Raises TypeError or ValueError for what cannot be carried."""

    def content(
        self, number: int, method: MethodRecord, message: Message, out: list[Piece]
    ) -> None:
        """Append `basic.return` or `basic.get-ok`."""

    def forget(self) -> None:
        """Consumers have ended."""


class ConnectionBase:
    """The fields of a connection, its output and its end."""

    def __init__(
        self, broker: Serves, settings: ServerSettings, peer: Peer, outlet: Outlet
    ) -> None:
        self.broker = broker
        self.settings = settings
        self.peer = peer
        self.outlet = outlet
        host = broker.host
        self.guard, self.gate, self.now = host.guard, host.gate, host.now
        self.state: State = GREETING
        self.user = ""
        self.client_properties: Table = {}
        self.capabilities: frozenset[str] = frozenset()
        """What the client says that it understands."""
        self.model: Connection | None = None
        """The connection to the virtual host, once there is one."""
        self.channels: dict[int, Any] = {}
        """`ServerChannel`s, of the kind that the protocol makes."""
        self.channel_max = 0
        self.deliveries: Encodes = Deliveries(broker.profile.frame_min)
        self.out: list[Piece] = []
        """What is to be written."""
        self.weight = 0
        """Bytes of answers in it."""
        self.bulky = False
        """Whether `take` gave pieces that are better written one by one than joined."""
        self.ending = False
        """Whether the socket is to be closed once everything is written."""
        self.aborted = False
        """Whether the socket is to be closed at once."""
        self._deadline = host.timers.new(self._overdue)
        self._late = ""
        self.heartbeats = Heartbeats(host.timers, self._beat, self._silent)

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
        self.deliveries.content(number, method, message, self.out)
        self.weight += len(message.body)

    @property
    def full(self) -> bool:
        """Whether so many answers wait to be written that nothing more is to be done."""
        return self.weight >= BACKLOG

    def drain(self) -> None:
        """Turn what lies in the outbox into frames."""
        if self.model is not None and self.model.outbox:
            drain(self, self.model)

    def tell_blocked(self) -> None:
        """Tell a client that wants to publish why it has to wait."""
        raise NotImplementedError

    # -- time

    def wait_for(self, seconds: float, late: str) -> None:
        """Give the client so many seconds; `late` is what is told of one that takes longer."""
        self._late = late
        self._deadline.set(self.now() + round(seconds * 1000))

    def in_time(self) -> None:
        """The client did what was waited for."""
        self._deadline.clear()

    def _overdue(self, now: int) -> None:
        self.abort(self._late)

    def _beat(self) -> None:
        self.out.append(HEARTBEAT_FRAME)
        self.outlet.woken()

    def _silent(self) -> None:
        self.abort("missed heartbeats")

    # -- the end

    def notice(self) -> None:
        """See whether the broker closed the connection by itself."""
        with self.guard:
            if self.state is OPEN and self.model is not None and self.model.closed:
                self.fail(self.model.ended_by())

    def fail(self, error: AMQPError, class_id: int = 0, method_id: int = 0) -> None:
        """Close the connection because of an error, and tell the client."""
        with self.guard:
            if self.state in {CLOSING, CLOSED}:
                return
            if self.state is GREETING:
                self.hang_up(error.reply_text)
                return
            self.close_model()
            self.outlet.told("closing", reason=error.reply_text, user=self.user)
            self.state = CLOSING
            self.wait_for(self.settings.close_timeout, "no answer to connection.close")
            self.send(
                0, spec.ConnectionClose(error.reply_code, error.reply_text, class_id, method_id)
            )
            self.go_on()
            self.outlet.woken()

    def go_on(self) -> None:
        """Read what was held back: it does not have to wait any more."""
        raise NotImplementedError

    def close_model(self) -> None:
        """The client is no client of the broker any more."""
        if self.model is not None:
            self.drain()
            self.model.wake = None
            self.model.close()
        self.channels.clear()

    def hang_up(self, reason: str) -> None:
        """Nothing more is read, and the socket closed when everything is written."""
        self.end(reason)
        self.ending = True
        self.outlet.woken()

    def abort(self, reason: str) -> None:
        """Close the socket at once."""
        with self.guard:
            self.close_model()
            self.end(reason)
            self.ending = self.aborted = True
            self.outlet.woken()

    def lost(self) -> None:
        """The socket is gone."""
        with self.guard:
            self.close_model()
            self.end("the client is gone")

    def end(self, reason: str) -> None:
        """Nothing that comes counts any more."""
        if reason and self.state is not CLOSED:
            self.outlet.told("closed", reason=reason, user=self.user)
        self.state = CLOSED
        self.gate.forget(self.outlet.woken)
        self._deadline.clear()
        self.heartbeats.stop()
